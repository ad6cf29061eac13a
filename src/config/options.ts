import { availableParallelism } from "node:os";
import { BACKENDS, CONTRACTS, DATA_TYPES, VERIFY_MODES } from "../model.ts";
import { CHANGE_OPTIONS } from "./change-options.ts";
import { NOTIFICATION_OPTIONS } from "./notification-options.ts";
import { type Option, type OptionTable, type ValuesOf, variablesOf } from "./option.ts";
import { sinkUrl, splitSinks } from "./sink-urls.ts";
import { byteSize, count, flag, text, u64, word } from "./units.ts";

export const KIB = 2 ** 10;
export const MIB = 2 ** 20;
const TIB = 2 ** 40;
const THREADS_MAX = 256;
/** What the addon takes as a count. */
export const U32_MAX = 2 ** 32 - 1;
/** A timer that waits longer fires at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;
/** A record of this size becomes a body of less than 4 GiB, whatever it holds. */
const RECORD_BYTES_MAX = 256 * MIB;

export const LOG_LEVELS = ["warn", "info", "debug"] as const;
/** How much is logged: `warn` is `-q`, `debug` is `-v`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Every setting of a run of `deadwax extract`, in the order of the README. */
export const OPTIONS = {
  root: {
    argument: "DIR",
    schema: text,
    fallback: null,
    unit: null,
    meaning: "folder with dumps; its newest complete version is extracted",
  },
  type: {
    argument: "TYPE",
    schema: word(DATA_TYPES),
    fallback: null,
    fallbackText: "from the file name, else from the root element",
    unit: null,
    meaning: "data type of the file, or the only one to take from --root",
  },
  contract: {
    argument: "NAME",
    schema: word(CONTRACTS),
    fallback: "topic",
    unit: null,
    meaning: "dialect of the message bodies: topic keeps the XML's shape, fanout is normalised",
  },
  dataQualityRules: {
    argument: "PATH",
    schema: text,
    fallback: null,
    env: "DATA_QUALITY_RULES",
    emptyCounts: true,
    unit: null,
    meaning: "YAML file of rules that skip, change or report records; only with --contract fanout",
  },
  sink: {
    argument: "URL",
    schema: sinkUrl,
    split: splitSinks,
    fallback: "file:out",
    unit: null,
    secret: "url",
    meaning: "where records go: file:DIR, file:DIR?compress=gzip, - (standard output), null: (counts only) or a URL; may be given several times",
  },
  ...NOTIFICATION_OPTIONS,
  state: {
    argument: "DIR|URL",
    schema: text,
    fallback: null,
    fallbackText: "--root, else the folder of the file",
    unit: null,
    secret: "url",
    meaning: "folder of the state, or postgres://… of the database in which incremental runs keep what was delivered",
  },
  force: {
    argument: null,
    schema: flag,
    fallback: "false",
    unit: null,
    meaning: "start afresh, whatever the state marker says",
  },
  ...CHANGE_OPTIONS,
  dryRun: {
    argument: null,
    schema: flag,
    fallback: "false",
    unit: null,
    meaning: "incremental: read, compare and report, and write nothing at all",
  },
  limit: {
    argument: "N",
    schema: count(1),
    fallback: null,
    unit: "records",
    meaning: "stop each file after so many records; keeps no state",
  },
  verify: {
    argument: "MODE",
    schema: word(VERIFY_MODES),
    fallback: "auto",
    unit: null,
    meaning: "auto: CHECKSUM file, else a full pass, before the first record; full: both; stream: only while reading",
  },
  threads: {
    argument: "N",
    schema: count(1, THREADS_MAX),
    fallback: String(Math.min(availableParallelism(), THREADS_MAX)),
    fallbackText: "number of CPUs",
    env: "MAX_WORKERS",
    lenient: u64(1, THREADS_MAX),
    unit: "threads",
    meaning: "threads of the pool, and at most that many files at once; in the variable, 0 is 1, more than 256 is 256 and what is no number is the default",
  },
  chunk: {
    argument: "BYTES",
    schema: byteSize(4 * KIB, 64 * MIB),
    fallback: "2MiB",
    unit: "bytes",
    meaning: "inflated XML that one task parses",
  },
  inflate: {
    argument: "LIBRARY",
    schema: word(BACKENDS),
    fallback: "zlib-ng",
    unit: null,
    meaning: "library that inflates: zlib-ng or zlib-rs",
  },
  output: {
    argument: "FORMAT",
    schema: word(["text", "json"]),
    fallback: "text",
    unit: null,
    meaning: "form of the report, the log and the errors",
  },
  logLevel: {
    argument: "LEVEL",
    schema: word(LOG_LEVELS),
    fallback: "info",
    unit: null,
    meaning: "warn (-q), info or debug (-v)",
  },
  checkpointRecords: {
    argument: "N",
    schema: count(1, U32_MAX),
    fallback: "5000",
    unit: "records",
    meaning: "a checkpoint is due after so many records",
  },
  checkpointMs: {
    argument: "MS",
    schema: count(1, U32_MAX),
    fallback: "2000",
    unit: "milliseconds",
    meaning: "or after so much time, whichever comes first",
  },
  drainTimeoutMs: {
    argument: "MS",
    schema: count(0, TIMER_MS_MAX),
    fallback: "10000",
    unit: "milliseconds",
    meaning: "time to reach a checkpoint after a signal, before work is broken off",
  },
  maxRejects: {
    argument: "N",
    schema: count(0),
    fallback: "100",
    unit: "records",
    meaning: "malformed records of a file; one more fails it",
  },
  maxRejectRawBytes: {
    argument: "BYTES",
    schema: byteSize(0, 64 * MIB),
    fallback: "64KiB",
    unit: "bytes",
    meaning: "raw XML that is kept of a malformed record",
  },
  maxRecordBytes: {
    argument: "BYTES",
    schema: byteSize(KIB, RECORD_BYTES_MAX),
    fallback: "64MiB",
    unit: "bytes",
    meaning: "size of a record; a larger one is rejected",
  },
  maxDepth: {
    argument: "N",
    schema: count(2, 4096),
    fallback: "64",
    unit: "elements",
    meaning: "nesting, the root counts 1; a record that goes deeper is rejected",
  },
  maxAttributes: {
    argument: "N",
    schema: count(1, 65_536),
    fallback: "256",
    unit: "attributes",
    meaning: "attributes of an element; a record with more is rejected",
  },
  maxNameBytes: {
    argument: "BYTES",
    schema: byteSize(16, MIB),
    fallback: "1024",
    unit: "bytes",
    meaning: "length of a name; a record with a longer one is rejected",
  },
  maxInflatedBytes: {
    argument: "BYTES",
    schema: byteSize(MIB, 1024 * TIB),
    fallback: "1TiB",
    unit: "bytes",
    meaning: "size of an inflated file; a larger one fails",
  },
  maxInflateRatio: {
    argument: "N",
    schema: count(1),
    fallback: "200",
    unit: "inflated bytes per compressed byte",
    meaning: "a file that inflates further fails",
  },
} as const satisfies OptionTable;

export type OptionKey = keyof typeof OPTIONS;

export type Values = ValuesOf<typeof OPTIONS>;

export const OPTION_KEYS = Object.keys(OPTIONS) as OptionKey[];

/** The option itself, with the members it leaves out. */
export function optionOf(key: OptionKey): Option {
  return OPTIONS[key];
}

/** `maxDepth` → `DEADWAX_MAX_DEPTH`: the variable that a setting of `extract` is read from. */
export function envOf(key: OptionKey): string {
  return variablesOf(key, OPTIONS[key])[0].name;
}
