import { DumpError } from "../../errors.ts";
import type { Batch, SinkPosition } from "../../model.ts";
import type { FileEnd, Sink, SinkWriter } from "../sink.ts";

/** Opens the sink of `null:`. */
export function openNullSink(url: string): NullSink {
  if (url !== "null:") throw new DumpError("CONFIG_INVALID", `sink ${url}: null: takes no path and no options`);
  return new NullSink();
}

/** Accepts everything and keeps only its numbers: what a run costs without a destination. */
export class NullSink implements Sink {
  readonly name = "null:";
  readonly resumable = false;

  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async holds(): Promise<boolean> {
    return true;
  }

  async announce(): Promise<void> {
    // Nobody listens.
  }

  async open(_target: unknown, _position: unknown, signal: AbortSignal): Promise<NullWriter> {
    signal.throwIfAborted();
    return new NullWriter();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is open.
  }
}

/** Counts message bodies and their bytes. */
export class NullWriter implements SinkWriter {
  #bodies = 0;
  #bytes = 0;

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#bodies += batch.ends.length;
    this.#bytes += batch.bytes.byteLength;
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    signal.throwIfAborted();
    return { bodies: this.#bodies, bytes: this.#bytes };
  }

  async finish(_end: FileEnd, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is open.
  }
}
