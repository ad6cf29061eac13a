import { randomBytes } from "node:crypto";
import { DATA_TYPES, type SinkPosition } from "../../model.ts";
import { type PostgresConfig, parsePostgresUrl } from "../../postgres/config.ts";
import { Deleter } from "../../postgres/deletions.ts";
import { refusal } from "../../postgres/failures.ts";
import { Loader } from "../../postgres/loader.ts";
import { requireMigrated } from "../../postgres/migrations.ts";
import { isKnown, type Position, type PositionKey, takeOver } from "../../postgres/position.ts";
import { purge } from "../../postgres/purge.ts";
import { Session } from "../../postgres/session.ts";
import type { Sink, SinkEvents, SinkWriter, Target, VersionEnd } from "../sink.ts";
import { PositionLostError } from "../sink-errors.ts";
import { Connections } from "./connections.ts";
import { DeletionStore } from "./deletion-store.ts";
import { RecordStore } from "./record-store.ts";
import { type PortionStore, PostgresWriter } from "./writer.ts";

const RUN_BYTES = 4;

/** Opens the sink of a `postgres:` or `postgresql:` URL. */
export function openPostgresSink(url: string, events: SinkEvents): PostgresSink {
  return new PostgresSink(parsePostgresUrl(url), events);
}

/** Stores records in the tables of upstream's table writer, each exactly once: the position is committed with the rows. A connection for each data type. */
export class PostgresSink implements Sink {
  readonly name: string;
  readonly resumable = true;
  readonly #config: PostgresConfig;
  readonly #events: SinkEvents;
  readonly #connections: Connections;
  /** The server has answered: from then on every connection of the run waits for it. */
  #hasStood = false;
  readonly #run = randomBytes(RUN_BYTES).toString("hex");

  constructor(config: PostgresConfig, events: SinkEvents) {
    this.name = config.name;
    this.#config = config;
    this.#events = events;
    this.#connections = new Connections(events);
  }

  async check(signal: AbortSignal): Promise<void> {
    await using session = this.#session();
    await session.run("cannot be used", (client) => requireMigrated(client, this.#config.schema, this.name), signal);
    this.#hasStood = true;
  }

  /** What was committed stands in the tables, unless the database was made anew; rows that somebody has deleted since are theirs to miss. */
  async holds(target: Target): Promise<boolean> {
    await using session = this.#session();
    return await session.run("cannot be read", (client) => isKnown(client, keyOf(target)), new AbortController().signal);
  }

  /** With `purge=on`, deletes what the version no longer has. */
  async announce({ version, recordCounts }: VersionEnd, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#config.purge) return;
    await using session = this.#session();
    for (const dataType of DATA_TYPES) {
      const request = { version, dataType, records: recordCounts[dataType], shareMax: this.#config.purgeMax };
      const what = `${dataType} cannot be purged`;
      const purged = await session
        .run(what, (client) => purge(client, request), signal, true)
        .catch((error: unknown) => {
          throw refusal(this.name, what, error) ?? error;
        });
      if ("kept" in purged) this.#events.warned(`${dataType}: nothing is deleted: ${purged.kept}`);
      else this.#events.told(`${dataType}: deleted ${purged.deleted} rows that version ${version} no longer has`);
    }
  }

  async open(target: Target, position: SinkPosition | null, signal: AbortSignal): Promise<SinkWriter> {
    const { version, dataType } = target;
    const atLeast = position === null ? null : positionRecords(position);
    const session = this.#session();
    try {
      const taken = await session.run(`${dataType} cannot be opened`, (client) => takeOver(client, keyOf(target), this.#run, atLeast), signal);
      if (taken === null) throw new PositionLostError("SINK_UNAVAILABLE", `sink ${this.name}: does not hold ${atLeast} records of ${dataType} ${version}`);
      return new PostgresWriter({ target, config: this.#config, session, store: this.#store(target, session, taken), events: this.#events });
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  #store(target: Target, session: Session, position: Position): PortionStore {
    if (target.stream === "deletions") return new DeletionStore(new Deleter(session, position));
    const config = this.#config;
    const loader = new Loader(session, config, { dataType: target.dataType, run: this.#run, position });
    return new RecordStore({ target, config, session, loader, events: this.#events });
  }

  #session(): Session {
    return new Session(this.#config, this.#connections.next(), { hasStood: this.#hasStood });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Writers hold their own connections.
  }
}

function keyOf({ version, dataType, contract, stream }: Target): PositionKey {
  return { version, dataType, contract, stream };
}

function positionRecords({ records }: SinkPosition): number {
  return typeof records === "number" ? records : Number.POSITIVE_INFINITY; // a position of something else is not held
}
