import { existsSync, watch } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { FaultPoint } from "../../src/fault/points.ts";
import { type Ended, Running, reportOf } from "../system/support/deadwax.ts";
import type { Random } from "../system/support/random.ts";

const FAULTS_ON = ["--conditions=deadwax-faults"];
/** Longer than what lies between two looks at the state, so that a kill lands anywhere. */
const DELAY_MS_MAX = 15;

/** When a run is killed: at a durable step, or after so many changes of what lies in the state folder. */
export type Strike = { readonly point: FaultPoint; readonly passage: number } | { readonly events: number };

/** A run of the program that is to be struck. */
export interface Victim {
  readonly args: readonly string[];
  /** Watched, and what is below. */
  readonly state: string;
}

/** Starts the program and strikes; null if it was done before. */
export async function struck({ args, state }: Victim, strike: Strike, random: Random): Promise<Ended | null> {
  const plan = "point" in strike ? { FAULT_PLAN: `${strike.point} kill ${strike.passage}` } : {};
  const running = new Running(["extract", ...args], { node: FAULTS_ON, env: plan });
  if ("events" in strike) {
    await Promise.race([untilTouched(state, strike.events), running.ended]);
    await Promise.race([sleep(random.between(0, DELAY_MS_MAX)), running.ended]);
    running.kill("SIGKILL");
  }
  const ended = await running.ended;
  if (ended.code === 0) return null;
  if (ended.signal !== "SIGKILL") throw new Error(`${JSON.stringify(strike)}: ended with ${ended.code}: ${ended.stderr}`);
  return ended;
}

/** Runs the program to its end, and counts how often the state was touched. */
export async function undisturbed({ args, state }: Victim): Promise<{ ended: Ended; events: number }> {
  let events = 0;
  const watcher = watch(state, { recursive: true }, () => {
    events += 1;
  });
  try {
    const ended = await new Running(["extract", ...args]).ended;
    reportOf(ended);
    return { ended, events };
  } finally {
    watcher.close();
  }
}

/** Resolves once files below a folder were touched so often. */
async function untilTouched(folder: string, events: number): Promise<void> {
  if (!existsSync(folder)) throw new Error(`${folder} is not there`);
  let left = events;
  await new Promise<void>((resolve) => {
    const watcher = watch(folder, { recursive: true }, () => {
      left -= 1;
      if (left > 0) return;
      watcher.close();
      resolve();
    });
    watcher.unref();
  });
}
