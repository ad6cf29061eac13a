import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import { formatCount } from "./format.ts";
import type { LabelValue } from "./metric-names.ts";
import type { Metrics } from "./metrics.ts";

/** Evictions are logged this often at most; a flood of connections is not to become a flood of lines. */
const EVICTION_LOG_EVERY_MS = 60_000;

/** What happens at the HTTP port. There is no access log: requests are counted. */
export class ServerEvents {
  readonly #log: Logger;
  readonly #metrics: Metrics | null;
  readonly #clock: Clock;
  #evictedUntold = 0;
  #evictionToldAt = -Infinity;

  constructor(log: Logger, metrics: Metrics | null, clock: Clock) {
    this.#log = log;
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /** `isTriggerOpen`: there is no token, so that whoever reaches the port can start a run. */
  listening(host: string, port: number, isTriggerOpen: boolean): void {
    this.#log.info({ host, port }, `🏥 Health server listening on ${address(host, port)}`);
    if (isTriggerOpen) this.#log.warn({ port }, `⚠️ POST /trigger takes requests from whoever reaches port ${port}: set a token to close it`);
  }

  /** The port cannot be had. */
  unavailable(host: string, port: number, reason: string): void {
    this.#log.error({ host, port }, `❌ Health server cannot listen on ${address(host, port)} (${reason}); going on without it`);
  }

  served(path: LabelValue<"path">, status: number): void {
    this.#metrics?.count("requests", { path, answer: status < 400 ? "2xx" : status < 500 ? "4xx" : "5xx" });
  }

  /** A defect of ours; the client saw a 500. */
  requestFailed(path: string, error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error({ path, code: "INTERNAL" }, `❌ ${path}: ${message}`);
    this.#metrics?.count("errors", { code: "INTERNAL" });
  }

  triggered(forceReprocess: boolean, result: LabelValue<"result">): void {
    this.#metrics?.count("triggers", { result });
    const what = forceReprocess ? "a forced run" : "a run";
    if (result === "started") this.#log.info({ forceReprocess }, `📥 Trigger received: ${what} is about to start`);
    else this.#log.debug({ forceReprocess }, `⏳ Trigger received: ${what} is not started, since one is running`);
  }

  connectionsChanged(open: number): void {
    this.#metrics?.set("connections", {}, open);
  }

  /** Connections were closed to make room for newer ones. */
  evicted(connections: number, limit: number): void {
    this.#metrics?.count("evicted", {}, connections);
    this.#evictedUntold += connections;
    if (this.#clock.now() - this.#evictionToldAt < EVICTION_LOG_EVERY_MS) return;
    this.#log.warn({ connections: this.#evictedUntold }, `⚠️ More than ${limit} HTTP connections: closed ${formatCount(this.#evictedUntold)} idle ones`);
    this.#evictedUntold = 0;
    this.#evictionToldAt = this.#clock.now();
  }
}

function address(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
