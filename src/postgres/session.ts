import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresConfig } from "./config.ts";
import { connect, disconnect, type PostgresClient } from "./connect.ts";
import { failureKind, postgresFailure, reasonOf } from "./failures.ts";

/** Hears what happens to the connection; the session goes on by itself. */
export interface SessionEvents {
  lost(reason: string): void;
  reconnecting(reason: string, attempt: number, waitMs: number): void;
  connected(): void;
  blocked(reason: string): void;
  unblocked(): void;
  /** Nobody wants the connection any more, however it stands. */
  closed?(): void;
}

export interface SessionOptions {
  /** Work that takes longer is told of. */
  readonly slowMs?: number;
  /** The server has answered before, on another connection: it is waited for as long as for one that was lost. */
  readonly hasStood?: boolean;
}

/** What is done on a connection; `attempt` counts from 1. */
type Work<T> = (client: PostgresClient, attempt: number) => Promise<T>;

/** Waits between attempts: a bound that doubles, and of it between a half and the whole. */
const WAIT_MS_MIN = 200;
const WAIT_MS_MAX = 5000;
/** Patience with a server that starts beside us, as long as it has never answered. */
const FIRST_ATTEMPTS = 3;
const FIRST_WAIT_MS = 1000;
/** Work that takes longer is told of: somebody may hold a lock. */
const SLOW_MS = 30_000;

/**
 * One connection, made when it is wanted and made again when it breaks. Work is given as a whole: what fails in passing is done once
 * more from its beginning, so it has to be something that may be done twice, such as a transaction.
 */
export class Session implements AsyncDisposable {
  readonly #config: PostgresConfig;
  readonly #events: SessionEvents;
  readonly #slowMs: number;
  #client: PostgresClient | null = null;
  #hasStood: boolean;
  readonly #closing = new AbortController();

  constructor(config: PostgresConfig, events: SessionEvents, { slowMs = SLOW_MS, hasStood = false }: SessionOptions = {}) {
    this.#config = config;
    this.#slowMs = slowMs;
    this.#hasStood = hasStood;
    this.#events = events;
  }

  /** Whether the connection stands. */
  get isUp(): boolean {
    return this.#client !== null;
  }

  /**
   * Does some work on the connection. Failures in passing are tried again until the time for reconnecting is
   * over; failures of data come as they are, for who can do something about the record; all others as SINK_UNAVAILABLE with `what` failed.
   * Work that `takesLong` as a rule, such as building an index, says nothing of locks.
   */
  async run<T>(what: string, work: Work<T>, signal: AbortSignal, takesLong = false): Promise<T> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    let failingSince: number | null = null;
    for (let attempt = 1; ; attempt += 1) {
      ended.throwIfAborted();
      try {
        return await this.#attempt((client) => work(client, attempt), ended, takesLong);
      } catch (error) {
        ended.throwIfAborted();
        const kind = failureKind(error);
        if (kind === "data") throw error;
        failingSince ??= performance.now();
        const waitMs = kind === "transient" ? this.#waitMs(attempt, performance.now() - failingSince) : null;
        if (waitMs === null) throw postgresFailure(this.#config.name, what, error);
        this.#events.reconnecting(reasonOf(error), attempt, waitMs);
        await sleep(waitMs, undefined, { signal: ended });
      }
    }
  }

  /** How long to wait before the next attempt; null: there is none. */
  #waitMs(attempt: number, failingMs: number): number | null {
    if (!this.#hasStood) return attempt < FIRST_ATTEMPTS ? attempt * FIRST_WAIT_MS : null;
    if (failingMs >= this.#config.reconnectTimeoutMs) return null;
    const bound = Math.min(WAIT_MS_MIN * 2 ** Math.min(attempt - 1, 16), WAIT_MS_MAX);
    return Math.round(bound / 2 + (Math.random() * bound) / 2);
  }

  async #attempt<T>(work: (client: PostgresClient) => Promise<T>, signal: AbortSignal, takesLong: boolean): Promise<T> {
    const client = await this.#connected(signal);
    let isSlow = false;
    const tellSlow = () => {
      isSlow = true;
      this.#events.blocked(`no answer for ${this.#slowMs / 1000} s; somebody may hold a lock`);
    };
    const slow = takesLong ? undefined : setTimeout(tellSlow, this.#slowMs);
    const breakOff = () => void disconnect(client);
    signal.addEventListener("abort", breakOff, { once: true });
    try {
      return await work(client);
    } catch (error) {
      // What a refused record leaves is rolled back; of all else nobody knows what it left, and it goes with the connection.
      if (failureKind(error) !== "data") await this.#drop(client, reasonOf(error));
      throw error;
    } finally {
      signal.removeEventListener("abort", breakOff);
      clearTimeout(slow);
      if (isSlow) this.#events.unblocked();
    }
  }

  async #connected(signal: AbortSignal): Promise<PostgresClient> {
    if (this.#client !== null) return this.#client;
    const client: PostgresClient = await connect(this.#config, (error) => void this.#drop(client, reasonOf(error)), signal);
    if (signal.aborted) await disconnect(client); // nobody holds it yet
    signal.throwIfAborted();
    this.#client = client;
    this.#hasStood = true;
    this.#events.connected();
    return client;
  }

  async #drop(client: PostgresClient, reason: string): Promise<void> {
    if (this.#client === client) {
      this.#client = null;
      this.#events.lost(reason);
    }
    await disconnect(client);
  }

  /** Ends the connection; work under way fails, also where it waits for a server to come back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const client = this.#client;
    this.#client = null;
    if (client !== null) await disconnect(client);
    this.#events.closed?.();
  }
}
