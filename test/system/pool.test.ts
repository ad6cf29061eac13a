import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { extract, Running } from "./support/deadwax.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder } from "./support/dumps.ts";
import { figure, FULL, timeoutMs } from "./support/scale.ts";
import { type Usage, watchUsage } from "./support/usage.ts";

const RELEASES = FULL ? 250_000 : 60_000;
const THREADS = 2;
/** Other work on the machine takes the CPU away from us, never the other way round: one good run in these proves the point. */
const ATTEMPTS = 3;
const CPU_MIN = 1.7;
const MONITOR = fileURLToPath(new URL("support/event-loop.mjs", import.meta.url));

let folder: Folder;
beforeAll(async () => {
  folder = await temporaryFolder();
  await makeDump(join(folder.path, "dump"), { releases: RELEASES, labels: 100 });
}, 120_000);
afterAll(() => folder[Symbol.asyncDispose]());

async function measure(name: string, monitored: boolean): Promise<Usage & { p99Ms: number; line: string }> {
  const place = join(folder.path, name);
  const args = [dumpPath(join(folder.path, "dump"), "releases"), "--sink", `file:${place}`, "--state", `${place}-state`, "--threads", String(THREADS)];
  const running = new Running(["extract", ...args], monitored ? { node: ["--import", MONITOR] } : {});
  const usage = await watchUsage(running);
  const { code, stderr } = await running.ended;
  expect(code).toBe(0);
  const line = /^event loop (.*)$/m.exec(stderr)?.[1] ?? "{}";
  return { ...usage, p99Ms: (JSON.parse(line) as { p99Ms?: number }).p99Ms ?? 0, line };
}

/** Repeats a measurement until it holds. */
async function eventually(name: string, monitored: boolean, holds: (usage: Usage & { p99Ms: number }) => boolean): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const usage = await measure(`${name}-${attempt}`, monitored);
    const cpu = (isMain: boolean) => usage.threads.filter((thread) => thread.isMain === isMain).map((thread) => Number(thread.cpu.toFixed(2)));
    figure(name, { attempt, seconds: usage.seconds, main: cpu(true), others: cpu(false).filter((share) => share > 0), all: Number(usage.cpu.toFixed(2)), idle: Number(usage.idle.toFixed(2)), eventLoop: usage.line });
    if (holds(usage)) return;
    if (attempt === ATTEMPTS) throw new Error(`${name}: not seen in ${ATTEMPTS} attempts`);
  }
}

test("both threads work, the main thread hardly does", { timeout: timeoutMs(60_000, 180_000) }, () =>
  eventually("pool", false, ({ threads }) => {
    const workers = threads.filter(({ isMain }) => !isMain).slice(0, THREADS);
    const main = threads.find(({ isMain }) => isMain);
    return workers.every(({ cpu }) => cpu >= 0.3) && (main?.cpu ?? 1) <= 0.25;
  }));

test("the event loop is never late for long", { timeout: timeoutMs(60_000, 180_000) }, () => eventually("event loop", true, ({ p99Ms }) => p99Ms > 0 && p99Ms < 20));

test("two threads use two CPUs, or what others leave of them", { timeout: timeoutMs(60_000, 180_000) }, () =>
  eventually("two threads", false, ({ cpu, idle }) => cpu >= CPU_MIN || cpu / (cpu + idle) >= CPU_MIN / THREADS));

test.each([
  [{ MAX_WORKERS: "1" }, 1],
  [{ MAX_WORKERS: "2" }, 2],
  [{ MAX_WORKERS: "0" }, 1],
])("%j: the summary says so", async (env, threads) => {
  const { report } = await extract([dumpPath(join(folder.path, "dump"), "labels"), "--sink", "null:"], { env });
  expect(report.types["labels"]?.threads).toBe(threads);
});
