import type { Batch, SinkPosition } from "../../model.ts";
import type { PostgresConfig } from "../../postgres/config.ts";
import { refusal } from "../../postgres/failures.ts";
import { type Portion, PortionBuilder } from "../../postgres/portion.ts";
import type { Session } from "../../postgres/session.ts";
import type { FileEnd, SinkEvents, SinkWriter, Target } from "../sink.ts";

/** Takes the bodies of one stream into the database, each portion in a transaction with the position behind it. */
export interface PortionStore {
  /** Bodies of the target that are stored, by the database's own account. */
  readonly records: number;
  /** Stores a portion that ends with the `upTo`-th body of the target. */
  commit(portion: Portion, upTo: number, signal: AbortSignal): Promise<void>;
  /** The target is at its end; resolves with what has become of it, in words. */
  finish(signal: AbortSignal): Promise<string>;
}

/** What the writer of a target works with. */
export interface WriterParts {
  readonly target: Target;
  readonly config: PostgresConfig;
  readonly session: Session;
  readonly store: PortionStore;
  readonly events: SinkEvents;
}

/**
 * Stores the bodies of one target, portion by portion and in order: while one is committed the next one is gathered. What the database
 * has by its own account is not stored again, whatever the state marker thinks.
 */
export class PostgresWriter implements SinkWriter {
  readonly #parts: WriterParts;
  /** Bodies of the target that were accepted: the ordinal of the next one. */
  #accepted: number;
  #gathering: PortionBuilder;
  /** The last commit that was begun; each waits for the one before it. */
  #committing: Promise<void> = Promise.resolve();

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#accepted = parts.store.records;
    this.#gathering = this.#newPortion();
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { ends, firstOrdinal } = batch;
    for (let from = Math.max(0, this.#accepted - firstOrdinal); from < ends.length; ) {
      from = this.#gathering.take(batch, from);
      this.#accepted = firstOrdinal + from;
      if (!this.#gathering.isFull) continue;
      await this.#committing; // two portions at a time: one on its way, one that fills
      this.#commitGathered(signal);
    }
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    signal.throwIfAborted();
    this.#commitGathered(signal);
    await this.#committing;
    return { records: this.#parts.store.records };
  }

  async finish(_end: FileEnd, signal: AbortSignal): Promise<void> {
    await this.sync(signal);
    const { target, session, store, events } = this.#parts;
    const outcome = await store.finish(signal);
    await session[Symbol.asyncDispose](); // the staging table goes with it
    events.told(`${target.dataType}: ${outcome}`);
  }

  /** Begins to commit what was gathered, behind what is being committed. */
  #commitGathered(signal: AbortSignal): void {
    if (this.#gathering.records === 0) return;
    const portion = this.#gathering.build();
    this.#gathering = this.#newPortion();
    const upTo = this.#accepted;
    const before = this.#committing;
    this.#committing = (async () => {
      await before;
      await this.#commit(portion, upTo, signal);
    })();
    this.#committing.catch(() => {}); // whoever writes, syncs or finishes next is told
  }

  async #commit(portion: Portion, upTo: number, signal: AbortSignal): Promise<void> {
    const { target, config, store, events } = this.#parts;
    await store.commit(portion, upTo, signal).catch((error: unknown) => {
      throw refusal(config.name, `${target.dataType} cannot be stored`, error) ?? error;
    });
    events.confirmed(portion.ends.length, portion.bytes.length);
  }

  #newPortion(): PortionBuilder {
    const { portionBytes, portionRecords } = this.#parts.config;
    return new PortionBuilder(portionBytes, portionRecords);
  }

  /** What is not committed is rolled back by the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.session[Symbol.asyncDispose]();
    await this.#committing.catch(() => {});
  }
}
