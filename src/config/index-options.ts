import { OPTIONS } from "./options.ts";

const { root, state, sink, contract, type, output, force, dataQualityRules, verify, threads, inflate, chunk, logLevel, drainTimeoutMs } = OPTIONS;
const { maxRecordBytes, maxDepth, maxAttributes, maxNameBytes, maxRejects, maxInflatedBytes, maxInflateRatio } = OPTIONS;

/** Which record index is meant: rows of `extract`, so that the same settings lead to the one that its runs use. */
export const INDEX_OPTIONS = {
  root,
  state: { ...state, argument: "DIR", meaning: "folder of the state, in which record indexes are kept" },
  sink: { ...sink, fallback: null, fallbackText: "required", meaning: "the sink that it belongs to, written as for the runs" },
  contract,
  type: { ...type, fallbackText: "all", meaning: "the only data type to look after" },
  output,
} as const;

/** How dumps are read that an index is made of. */
export const REBUILD_OPTIONS = {
  force: { ...force, meaning: "take dumps of another version than the index says for what the sink has" },
  dataQualityRules,
  verify,
  threads,
  inflate,
  chunk,
  drainTimeoutMs,
  logLevel,
  ...{ maxRecordBytes, maxDepth, maxAttributes, maxNameBytes, maxRejects, maxInflatedBytes, maxInflateRatio },
} as const;
