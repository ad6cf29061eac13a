import { type Batch, type SinkPosition, startOf } from "../../model.ts";
import type { FileEnd, SinkWriter, Target } from "../sink.ts";
import { fileComplete, idPrefix } from "./messages.ts";
import type { Publisher } from "./publisher.ts";

/** Sends the records of one target, each as a message whose id names it for good: version, data type and ordinal. */
export class RabbitWriter implements SinkWriter {
  readonly #target: Target;
  readonly #publisher: Publisher;
  /** Messages of the target that were confirmed before this run. */
  readonly #before: number;

  constructor(target: Target, publisher: Publisher, before: number) {
    this.#target = target;
    this.#publisher = publisher;
    this.#before = before;
  }

  async write({ bytes, ends, firstOrdinal }: Batch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const prefix = idPrefix(this.#target);
    for (let from = 0; from < ends.length; ) {
      const to = await this.#publisher.reserve(ends, from, signal);
      const offset = startOf(ends, from);
      // Copied, since the batch's memory is used again while messages may have to be sent once more.
      const portion = Buffer.from(bytes.subarray(offset, ends[to - 1]));
      for (; from < to; from += 1) {
        this.#publisher.send(`${prefix}${firstOrdinal + from}`, portion.subarray(startOf(ends, from) - offset, (ends[from] ?? 0) - offset));
      }
    }
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    signal.throwIfAborted();
    return { messages: this.#before + (await this.#publisher.confirmed(signal)) };
  }

  async finish(end: FileEnd, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#publisher.confirmed(signal);
    if (!end.complete) return;
    const { dataType } = this.#target;
    await sendOne(this.#publisher, `${idPrefix(this.#target)}file_complete`, fileComplete(dataType, end, new Date()), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher[Symbol.asyncDispose]();
  }
}

/** Sends one message and waits for its confirm. */
export async function sendOne(publisher: Publisher, id: string, body: Buffer, signal: AbortSignal): Promise<void> {
  await publisher.reserve(Uint32Array.of(body.length), 0, signal);
  publisher.send(id, body);
  await publisher.confirmed(signal);
}
