import type { RulesFile } from "../config/rules-file.ts";
import type { ServeConfig } from "../config/serve.ts";
import { systemClock } from "../telemetry/clock.ts";
import type { Telemetry } from "../telemetry.ts";
import type { ServiceBoard } from "./service-board.ts";
import { serviceLoop } from "./service-loop.ts";
import { publishNewest } from "./service-run.ts";

/** What the process lends the service: `stopping` asks to end at the next checkpoint, `signal` breaks off. */
export interface ServiceContext {
  readonly board: ServiceBoard;
  readonly telemetry: Telemetry;
  readonly stopping: AbortSignal;
  readonly signal: AbortSignal;
  readonly productVersion: string;
  readonly rules: RulesFile | null;
}

/** Keeps the newest dump published, until it is stopped or its first run has failed. */
export function serve(config: ServeConfig, context: ServiceContext): Promise<"stopped" | "failed"> {
  const { startupDelaySeconds, forceReprocess: forceFirst, periodicCheckDays, failureCooldownSeconds: cooldownSeconds } = config;
  return serviceLoop(
    { startupDelaySeconds, forceFirst, periodicCheckDays, cooldownSeconds },
    { ...context, clock: systemClock, run: (force) => publishNewest(config, force, context) },
  );
}
