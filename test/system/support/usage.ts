import { setTimeout as sleep } from "node:timers/promises";
import type { Running } from "./deadwax.ts";
import { idleSeconds, residentBytes, type Thread, threadsOf, waitedSeconds } from "./procfs.ts";

const PERIOD_MS = 20;

/** What a process used while records flowed. */
export interface Usage {
  /** Seconds between the first and the last look. */
  readonly seconds: number;
  /** CPU of each thread in that time, the busiest first; `main` is the one with the process's id. */
  readonly threads: readonly { readonly name: string; readonly isMain: boolean; readonly cpu: number }[];
  /** CPU of all of them. */
  readonly cpu: number;
  /** CPU that nobody used: what others took from us is neither here nor there. */
  readonly idle: number;
  /** Share of the time in which the main thread was ready to run and got no CPU. */
  readonly waited: number;
  readonly peakBytes: number;
  /** Most that was seen of the memory that is no file's and not shared. */
  readonly anonymousBytes: number;
  /** Resident bytes at each look, with the seconds since the first. */
  readonly resident: readonly { readonly at: number; readonly bytes: number }[];
}

/** Watches a process from when records flow until it has ended. */
export async function watchUsage(running: Running): Promise<Usage> {
  await running.says("Starting extraction");
  const { pid } = running;
  const startMs = performance.now();
  const first = await threadsOf(pid);
  const idleBefore = await idleSeconds();
  const waitedBefore = await waitedSeconds(pid);
  let last: { readonly threads: Thread[]; readonly ms: number; readonly idle: number; readonly waited: number } = {
    threads: first,
    ms: startMs,
    idle: idleBefore,
    waited: waitedBefore,
  };
  let [peakBytes, anonymousBytes] = [0, 0];
  const resident: { at: number; bytes: number }[] = [];
  for (;;) {
    const threads = await threadsOf(pid);
    const memory = await residentBytes(pid);
    if (!running.isRunning || memory === null || threads.length < first.length) break;
    const ms = performance.now();
    last = { threads, ms, idle: await idleSeconds(), waited: Math.max(last.waited, await waitedSeconds(pid)) };
    peakBytes = Math.max(peakBytes, memory.peak);
    anonymousBytes = Math.max(anonymousBytes, memory.anonymous);
    resident.push({ at: (ms - startMs) / 1000, bytes: memory.now });
    await sleep(PERIOD_MS);
  }
  const seconds = (last.ms - startMs) / 1000;
  const before = new Map(first.map(({ id, cpuSeconds }) => [id, cpuSeconds]));
  const threads = last.threads
    .map(({ id, name, cpuSeconds }) => ({ name, isMain: id === pid, cpu: (cpuSeconds - (before.get(id) ?? 0)) / seconds }))
    .sort((a, b) => b.cpu - a.cpu);
  return {
    seconds,
    threads,
    cpu: threads.reduce((sum, { cpu }) => sum + cpu, 0),
    idle: (last.idle - idleBefore) / seconds,
    waited: (last.waited - waitedBefore) / seconds,
    peakBytes,
    anonymousBytes,
    resident,
  };
}

/** Growth of the resident memory in bytes per second, by least squares over the part behind `fromSeconds`. */
export function slope(resident: Usage["resident"], fromSeconds: number): number {
  const points = resident.filter(({ at }) => at >= fromSeconds);
  const n = points.length;
  if (n < 2) return 0;
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / n;
  const meanBytes = points.reduce((sum, { bytes }) => sum + bytes, 0) / n;
  const above = points.reduce((sum, { at, bytes }) => sum + (at - meanAt) * (bytes - meanBytes), 0);
  const below = points.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  return below === 0 ? 0 : above / below;
}
