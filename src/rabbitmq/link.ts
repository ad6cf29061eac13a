import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { Connection, ConnectionOptions } from "rabbitmq-client";
import { DumpError, systemCode } from "../errors.ts";
import type { Condition } from "./condition.ts";
import type { RabbitConfig, TlsFiles } from "./config.ts";
import { connectFailure, lostFailure, type Peer, unavailable } from "./failures.ts";

/** Waits between attempts: drawn from zero to a bound that doubles. */
const WAIT_MS_MIN = 200;
const WAIT_MS_MAX = 5000;
/** How long closing may take before the connection is cut. */
const CLOSE_MS = 2000;

/** How often a connection is tried: so many times in all, or until the time for reconnecting is over. */
export type Patience = { readonly waitsMs: readonly number[] } | "reconnect";

/** Hears how the connection stands. */
export interface LinkEvents {
  /** A connection that stood is gone, even if nobody needs it now; who needs it brings about another. */
  lost(reason: string): void;
  /** The connection is lost or was not made; the next attempt comes after `waitMs`. */
  reconnecting(reason: string, attempt: number, waitMs: number): void;
  /** The connection stands, for the first time or again. */
  connected(): void;
  /** The broker takes nothing for now, or takes again. */
  blocked(reason: string): void;
  unblocked(): void;
}

/**
 * One connection to a broker: down → connecting → up ⇄ blocked → down …, and closed at last. It connects when somebody wants it. The
 * client's own reconnecting is not used: it tells of the first failure only, and cannot be given up.
 */
export class Link implements AsyncDisposable {
  readonly #config: RabbitConfig;
  readonly #events: LinkEvents;
  readonly #changed: Condition;
  readonly #closing = new AbortController();
  #connection: Connection | null = null;
  #connecting: Promise<void> | null = null;
  #blocked = false;
  /** Why the connection was lost; null as long as it has never stood. */
  #lost: { readonly error: unknown } | null = null;

  constructor(config: RabbitConfig, events: LinkEvents, changed: Condition) {
    this.#config = config;
    this.#events = events;
    this.#changed = changed;
  }

  /** The broker has asked for nothing more to be sent. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** The connection stands. */
  get up(): boolean {
    return this.#connection !== null;
  }

  /** The connection, made if it is down. */
  async connection(patience: Patience, signal: AbortSignal): Promise<Connection> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#connection !== null) return this.#connection;
      this.#closing.signal.throwIfAborted();
      this.#connecting ??= this.#connect(patience).finally(() => {
        this.#connecting = null;
      });
      await unlessAborted(this.#connecting, signal);
    }
  }

  async #connect(patience: Patience): Promise<void> {
    const started = performance.now();
    let failure = this.#lost === null ? null : connectFailure(this.#config, this.#lost.error);
    let waits = 0;
    for (let attempt = 1; ; attempt += 1) {
      if (failure !== null) {
        // A broker that has let us in before may refuse anything while it starts.
        if (!failure.isTransient && this.#lost === null) throw failure.error;
        waits += 1;
        const waitMs = this.#waitMs(patience, waits, performance.now() - started);
        if (waitMs === null && patience === "reconnect" && attempt > 1) {
          throw lostFailure(this.#config, failure.reason, performance.now() - started, failure.error);
        }
        if (waitMs === null) throw failure.error;
        this.#events.reconnecting(failure.reason, waits, waitMs);
        await sleep(waitMs, undefined, { signal: this.#closing.signal });
      }
      try {
        return await this.#attempt();
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        failure = connectFailure(this.#config, error);
      }
    }
  }

  /** How long the `wait`-th wait is, from 1; null: there is no further attempt. */
  #waitMs(patience: Patience, wait: number, elapsedMs: number): number | null {
    if (patience !== "reconnect") return patience.waitsMs[wait - 1] ?? null;
    if (elapsedMs >= this.#config.reconnectTimeoutMs) return null;
    const bound = Math.min(WAIT_MS_MIN * 2 ** Math.min(wait - 1, 16), WAIT_MS_MAX);
    return Math.round(bound / 2 + (Math.random() * bound) / 2);
  }

  async #attempt(): Promise<void> {
    const options = await optionsOf(this.#config);
    const client = await import("rabbitmq-client");
    this.#closing.signal.throwIfAborted();
    const connection = new client.Connection(options);
    await new Promise<void>((resolve, reject) => {
      const onClosing = () => {
        connection.unsafeDestroy();
        reject(this.#closing.signal.reason);
      };
      this.#closing.signal.addEventListener("abort", onClosing, { once: true });
      connection.on("connection", () => {
        this.#closing.signal.removeEventListener("abort", onClosing);
        this.#connection = connection;
        this.#lost = null;
        this.#events.connected();
        this.#changed.notify();
        resolve();
      });
      // Told once for each connection, as the last thing it does before it would try again.
      connection.on("error", (error: unknown) => {
        this.#closing.signal.removeEventListener("abort", onClosing);
        connection.unsafeDestroy();
        reject(error);
        if (this.#connection === connection) this.#down(error);
      });
      connection.on("connection.blocked", (reason: string) => {
        if (this.#connection === connection) this.#block(reason);
      });
      connection.on("connection.unblocked", () => {
        if (this.#connection === connection) this.#unblock();
      });
    });
  }

  /** Cuts a connection that stands, but on which the broker leaves something unanswered; nothing if it is another by now. */
  drop(connection: Connection, error: Error): void {
    if (this.#connection !== connection) return;
    connection.unsafeDestroy();
    this.#down(error);
  }

  #down(error: unknown): void {
    this.#connection = null;
    this.#lost = { error };
    this.#events.lost(connectFailure(this.#config, error).reason); // at once: it may be long before anybody connects again
    this.#unblock();
    this.#changed.notify();
  }

  #block(reason: string): void {
    if (!this.#blocked) this.#events.blocked(reason);
    this.#blocked = true;
  }

  #unblock(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#events.unblocked();
    this.#changed.notify();
  }

  /** Closes the connection; whoever waits for it is broken off. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(unavailable(this.#config, "closed"));
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return;
    if (!this.#blocked) await withinTime(connection.close(), CLOSE_MS); // a blocked one would wait for the broker to read on
    connection.unsafeDestroy();
  }
}

async function optionsOf(config: RabbitConfig): Promise<ConnectionOptions> {
  const { host, port, username, password, vhost, heartbeatSeconds, connectionTimeoutMs, tls } = config;
  return {
    hostname: host,
    port,
    username,
    password,
    vhost,
    heartbeat: heartbeatSeconds,
    connectionTimeout: connectionTimeoutMs,
    connectionName: "deadwax",
    noDelay: true,
    ...(tls === null ? {} : { tls: await tlsOptionsOf(tls, config) }),
  };
}

async function tlsOptionsOf({ cacertfile, certfile, keyfile, verifyPeer }: TlsFiles, { role, name }: Peer): Promise<TlsOptions> {
  const read = async (setting: string, path: string) => {
    try {
      return await readFile(path);
    } catch (error) {
      const text = `${role} ${name}: the ${setting} ${path} cannot be read (${systemCode(error) ?? "unknown"}); correct the path or its permissions`;
      throw new DumpError("CONFIG_INVALID", text, { cause: error });
    }
  };
  return {
    rejectUnauthorized: verifyPeer,
    ...(cacertfile === null ? {} : { ca: await read("cacertfile", cacertfile) }),
    ...(certfile === null ? {} : { cert: await read("certfile", certfile) }),
    ...(keyfile === null ? {} : { key: await read("keyfile", keyfile) }),
  };
}

/** The promise, or the signal's reason if that comes first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Resolves when the promise settles, one way or the other, or the time is over. */
export async function withinTime(promise: Promise<unknown>, timeMs: number): Promise<void> {
  const timer = new AbortController();
  await Promise.race([promise.catch(() => {}), sleep(timeMs, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
}
