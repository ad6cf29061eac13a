import type { Logger } from "pino";
import { formatCount } from "./format.ts";
import type { LabelValue } from "./metric-names.ts";
import type { Metrics } from "./metrics.ts";

/** What a sink tells while it works: that it has to wait, and that it goes on. */
export function createSinkEvents(log: Logger, metrics: Metrics | null) {
  const connection = { isLost: false };
  return {
    /** How the connection stands. */
    connection: connection as Readonly<typeof connection>,
    lost(reason: string): void {
      connection.isLost = true;
      metrics?.set("sinkConnected", {}, 0);
      log.warn({ reason }, `🔌 Lost the connection to the sink: ${reason}`);
    },
    reconnecting(reason: string, attempt: number, waitMs: number): void {
      connection.isLost = true;
      metrics?.count("reconnects", {});
      metrics?.set("sinkConnected", {}, 0);
      log.warn({ attempt, waitMs }, `🔄 Connecting again in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt}): ${reason}`);
    },
    connected(): void {
      connection.isLost = false;
      metrics?.set("sinkConnected", {}, 1);
      metrics?.set("sinkBlocked", {}, 0); // a broker tells a new connection anew that it is blocked
      log.info("🔗 Connected to the sink");
    },
    /** No sink is open any more: it is neither connected nor lost. */
    closed(): void {
      connection.isLost = false;
      metrics?.unset("sinkConnected", {});
      metrics?.set("sinkBlocked", {}, 0);
    },
    blocked(reason: string): void {
      metrics?.set("sinkBlocked", {}, 1);
      log.warn({ reason }, `⏸️ The sink takes nothing for now: ${reason}`);
    },
    unblocked(): void {
      metrics?.set("sinkBlocked", {}, 0);
      log.info("🔄 The sink takes records again");
    },
    resent(messages: number, reason: LabelValue<"reason">): void {
      metrics?.count("messagesResent", { reason }, messages);
      log.warn({ messages, reason }, `🔄 Sending ${formatCount(messages)} messages once more: ${reason}`);
    },
    confirmed(messages: number, bytes: number): void {
      metrics?.count("messagesConfirmed", {}, messages);
      metrics?.count("confirmedBytes", {}, bytes);
    },
    told(text: string): void {
      log.info(`💾 ${text}`);
    },
    warned(text: string): void {
      log.warn(`⚠️ ${text}`);
    },
  };
}
