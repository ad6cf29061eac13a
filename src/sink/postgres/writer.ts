import type { Batch, SinkPosition } from "../../model.ts";
import type { PostgresConfig } from "../../postgres/config.ts";
import { refusal } from "../../postgres/failures.ts";
import { buildIndexes, type IndexEvents, lacksIndexes } from "../../postgres/indexes.ts";
import type { Loader } from "../../postgres/loader.ts";
import { type Portion, PortionBuilder } from "../../postgres/portion.ts";
import type { Session } from "../../postgres/session.ts";
import type { FileEnd, SinkEvents, SinkWriter, Target } from "../sink.ts";

/** What the writer of a target works with. */
export interface WriterParts {
  readonly target: Target;
  readonly config: PostgresConfig;
  readonly session: Session;
  readonly loader: Loader;
  readonly events: SinkEvents;
}

/**
 * Stores the records of one target, portion by portion and in order: while one is committed the next one is gathered. What the database
 * has by its own account is not stored again, whatever the state marker thinks.
 */
export class PostgresWriter implements SinkWriter {
  readonly #parts: WriterParts;
  /** Records of the target that were accepted: the ordinal of the next one. */
  #accepted: number;
  #gathering: PortionBuilder;
  /** The last commit that was begun; each waits for the one before it. */
  #committing: Promise<void> = Promise.resolve();
  #inserted = 0;
  #updated = 0;
  #unchanged = 0;
  #refused = 0;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#accepted = parts.loader.records;
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
    return { records: this.#parts.loader.records };
  }

  async finish(_end: FileEnd, signal: AbortSignal): Promise<void> {
    await this.sync(signal);
    const { target, config, session, loader, events } = this.#parts;
    const { dataType } = target;
    const what = `the indexes of ${dataType} cannot be built`;
    // A first load that was broken off and begun afresh finds its own rows there.
    const isFirst = loader.isFirstLoad || (await session.run(what, (client) => lacksIndexes(client, config.schema, dataType), signal));
    if (isFirst) {
      const heard: IndexEvents = {
        building: (name) => events.told(`building the index ${name}`),
        built: (name, seconds) => events.told(`built the index ${name} in ${seconds.toFixed(1)} s`),
        leftOut: (name, reason) => events.warned(`the index ${name} is left out: ${reason}`),
      };
      await session.run(what, (client) => buildIndexes(client, config.schema, dataType, heard), signal, true);
    }
    await session[Symbol.asyncDispose](); // the staging table goes with it
    const refused = this.#refused === 0 ? "" : `, ${this.#refused} records not stored`;
    events.told(`${dataType}: ${this.#inserted} rows inserted, ${this.#updated} updated, ${this.#unchanged} left as they were${refused}`);
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
    const { target, config, loader, events } = this.#parts;
    const loading = loader.commit(portion, { seenIn: config.purge ? target.version : null, upTo }, signal);
    const loaded = await loading.catch((error: unknown) => {
      throw refusal(config.name, `${target.dataType} cannot be stored`, error) ?? error;
    });
    this.#inserted += loaded.inserted;
    this.#updated += loaded.updated;
    this.#unchanged += loaded.unchanged;
    if (loaded.replaced > 0) {
      events.warned(`${target.dataType}: in ${loaded.replaced} documents NUL or half a surrogate pair became U+FFFD: jsonb cannot hold them`);
    }
    if (loaded.refused !== null) {
      this.#refused += loaded.refused.records;
      events.warned(`${target.dataType}: ${loaded.refused.records} records are not stored: ${loaded.refused.reason}`);
    }
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
