import { MODES } from "../model.ts";
import type { OptionTable } from "./option.ts";
import { count, flag, share, u64, word } from "./units.ts";

const BATCH_RECORDS_MAX = 1_000_000;

/** How changes are looked for, and what becomes of them; settings of `extract` and of `serve`. */
export const CHANGE_OPTIONS = {
  mode: {
    argument: "MODE",
    schema: word(MODES),
    fallback: "normal",
    unit: null,
    meaning: "normal: every record is delivered; incremental: only what was created, updated or deleted since the version before",
  },
  batchSize: {
    argument: "N",
    env: "BATCH_SIZE",
    lenient: u64(1, BATCH_RECORDS_MAX),
    schema: count(1, BATCH_RECORDS_MAX),
    fallback: "100",
    unit: "records",
    meaning: "incremental: changed records that are handed to the sink together",
  },
  maxDeletes: {
    argument: "N",
    schema: count(0),
    fallback: "10000",
    unit: "records",
    meaning: "incremental: deletions of a data type; with more, none is sent unless allowed",
  },
  maxDeleteShare: {
    argument: "SHARE",
    schema: share,
    fallback: "1%",
    unit: "share",
    meaning: "incremental: the same as a share of the known records",
  },
  allowDeletes: {
    argument: null,
    schema: flag,
    fallback: "false",
    unit: null,
    meaning: "incremental: send deletions however many they are",
  },
  warnUpdateShare: {
    argument: "SHARE",
    schema: share,
    fallback: "50%",
    unit: "share",
    meaning: "incremental: updates beyond this share of the known records of a data type are warned of",
  },
  changelogRuns: {
    argument: "N",
    schema: count(1, 1_000_000),
    fallback: "12",
    unit: "runs",
    meaning: "incremental, state in PostgreSQL: runs of a data type of which data_changelog keeps the changes",
  },
} as const satisfies OptionTable;
