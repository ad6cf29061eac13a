import { OPTIONS } from "./options.ts";

const { root, state, sink, drainTimeoutMs, contract, dataQualityRules, threads, inflate, output, logLevel } = OPTIONS;
const { maxRecordBytes, maxDepth, maxAttributes, maxNameBytes, maxInflatedBytes, maxInflateRatio } = OPTIONS;

/** Settings of the commands that look at single records: rows of `extract`, so that they see what it delivers. */
export const LOOK_OPTIONS = {
  contract: { ...contract, meaning: "dialect of the message bodies" },
  dataQualityRules,
  state: { ...state, argument: "DIR", fallbackText: "the folder of the dump", meaning: "folder below which access indexes are kept, in .deadwax_access" },
  threads: { ...threads, meaning: "threads that build an access index" },
  inflate,
  output: { ...output, meaning: "form of the log and the errors" },
  logLevel,
  ...{ maxRecordBytes, maxDepth, maxAttributes, maxNameBytes, maxInflatedBytes, maxInflateRatio },
} as const;

/** Where records are sent again, and how long sending may take to stop. */
export const RESEND_OPTIONS = {
  sink: {
    ...sink,
    fallback: null,
    fallbackText: "none, has to be given",
    meaning: "where messages go: a URL of a broker, - (standard output) or null:; may be given several times",
  },
  drainTimeoutMs,
} as const;

/** Where the dump is, for commands that take it from a folder. */
export const PLACE_OPTIONS = { root: { ...root, argument: "PLACE", meaning: "folder with dumps, or one dump file" } } as const;
