import { randomBytes } from "node:crypto";
import type { ExtractionComplete } from "../consume/content.ts";
import { type BatchTarget, type Delivery, RecordRefused, TargetUnavailable } from "../consume/target.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import type { PostgresConfig } from "../postgres/config.ts";
import { failureKind, reasonOf } from "../postgres/failures.ts";
import { buildIndexes, type IndexEvents } from "../postgres/indexes.ts";
import { checkedKeys } from "../postgres/keys.ts";
import { Loader, type PortionFacts } from "../postgres/loader.ts";
import { requireMigrated } from "../postgres/migrations.ts";
import { type Portion, PortionBuilder } from "../postgres/portion.ts";
import { purge } from "../postgres/purge.ts";
import { forgetSeen } from "../postgres/seen.ts";
import { Session, type SessionEvents } from "../postgres/session.ts";
import { endRecords } from "../postgres/tombstones.ts";
import type { ConsumerEvents } from "../telemetry/consumer-events.ts";
import { versionOf, versionOfFile } from "./message-id.ts";

const RUN_BYTES = 4;
/** Of records whose messages do not say which version they belong to. */
const NO_VERSION = "";

/** The connection of a data type, and what stores its records. */
interface Table {
  readonly session: Session;
  readonly loader: Loader;
  /** Messages without a version came since the last extraction_complete. */
  isAnonymous: boolean;
}

/** Stores records in the tables of upstream's table writer; a connection for each data type. */
export class PostgresTarget implements BatchTarget, AsyncDisposable {
  readonly #config: PostgresConfig;
  readonly #events: ConsumerEvents;
  readonly #tables: ReadonlyMap<DataType, Table>;

  constructor(config: PostgresConfig, events: ConsumerEvents) {
    this.#config = config;
    this.#events = events;
    const run = randomBytes(RUN_BYTES).toString("hex");
    this.#tables = new Map(
      DATA_TYPES.map((dataType) => {
        const session = new Session(config, sessionEvents(dataType, events));
        return [dataType, { session, loader: new Loader(session, config, { dataType, run, position: null }), isAnonymous: false }];
      }),
    );
  }

  /** Proves that the database can be reached and has the tables; throws SINK_UNAVAILABLE. */
  async check(signal: AbortSignal): Promise<void> {
    const { schema, name } = this.#config;
    await this.#table("artists").session.run("cannot be used", (client) => requireMigrated(client, schema, name), signal);
  }

  async commit(dataType: DataType, records: readonly Delivery[], signal: AbortSignal): Promise<void> {
    const portion = portionOf(records);
    const keys = checkedKeys(portion);
    if (keys.bad.length > 0) throw new RecordRefused(`${keys.bad.length} records cannot be stored`, keys.bad);
    // What was seen tells the purge what has vanished, and a tombstone that comes late what came back. The ids of each version are remembered apart. Two in a batch are rare; what was committed of the first is found unchanged if it comes again.
    const versions = records.map(({ messageId }) => versionOf(messageId, dataType) ?? NO_VERSION);
    const [first = NO_VERSION] = versions;
    if (versions.includes(NO_VERSION)) this.#table(dataType).isAnonymous = true;
    if (versions.every((version) => version === first)) return await this.#store(dataType, portion, { keys, seenIn: first }, signal);
    for (let from = 0; from < records.length; ) {
      const seenIn = versions[from] ?? NO_VERSION;
      const behind = versions.findIndex((version, index) => index > from && version !== seenIn);
      const to = behind === -1 ? records.length : behind;
      await this.#store(dataType, portionOf(records.slice(from, to)), { seenIn }, signal);
      from = to;
    }
  }

  /** Deletes what tombstones that came too early mean, and builds the indexes that are missing: a table that was empty is loaded without them. */
  async fileComplete(dataType: DataType, { file, messageId }: Parameters<BatchTarget["fileComplete"]>[1], signal: AbortSignal): Promise<void> {
    // The file may have any name where its version was given.
    const version = versionOf(messageId, dataType) ?? versionOfFile(file);
    if (version !== null) {
      const what = `tombstones of ${dataType} cannot be applied`;
      const deleted = await passing(this.#table(dataType).session.run(what, (client) => endRecords(client, dataType, version), signal));
      this.#events.buried(dataType, { ...deleted, waiting: 0 });
    }
    const heard: IndexEvents = {
      building: (name) => this.#events.told(`Building the index ${name}`),
      built: (name, seconds) => this.#events.told(`Built the index ${name} in ${seconds.toFixed(1)} s`),
      leftOut: (name, reason) => this.#events.warned(`The index ${name} is left out: ${reason}`),
    };
    const { session } = this.#table(dataType);
    await passing(session.run(`the indexes of ${dataType} cannot be built`, (client) => buildIndexes(client, this.#config.schema, dataType, heard), signal));
  }

  /** Deletes what the version no longer has; ids that were seen without a version count for this one, and are forgotten with it. */
  async extractionComplete(dataType: DataType, { version, recordCounts }: ExtractionComplete, deadLettered: boolean, signal: AbortSignal): Promise<void> {
    if (!this.#config.purge) return;
    const table = this.#table(dataType);
    const records = recordCounts[dataType] ?? 0;
    if (deadLettered) this.#events.warned(`${dataType}: nothing is deleted: a message of it went to the dead letters`);
    else {
      const request = { version: table.isAnonymous ? NO_VERSION : version, dataType, records, shareMax: this.#config.purgeMax };
      const purged = await passing(table.session.run(`${dataType} cannot be purged`, (client) => purge(client, request), signal));
      if ("kept" in purged) this.#events.warned(`${dataType}: nothing is deleted: ${purged.kept}`);
      else this.#events.purged(dataType, purged.deleted, version);
    }
    await passing(table.session.run(`${dataType} cannot be purged`, (client) => forgetSeen(client, NO_VERSION, dataType), signal));
    table.isAnonymous = false;
  }

  async #store(dataType: DataType, portion: Portion, about: PortionFacts, signal: AbortSignal): Promise<void> {
    const loaded = await passing(this.#table(dataType).loader.commit(portion, { ...about, besideTombstones: true }, signal));
    this.#events.stored(dataType, loaded);
    if (loaded.replaced > 0) {
      this.#events.warned(`${dataType}: in ${loaded.replaced} documents NUL or half a surrogate pair became U+FFFD: jsonb cannot hold them`);
    }
  }

  #table(dataType: DataType): Table {
    const table = this.#tables.get(dataType);
    if (table === undefined) throw new Error(`no table for ${dataType}`);
    return table;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#tables.values()].map(({ session }) => session[Symbol.asyncDispose]()));
  }
}

function portionOf(records: readonly Delivery[]): Portion {
  const builder = new PortionBuilder(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  for (const { body } of records) builder.takeOne(body);
  return builder.build();
}

/** Failures as the consumer tells them apart: of the records, or of everything else, which it waits for. */
async function passing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (failureKind(error) === "data") throw new RecordRefused(reasonOf(error), [], { cause: error });
    throw new TargetUnavailable(reasonOf(error), { cause: error });
  }
}

/** What a connection for `dataType`, or something else, tells goes to the log; that records cannot be stored is told by who waits for it. */
export function sessionEvents(dataType: string, events: ConsumerEvents): SessionEvents {
  return {
    connected: () => events.told(`Connected to PostgreSQL for ${dataType}`),
    lost: (reason) => events.warned(`Lost the connection to PostgreSQL for ${dataType}: ${reason}`),
    reconnecting: (reason, attempt, waitMs) =>
      events.warned(`Connecting to PostgreSQL again for ${dataType} in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt}): ${reason}`),
    blocked: (reason) => events.warned(`PostgreSQL does not answer for ${dataType}: ${reason}`),
    unblocked: () => events.told(`PostgreSQL answers again for ${dataType}`),
  };
}
