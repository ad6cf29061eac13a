import type { Batch, Flagged, FlaggedBytes, RejectedRecord, SinkPosition } from "./model.ts";
import type { FileEnd } from "./sink/sink.ts";

/** Where the records of one file go: a sink's writer and the logs of rejects and of flagged records, opened once the data type is known. */
export interface Destination extends AsyncDisposable {
  /** Resolves once the sink has accepted the batch. */
  write(batch: Batch, signal: AbortSignal): Promise<void>;
  /** Keeps rejects where people find them. */
  reject(rejects: readonly RejectedRecord[]): Promise<void>;
  /** Keeps what data quality rules have found; the bytes are taken before it resolves. */
  flag(flagged: Flagged): Promise<void>;
  /** Makes durable what was accepted when it was called. */
  sync(signal: AbortSignal): Promise<{ sink: SinkPosition; rejectBytes: number; flaggedBytes: FlaggedBytes }>;
  /** The file has come to its end. */
  finish(end: FileEnd, signal: AbortSignal): Promise<void>;
}
