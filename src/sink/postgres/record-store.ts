import type { PostgresConfig } from "../../postgres/config.ts";
import { buildIndexes, type IndexEvents, lacksIndexes } from "../../postgres/indexes.ts";
import type { Loader } from "../../postgres/loader.ts";
import type { Portion } from "../../postgres/portion.ts";
import type { Session } from "../../postgres/session.ts";
import type { SinkEvents, Target } from "../sink.ts";
import type { PortionStore } from "./writer.ts";

/** What stores the records of a target. */
export interface RecordStoreParts {
  readonly target: Target;
  readonly config: PostgresConfig;
  readonly session: Session;
  readonly loader: Loader;
  readonly events: SinkEvents;
}

/** Stores records as rows, and builds the indexes behind the first load. */
export class RecordStore implements PortionStore {
  readonly #parts: RecordStoreParts;
  #inserted = 0;
  #updated = 0;
  #unchanged = 0;
  #refused = 0;

  constructor(parts: RecordStoreParts) {
    this.#parts = parts;
  }

  get records(): number {
    return this.#parts.loader.records;
  }

  async commit(portion: Portion, upTo: number, signal: AbortSignal): Promise<void> {
    const { target, config, loader, events } = this.#parts;
    const loaded = await loader.commit(portion, { seenIn: config.purge ? target.version : null, upTo }, signal);
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
  }

  async finish(signal: AbortSignal): Promise<string> {
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
    const refused = this.#refused === 0 ? "" : `, ${this.#refused} records not stored`;
    return `${this.#inserted} rows inserted, ${this.#updated} updated, ${this.#unchanged} left as they were${refused}`;
  }
}
