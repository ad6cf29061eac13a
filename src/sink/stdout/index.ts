import { DumpError } from "../../errors.ts";
import type { Batch, SinkPosition } from "../../model.ts";
import type { FileEnd, Sink, SinkWriter } from "../sink.ts";
import { type Outlet, openOutlet, type StandardStream } from "./outlet.ts";

/** Opens the sink of `-`. */
export function openStdoutSink(url: string): StdoutSink {
  if (url !== "-") throw new DumpError("CONFIG_INVALID", `sink ${url}: standard output is written as -`);
  return new StdoutSink(process.stdout);
}

/** Writes message bodies to standard output, one a line; targets written side by side take turns by batch. */
export class StdoutSink implements Sink {
  readonly name = "-";
  readonly resumable = false;
  readonly #stream: StandardStream;
  #outlet: Outlet | null = null;

  constructor(stream: StandardStream) {
    this.#stream = stream;
  }

  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#outlet ??= openOutlet(this.#stream);
  }

  async holds(): Promise<boolean> {
    return true;
  }

  async announce(): Promise<void> {
    // Nobody listens.
  }

  /** A position is of no use here: what is written is gone. */
  async open(_target: unknown, _position: unknown, signal: AbortSignal): Promise<SinkWriter> {
    signal.throwIfAborted();
    this.#outlet ??= openOutlet(this.#stream);
    return new StdoutWriter(this.#outlet);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Standard output is the process's to close.
  }
}

class StdoutWriter implements SinkWriter {
  readonly #outlet: Outlet;

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    await this.#outlet.write(batch.bytes, signal);
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    signal.throwIfAborted();
    return {};
  }

  async finish(_end: FileEnd, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Every write has waited for its bytes; none is held back.
  }
}
