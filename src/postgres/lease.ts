import { DumpError } from "../errors.ts";
import type { DataType } from "../model.ts";
import type { PostgresConfig } from "./config.ts";
import type { PostgresClient } from "./connect.ts";
import { beat, type Holder, readHolder } from "./processing-runs.ts";
import { Session, type SessionEvents } from "./session.ts";

/** What is held: a row of processing_state. */
export interface LeaseKey {
  readonly state: number;
  readonly dataType: DataType;
}

const HEARTBEAT_MS = 10_000;
/** In the namespace of one schema; other programs of the database may use advisory locks too. */
const TRY = "SELECT pg_try_advisory_lock(hashtextextended(format('deadwax state %s.%s', current_schema(), $1::integer), 0)) AS taken";

/** The right to process data types, each held by one process at a time: locks of a session of its own, which go with it, and a heartbeat for who looks. */
export class Lease implements AsyncDisposable {
  readonly #session: Session;
  readonly #keys: readonly LeaseKey[];
  readonly #runs = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #ended = new AbortController();
  #client: PostgresClient | null = null;
  /** Another process has taken it, as of the last heartbeat. */
  #lost: DumpError | null = null;
  #beating: Promise<void> = Promise.resolve();

  private constructor(session: Session, keys: readonly LeaseKey[]) {
    this.#session = session;
    this.#keys = keys;
    const onFailure = (error: unknown) => {
      if (error instanceof DumpError && error.code === "STATE_LOCKED") this.#lost = error; // all else may pass until it is needed
    };
    this.#timer = setInterval(() => void this.renew().catch(onFailure), HEARTBEAT_MS);
    this.#timer.unref();
  }

  /** Takes all of them; throws STATE_LOCKED where another process has one. */
  static async take(config: PostgresConfig, keys: readonly LeaseKey[], events: SessionEvents): Promise<Lease> {
    const lease = new Lease(new Session(config, events), keys);
    try {
      await lease.renew();
      return lease;
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** From now on heartbeats are of this run, too. */
  add(run: string): void {
    this.#runs.add(run);
  }

  /** Throws STATE_LOCKED if another process is known to have taken it; asks nobody. */
  assertHeld(): void {
    if (this.#lost !== null) throw this.#lost;
  }

  /** Makes sure that it is still held, whatever has become of the connection; throws STATE_LOCKED where another process has taken it meanwhile. */
  async renew(): Promise<void> {
    const before = this.#beating;
    this.#beating = (async () => {
      await before.catch(() => {});
      await this.#session.run("the lease cannot be renewed", (client) => this.#hold(client), this.#ended.signal);
    })();
    await this.#beating;
  }

  async #hold(client: PostgresClient): Promise<void> {
    // Locks end with their connection.
    if (this.#client !== client) for (const key of this.#keys) await lock(client, key, this.#runs);
    this.#client = client;
    this.#lost = null;
    await beat(client, [...this.#runs]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#ended.abort();
    await this.#session[Symbol.asyncDispose]();
    await this.#beating.catch(() => {});
  }
}

/** Takes a lock, or says who has it; `own` are runs of this process. */
async function lock(client: PostgresClient, { state, dataType }: LeaseKey, own: ReadonlySet<string>): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>(TRY, [state]);
  if (rows[0]?.taken === true) return;
  const holder = await readHolder(client, state);
  if (holder !== null && own.has(holder.id)) {
    throw new DumpError("STATE_UNAVAILABLE", `${dataType}: the server still holds the lock of a connection that was lost; run again in a while`);
  }
  const who = describe(holder);
  throw new DumpError("STATE_LOCKED", `${dataType} is processed by ${who}: wait until that run ends, or end it`);
}

function describe(holder: Holder | null): string {
  if (holder === null) return "another process, which has begun no run yet";
  const { id, host, pid, started_at, heartbeat_at } = holder;
  return `pid ${pid} on ${host} since ${started_at.toISOString()} (run ${id}, last heard of at ${heartbeat_at.toISOString()})`;
}
