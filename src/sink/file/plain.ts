import type { Batch, SinkPosition } from "../../model.ts";
import type { FileEnd, SinkWriter } from "../sink.ts";
import type { PartialFile } from "./partial-file.ts";

/** Writes batches as they are: the bodies and their LFs go from shared memory to the file in one write. */
export class PlainWriter implements SinkWriter {
  readonly #file: PartialFile;

  constructor(file: PartialFile) {
    this.#file = file;
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#file.append(batch.bytes, signal);
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    signal.throwIfAborted();
    return this.#file.position(this.#file.end);
  }

  async finish(_end: FileEnd, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#file.publish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}
