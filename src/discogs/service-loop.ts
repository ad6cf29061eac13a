/**
 * The life of the service: it looks for the newest dump, publishes it, waits, and looks again.
 *
 *     idle → running → completed → waiting → running → …        a run that fails is `failed` until the next one begins
 *
 * Only the first run may end the process: whoever supervises it then sees that nothing works. Later failures are told and tried again.
 */
import { DumpError } from "../errors.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { RunReason } from "../telemetry/service-events.ts";
import type { Telemetry } from "../telemetry.ts";
import type { ServiceBoard } from "./service-board.ts";
import type { RunOutcome } from "./service-run.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** A timer holds 2^31 ms at most, and a shorter one notices sooner that the machine was asleep. */
const WAIT_STEP_MS = 60 * 60 * 1000;

export interface LoopSettings {
  readonly startupDelaySeconds: number;
  /** The first run starts afresh, whatever the state says. */
  readonly forceFirst: boolean;
  readonly periodicCheckDays: number;
  /** From a failed first run to the end of the process, so that a supervisor's restarts do not storm the site. */
  readonly cooldownSeconds: number;
}

export interface LoopContext {
  readonly board: ServiceBoard;
  /** One look for the newest dump, and its publication; throws if that fails. */
  readonly run: (force: boolean) => Promise<RunOutcome>;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/** Runs until it is stopped, or until the first run has failed and the cool-down has passed. */
export async function serviceLoop(settings: LoopSettings, context: LoopContext): Promise<"stopped" | "failed"> {
  const { board, stopping } = context;
  const end = () => board.ending();
  stopping.addEventListener("abort", end);
  if (stopping.aborted) end();
  try {
    return await rounds(settings, context);
  } finally {
    stopping.removeEventListener("abort", end);
  }
}

async function rounds(settings: LoopSettings, context: LoopContext): Promise<"stopped" | "failed"> {
  const { startupDelaySeconds, forceFirst, periodicCheckDays, cooldownSeconds } = settings;
  const { board, telemetry, stopping } = context;
  await pause(startupDelaySeconds * 1000, context, stopping);
  let reason: RunReason = "initial";
  const early = board.takeTrigger(); // the first run is the one that it asks for, whatever else forces that run
  let force = forceFirst || (early?.forceReprocess ?? false);
  while (!stopping.aborted && !(await attempt(reason, force, context)) && !stopping.aborted) {
    telemetry.service.coolingDown(cooldownSeconds);
    await pause(cooldownSeconds * 1000, context, AbortSignal.any([stopping, board.triggered]));
    const request = board.takeTrigger();
    if (request === null) {
      board.ending(); // in the same turn, so that no trigger comes in between
      return stopping.aborted ? "stopped" : "failed";
    }
    reason = "trigger";
    force = request.forceReprocess;
  }
  while (!stopping.aborted) {
    board.waiting();
    telemetry.service.statusChanged(board.status);
    telemetry.service.waiting(periodicCheckDays);
    await pause(periodicCheckDays * DAY_MS, context, AbortSignal.any([stopping, board.triggered]));
    if (stopping.aborted) break;
    const request = board.takeTrigger();
    await attempt(request === null ? "periodic" : "trigger", request?.forceReprocess ?? false, context);
  }
  return "stopped";
}

/** One run; false if it failed. */
async function attempt(reason: RunReason, force: boolean, { board, run, telemetry, stopping }: LoopContext): Promise<boolean> {
  board.started();
  telemetry.service.runBegan(reason);
  try {
    const outcome = await run(force);
    board.completed();
    telemetry.service.runEnded(outcome);
    return true;
  } catch (error) {
    if (stopping.aborted && !(error instanceof DumpError)) {
      telemetry.service.runEnded("stopped");
      return true;
    }
    const failure = asFailure(error);
    board.failed(failure);
    telemetry.service.runEnded("failed", failure);
    return false;
  }
}

function asFailure(error: unknown): DumpError {
  if (error instanceof DumpError) return error;
  return new DumpError("INTERNAL", error instanceof Error ? (error.stack ?? error.message) : String(error), { cause: error });
}

/** Resolves after `ms`, or as soon as `ended` is aborted. */
async function pause(ms: number, { clock }: LoopContext, ended: AbortSignal): Promise<void> {
  const deadline = clock.now() + ms;
  for (;;) {
    const left = deadline - clock.now();
    if (ended.aborted || left <= 0) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(Math.min(left, WAIT_STEP_MS), done);
      ended.addEventListener("abort", done);
      function done() {
        cancel();
        ended.removeEventListener("abort", done);
        resolve();
      }
    });
  }
}
