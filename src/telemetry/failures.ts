import type { Logger } from "pino";
import { DumpError, type ErrorCode } from "../errors.ts";
import type { Metrics } from "./metrics.ts";

/** Tells and counts failures; one that passes through several hands is counted once. */
export class Failures {
  readonly #log: Logger;
  readonly #metrics: Metrics | null;
  readonly #counted = new WeakSet<object>();
  #count = 0;

  constructor(log: Logger, metrics: Metrics | null) {
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Failures since the last {@link reset}. */
  get count(): number {
    return this.#count;
  }

  reset(): void {
    this.#count = 0;
  }

  /** `what` failed: one line, whatever the error holds; it may name that itself. */
  tell(what: string, error: unknown, fields: object = {}): void {
    const code: ErrorCode = error instanceof DumpError ? error.code : "INTERNAL";
    const message = error instanceof Error ? error.message : String(error);
    const named = message.startsWith(`${what}: `) ? message : `${what}: ${message}`;
    this.#log.error({ ...fields, code }, `❌ ${named.replace(/\s*\n\s*/g, " ")}`);
    if (typeof error === "object" && error !== null) {
      if (this.#counted.has(error)) return;
      this.#counted.add(error);
    }
    this.#count += 1;
    this.#metrics?.count("errors", { code });
  }
}
