import { DumpError } from "../../errors.ts";
import { TransientFault } from "./faults.ts";
import type { SiteEnvironment, SiteEvents } from "./options.ts";

/** What attempts need to know. */
export interface AttemptContext {
  /** Waits between the attempts, in milliseconds; there is one attempt more. */
  readonly retryWaitsMs: readonly number[];
  readonly environment: SiteEnvironment;
  readonly events: SiteEvents;
}

/** Does `work` until it succeeds, fails for good, or the attempts are used up. `what` names it in messages. */
export async function withAttempts<T>(what: string, context: AttemptContext, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const { retryWaitsMs, environment, events } = context;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TransientFault)) throw error;
      const waitMs = retryWaitsMs[attempt - 1];
      if (waitMs === undefined) {
        const times = attempt === 1 ? "" : ` after ${attempt} attempts`;
        throw new DumpError("SOURCE_UNAVAILABLE", `${what}: failed${times}: ${error.message}; try again later`, { cause: error });
      }
      events.retrying(what, attempt, waitMs / 1000, error.message);
      await environment.sleep(waitMs, signal);
    }
  }
}
