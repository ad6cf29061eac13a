import { type Batch, type SinkPosition, tombstonesOf } from "../../model.ts";
import type { FileEnd, SinkEvents, SinkWriter, Target } from "../sink.ts";
import { idPrefix, notification, tombstoneHeaders } from "./messages.ts";
import { type Publisher, sendAll } from "./publisher.ts";

/**
 * Sends the tombstones of one target where changes are told, each as upstream's five fields, with the record's hash beside them; never
 * where records go, since whoever expects a record there would store it. Nobody needs to listen.
 */
export class TombstoneWriter implements SinkWriter {
  readonly #target: Target;
  readonly #publisher: Publisher;
  readonly #events: SinkEvents;
  /** Tombstones of the target that were confirmed before this run. */
  readonly #before: number;

  constructor(target: Target, publisher: Publisher, before: number, events: SinkEvents) {
    this.#target = target;
    this.#publisher = publisher;
    this.#before = before;
    this.#events = events;
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const prefix = idPrefix(this.#target);
    const messages = tombstonesOf(batch).map((tombstone, index) => ({
      id: `${prefix}${batch.firstOrdinal + index}/deleted`,
      body: notification(tombstone),
      headers: tombstoneHeaders(tombstone),
    }));
    await sendAll(this.#publisher, messages, signal);
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    signal.throwIfAborted();
    return { messages: this.#before + (await this.#publisher.confirmed(signal)) };
  }

  async finish(_end: FileEnd, signal: AbortSignal): Promise<void> {
    const { messages } = await this.sync(signal);
    this.#events.told(`${this.#target.dataType}: ${messages} tombstones are sent`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher[Symbol.asyncDispose]();
  }
}
