import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import type { Failures } from "./failures.ts";
import { formatElapsed } from "./format.ts";
import type { LabelValue } from "./metric-names.ts";
import type { Metrics } from "./metrics.ts";

/** Why the service begins a run. */
export type RunReason = "initial" | "periodic" | "trigger";

const RUN_MESSAGES: Readonly<Record<RunReason, string>> = {
  initial: "📥 Starting initial data processing...",
  periodic: "🔄 Starting periodic check for new data...",
  trigger: "🔄 Starting the run that was asked for...",
};

/** The life of the service: start, runs, waits, end. What happens inside a run has its events elsewhere. */
export class ServiceEvents {
  readonly #log: Logger;
  readonly #metrics: Metrics | null;
  readonly #clock: Clock;
  readonly #failures: Failures;
  readonly #forgetRun: () => void;
  #runBegan: number | null = null;

  /** `forgetRun` drops what is known of the run before. */
  constructor(log: Logger, metrics: Metrics | null, clock: Clock, failures: Failures, forgetRun: () => void) {
    this.#log = log;
    this.#metrics = metrics;
    this.#clock = clock;
    this.#failures = failures;
    this.#forgetRun = forgetRun;
  }

  started(service: { version: string; contract: LabelValue<"contract">; threads: number }): void {
    const { version, contract, threads } = service;
    this.#metrics?.set("info", { version, contract, node: process.version }, 1);
    this.#metrics?.set("threads", {}, threads);
    this.statusChanged("idle");
    this.#log.info(service, `🚀 Starting deadwax ${version} (${contract}) with ${threads} ${threads === 1 ? "thread" : "threads"}`);
  }

  statusChanged(status: LabelValue<"status">): void {
    this.#metrics?.choose("status", "status", status);
  }

  /** A run begins: from the listing on, not only the extraction. */
  runBegan(reason: RunReason): void {
    this.#runBegan = this.#clock.now();
    this.#failures.reset();
    this.#forgetRun();
    this.statusChanged("running");
    this.#log.info({ reason }, RUN_MESSAGES[reason]);
  }

  /** The newest version is done already; nothing was sent. */
  upToDate(version: string): void {
    this.#log.info({ version }, `✅ Version ${version} is complete already`);
  }

  /** Nothing that could be extracted was found. */
  nothingFound(): void {
    this.#log.info("✅ No version to extract");
  }

  /** `error`: why it failed, where it did. */
  runEnded(outcome: LabelValue<"outcome">, error?: unknown): void {
    const seconds = (this.#clock.now() - (this.#runBegan ?? this.#clock.now())) / 1000;
    this.#metrics?.count("runs", { outcome });
    this.#metrics?.set("runSeconds", {}, seconds);
    if (outcome === "complete") this.#metrics?.set("lastSuccess", {}, Date.now() / 1000);
    if (outcome === "failed") {
      this.statusChanged("failed");
      this.#failures.tell(`The run failed after ${formatElapsed(seconds)}`, error);
      return;
    }
    if (outcome !== "stopped") this.statusChanged("completed");
    this.#log[outcome === "complete" ? "info" : "warn"]({ outcome, seconds }, `${OUTCOMES[outcome]} after ${formatElapsed(seconds)}`);
  }

  waiting(days: number): void {
    this.#log.info({ days }, `⏰ Waiting ${days} ${days === 1 ? "day" : "days"} before next check...`);
  }

  coolingDown(seconds: number): void {
    this.#log.warn({ seconds }, `😴 Cooling down for ${seconds} s before the end; health is still answered`);
  }

  stopped(): void {
    this.#log.info("🛑 Service stopped");
  }
}

const OUTCOMES = {
  complete: "✅ Run complete",
  incomplete: "⚠️ Run incomplete",
  stopped: "🛑 Run stopped",
} as const;
