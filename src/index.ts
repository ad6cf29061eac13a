/** deadwax as a library: `extract` reads one dump as batches of records, `openDump` looks at single records of it, `ChangesConsumer` hears of changes. */

export type { Change, ChangeSummary } from "./consume/change.ts";
export { ChangesConsumer, type ChangesConsumerOptions } from "./consume/changes-consumer.ts";
export { type ExtractOptions, extract, type RecordBatch } from "./discogs/batches.ts";
export { Dump, type OpenDumpOptions, openDump, type RecordInDump } from "./discogs/dump.ts";
export type { DumpRecord, JsonValue } from "./discogs/dump-record.ts";
export { DumpError, ERROR_CODES, type ErrorCode } from "./errors.ts";
export { CONTRACTS, type Contract, DATA_TYPES, type DataType, type RejectedRecord } from "./model.ts";
