import type { Logger } from "pino";
import { formatCount } from "./format.ts";
import type { LabelValue } from "./metric-names.ts";
import type { Metrics } from "./metrics.ts";

/** How one sink stands. */
interface Standing {
  /** Null: it has told nothing, as one without a connection never does. */
  connection: "up" | "lost" | null;
  blocked: boolean;
}

/** What sinks tell while they work: that they have to wait, and that they go on. Each has events of its own; what is shown is of all that are open. */
export class SinkConnections {
  readonly #log: Logger;
  readonly #metrics: Metrics | null;
  readonly #open = new Map<string, Standing>();

  constructor(log: Logger, metrics: Metrics | null) {
    this.#log = log;
    this.#metrics = metrics;
  }

  /** A connection was lost and is not back. */
  get isLost(): boolean {
    return this.#some(({ connection }) => connection === "lost");
  }

  /** The events of the sink of that name, which is opened now. */
  of(sink: string) {
    const log = this.#log;
    const metrics = this.#metrics;
    const standing: Standing = { connection: null, blocked: false };
    this.#open.set(sink, standing);
    const stands = (change: Partial<Standing>) => {
      Object.assign(standing, change);
      this.#show();
    };
    return {
      lost(reason: string): void {
        stands({ connection: "lost" });
        log.warn({ sink, reason }, `🔌 Lost the connection to the sink ${sink}: ${reason}`);
      },
      reconnecting(reason: string, attempt: number, waitMs: number): void {
        metrics?.count("reconnects", {});
        stands({ connection: "lost" });
        log.warn({ sink, attempt, waitMs }, `🔄 Connecting again to ${sink} in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt}): ${reason}`);
      },
      connected(): void {
        stands({ connection: "up", blocked: false }); // a broker tells a new connection anew that it is blocked
        log.info({ sink }, `🔗 Connected to the sink ${sink}`);
      },
      blocked(reason: string): void {
        stands({ blocked: true });
        log.warn({ sink, reason }, `⏸️ The sink ${sink} takes nothing for now: ${reason}`);
      },
      unblocked(): void {
        stands({ blocked: false });
        log.info({ sink }, `🔄 The sink ${sink} takes records again`);
      },
      resent(messages: number, reason: LabelValue<"reason">): void {
        metrics?.count("messagesResent", { reason }, messages);
        log.warn({ sink, messages, reason }, `🔄 Sending ${formatCount(messages)} messages once more to ${sink}: ${reason}`);
      },
      confirmed(messages: number, bytes: number): void {
        metrics?.count("messagesConfirmed", {}, messages);
        metrics?.count("confirmedBytes", {}, bytes);
      },
      told(text: string): void {
        log.info({ sink }, `💾 ${text}`);
      },
      warned(text: string): void {
        log.warn({ sink }, `⚠️ ${text}`);
      },
    };
  }

  /** No sink is open any more: none is connected or lost, and what one may still tell while it closes counts for nothing. */
  closed(): void {
    this.#open.clear();
    this.#show();
  }

  #show(): void {
    this.#metrics?.set("sinkBlocked", {}, this.#some(({ blocked }) => blocked) ? 1 : 0);
    if (this.isLost) this.#metrics?.set("sinkConnected", {}, 0);
    else if (this.#some(({ connection }) => connection === "up")) this.#metrics?.set("sinkConnected", {}, 1);
    else this.#metrics?.unset("sinkConnected", {});
  }

  #some(holds: (standing: Standing) => boolean): boolean {
    return [...this.#open.values()].some(holds);
  }
}
