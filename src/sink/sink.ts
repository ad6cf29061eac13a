import type { Batch, Contract, DataType, SinkPosition } from "../model.ts";

/** `records`: what a file holds. `deletions`: a {@link Tombstone} for each record that the file no longer holds. */
export type Stream = "records" | "deletions";

/** One file's worth of records, as a sink knows it. */
export interface Target {
  readonly version: string;
  readonly dataType: DataType;
  readonly contract: Contract;
  readonly stream: Stream;
}

/** How the reading of a target's file ended. */
export interface FileEnd {
  /** Name of the dump file. */
  readonly file: string;
  /** Records of it that have a message: delivered ones and those that a rule has skipped. */
  readonly records: number;
  /** The file was read to its verified end; false behind a limit, and where nothing vouches for its bytes. */
  readonly complete: boolean;
}

/** A version whose every record was delivered: all data types, no rejects. */
export interface VersionEnd {
  readonly version: string;
  readonly contract: Contract;
  /** When the version was first begun, by whichever run, RFC 3339. */
  readonly startedAt: string;
  readonly recordCounts: Readonly<Record<DataType, number>>;
}

/** Hears what happens to a sink while it works; the sink goes on by itself. */
export interface SinkEvents {
  /** A connection that stood is gone, even if nobody needs it now; what is still to be delivered brings about another. */
  lost(reason: string): void;
  /** The connection is lost or was not made; the next attempt comes after `waitMs`. */
  reconnecting(reason: string, attempt: number, waitMs: number): void;
  /** The connection stands, for the first time or again. */
  connected(): void;
  /** The destination takes nothing for now, or takes again: the run waits. */
  blocked(reason: string): void;
  unblocked(): void;
  /** Messages that are delivered once more. */
  resent(messages: number, reason: "nacked" | "returned" | "reconnected"): void;
  /** Messages that the destination has confirmed. */
  confirmed(messages: number, bytes: number): void;
  /** Something that people who look for it want to know, and something that they should look at. */
  told(text: string): void;
  warned(text: string): void;
}

/** For who only wants to know whether a URL can be used. */
export const NO_EVENTS: SinkEvents = {
  lost() {},
  reconnecting() {},
  connected() {},
  blocked() {},
  unblocked() {},
  resent() {},
  confirmed() {},
  told() {},
  warned() {},
};

/** Accepts the batches of one target, in order. */
export interface SinkWriter extends AsyncDisposable {
  /** Resolves once the whole batch is accepted; the batch's memory may be reused afterwards. */
  write(batch: Batch, signal: AbortSignal): Promise<void>;
  /** Resolves once everything accepted so far is durable, with the position to resume from. Never runs beside another `sync` or `finish`, may run beside `write` and then covers what `write` had accepted when it was called. */
  sync(signal: AbortSignal): Promise<SinkPosition>;
  /** The target has come to its end: makes everything durable, visible under its final name and, if it is complete, known to consumers. */
  finish(end: FileEnd, signal: AbortSignal): Promise<void>;
  /** Closes without completing; what was synced stays for a resume. Safe to call twice and after `finish`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A place records go. */
export interface Sink extends AsyncDisposable {
  /** How the sink appears in the state marker: its URL without secrets. */
  readonly name: string;
  /** Whether a run into this sink can be resumed, so that state is worth keeping. */
  readonly resumable: boolean;
  /** Proves, before a run starts, that the destination can be reached and written to. */
  check(signal: AbortSignal): Promise<void>;
  /** Whether a target that was finished is still there; what has gone to consumers is theirs, and counts as there. */
  holds(target: Target): Promise<boolean>;
  /** Tells consumers that a version is complete; called behind the `finish` of every target, once more after a crash. */
  announce(end: VersionEnd, signal: AbortSignal): Promise<void>;
  /** Opens the writer of one target: at `position`, dropping whatever lies behind it, or from nothing if null. */
  open(target: Target, position: SinkPosition | null, signal: AbortSignal): Promise<SinkWriter>;
}
