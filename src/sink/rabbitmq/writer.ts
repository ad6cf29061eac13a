import { type Batch, CHANGE_TYPES, type SinkPosition, startOf } from "../../model.ts";
import type { FileEnd, SinkWriter, Target } from "../sink.ts";
import { withChangeMembers } from "./change-members.ts";
import { changeHeaders, fileComplete, idPrefix } from "./messages.ts";
import type { Notifier } from "./notifier.ts";
import { type Publisher, sendOne } from "./publisher.ts";

/** What the writer of a target works with. */
export interface WriterParts {
  readonly target: Target;
  readonly publisher: Publisher;
  readonly notifier: Notifier;
  /** Messages of records that were confirmed before this run. */
  readonly before: number;
  readonly changeTypeInBody: boolean;
}

/** Sends the records of one target, each as a message whose id names it for good: version, data type and ordinal. */
export class RabbitWriter implements SinkWriter {
  readonly #parts: WriterParts;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { target, publisher, notifier, changeTypeInBody } = this.#parts;
    const { firstOrdinal, changes } = batch;
    const { bytes, ends } = changeTypeInBody ? withChangeMembers(batch) : batch;
    const headers = changes === null ? null : CHANGE_TYPES.map((change) => changeHeaders(change, changes.run));
    const prefix = idPrefix(target);
    for (let from = 0; from < ends.length; ) {
      const to = await publisher.reserve(ends, from, signal);
      const offset = startOf(ends, from);
      // Copied, since the batch's memory is used again while messages may have to be sent once more.
      const portion = Buffer.from(bytes.subarray(offset, ends[to - 1]));
      for (; from < to; from += 1) {
        const body = portion.subarray(startOf(ends, from) - offset, (ends[from] ?? 0) - offset);
        publisher.send(`${prefix}${firstOrdinal + from}`, body, headers?.[changes?.kinds[from] ?? 0] ?? null);
      }
    }
    await notifier.note(batch, signal);
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    signal.throwIfAborted();
    const { publisher, notifier, before } = this.#parts;
    const [records, told] = await Promise.all([publisher.confirmed(signal), notifier.confirmed(signal)]);
    return { messages: before + records, ...told };
  }

  async finish(end: FileEnd, signal: AbortSignal): Promise<void> {
    await this.sync(signal);
    if (!end.complete) return;
    const { target, publisher, notifier } = this.#parts;
    await notifier.finish(signal);
    await sendOne(publisher, `${idPrefix(target)}file_complete`, fileComplete(target.dataType, end, new Date()), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#parts.publisher[Symbol.asyncDispose](), this.#parts.notifier[Symbol.asyncDispose]()]);
  }
}
