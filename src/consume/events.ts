import type { DataType } from "../model.ts";
import type { LinkEvents } from "../rabbitmq/link.ts";
import type { ExtractionComplete, FileComplete } from "./content.ts";

/** A record, or another message, that was given to the dead letters. */
export interface DeadLetter {
  readonly messageId: string | null;
  readonly reason: string;
  readonly queue: string;
}

/** Hears what a consumer does; it goes on by itself. */
export interface ConsumeEvents extends LinkEvents {
  /** Messages of the type come, for the first time or again. */
  subscribed(dataType: DataType, queue: string): void;
  /** They come no more; who is not stopping subscribes again. */
  unsubscribed(dataType: DataType, reason: string): void;
  /** A message has come. */
  received(dataType: DataType, redelivered: boolean): void;
  /** Records of a batch are committed. */
  committed(dataType: DataType, records: number, seconds: number): void;
  deadLettered(dataType: DataType, letter: DeadLetter): void;
  /** A message could not be published to the dead letters; it is tried again after `waitMs`. */
  deadLetterDelayed(dataType: DataType, reason: string, waitMs: number): void;
  /** The target takes nothing; it is tried again after `waitMs`. */
  targetUnavailable(dataType: DataType, error: unknown, waitMs: number): void;
  /** It takes records again. */
  targetAvailable(dataType: DataType): void;
  /** Handled, and everything before it. */
  fileComplete(dataType: DataType, message: FileComplete): void;
  extractionComplete(dataType: DataType, message: ExtractionComplete): void;
  /** Messages that wait in the type's queue. */
  waiting(dataType: DataType, messages: number): void;
}
