import type { ServeConfig } from "../config/serve.ts";
import { systemClock } from "../telemetry/clock.ts";
import { serviceLoop } from "./service-loop.ts";
import { publishNewest, type ServiceContext } from "./service-run.ts";

/** Keeps the newest dump published, until it is stopped or its first run has failed. */
export function serve(config: ServeConfig, context: ServiceContext): Promise<"stopped" | "failed"> {
  const { startupDelaySeconds, forceReprocess: forceFirst, periodicCheckDays, failureCooldownSeconds: cooldownSeconds } = config;
  return serviceLoop(
    { startupDelaySeconds, forceFirst, periodicCheckDays, cooldownSeconds },
    { ...context, clock: systemClock, run: (force) => publishNewest(config, force, context) },
  );
}
