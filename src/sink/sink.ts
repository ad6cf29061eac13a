import type { Batch, Contract, DataType, SinkPosition } from "../model.ts";

/** One file's worth of records, as a sink knows it. */
export interface Target {
  readonly version: string;
  readonly dataType: DataType;
  readonly contract: Contract;
}

/** Accepts the batches of one target, in order. */
export interface SinkWriter extends AsyncDisposable {
  /** Resolves once the whole batch is accepted; the batch's memory may be reused afterwards. */
  write(batch: Batch, signal: AbortSignal): Promise<void>;
  /** Resolves once everything accepted so far is durable, with the position to resume from. Never runs beside another `sync` or `finish`, may run beside `write` and then covers what `write` had accepted when it was called. */
  sync(signal: AbortSignal): Promise<SinkPosition>;
  /** The target is complete: makes everything durable and visible under its final name. */
  finish(signal: AbortSignal): Promise<void>;
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
  /** Opens the writer of one target: at `position`, dropping whatever lies behind it, or from nothing if null. */
  open(target: Target, position: SinkPosition | null, signal: AbortSignal): Promise<SinkWriter>;
}
