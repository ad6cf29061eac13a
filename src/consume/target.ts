import type { DataType } from "../model.ts";
import type { ExtractionComplete, FileComplete } from "./content.ts";

/** One record as the broker has given it out. */
export interface Delivery {
  readonly body: Buffer;
  /** The publisher's name for the message; ours are `version/type/ordinal`. */
  readonly messageId: string | null;
  /** Given out before, to us or to somebody else, and not acknowledged. */
  readonly redelivered: boolean;
}

/** Where a consumer brings its records. It is never called twice at a time for one data type, but for several at once. */
export interface BatchTarget {
  /** All records in one transaction, or none. Throws {@link RecordRefused} or {@link TargetUnavailable}. */
  commit(dataType: DataType, records: readonly Delivery[], signal: AbortSignal): Promise<void>;
  /** Everything that lay before the message is committed or refused. */
  fileComplete(dataType: DataType, message: FileComplete & Pick<Delivery, "messageId">, signal: AbortSignal): Promise<void>;
  /** `deadLettered`: a record of the type was refused since the last extraction_complete. */
  extractionComplete(dataType: DataType, message: ExtractionComplete, deadLettered: boolean, signal: AbortSignal): Promise<void>;
}

/** A record that is to blame itself. */
export interface Refusal {
  /** Its place among the records that were to be committed. */
  readonly index: number;
  readonly reason: string;
}

/**
 * The records are to blame, and will be again: nothing of them was committed. Which ones is said if it is known; if not, halves are tried
 * until one record is left alone.
 */
export class RecordRefused extends Error {
  override readonly name = "RecordRefused";
  readonly refusals: readonly Refusal[];

  constructor(message: string, refusals: readonly Refusal[] = [], options?: ErrorOptions) {
    super(message, options);
    this.refusals = refusals;
  }
}

/** The target cannot take anything for now, whatever the records: it is tried again until it can. */
export class TargetUnavailable extends Error {
  override readonly name = "TargetUnavailable";
}
