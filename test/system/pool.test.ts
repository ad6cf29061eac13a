import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { extract, Running } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder } from "./support/dumps.ts";
import { FULL, figure, timeoutMs } from "./support/scale.ts";
import { type Usage, watchUsage } from "./support/usage.ts";

const RELEASES = FULL ? 250_000 : 60_000;
const THREADS = 2;
/** Other work on the machine takes the CPU away from us, never the other way round: one good run in these proves the point. */
const ATTEMPTS = 3;
const CPU_MIN = 1.7;
const WORKER_MIN = 0.3;
const MAIN_MAX = 0.25;
const P99_MS_MAX = 20;
/** Where the main thread had to wait longer than this for a CPU, the delays of its event loop are those of the machine. */
const WAITED_MAX = 0.05;
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

/** What a share of the time would have been, had others not taken CPUs away; unchanged where two or more were to be had. */
function undisturbed({ cpu, idle }: Usage, share: number): number {
  return (share * THREADS) / Math.min(THREADS, cpu + idle);
}

/** Repeats a measurement until it holds. */
async function eventually(name: string, monitored: boolean, holds: (usage: Usage & { p99Ms: number }) => boolean): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const usage = await measure(`${name}-${attempt}`, monitored);
    const cpu = (isMain: boolean) => usage.threads.filter((thread) => thread.isMain === isMain).map((thread) => Number(thread.cpu.toFixed(2)));
    figure(name, {
      attempt,
      seconds: usage.seconds,
      main: cpu(true),
      others: cpu(false).filter((share) => share > 0),
      all: Number(usage.cpu.toFixed(2)),
      idle: Number(usage.idle.toFixed(2)),
      mainWaited: Number(usage.waited.toFixed(2)),
      eventLoop: JSON.parse(usage.line) as object,
    });
    if (holds(usage)) return;
    if (attempt === ATTEMPTS) throw new Error(`${name}: not seen in ${ATTEMPTS} attempts`);
  }
}

test("both threads work, the main thread hardly does", { timeout: timeoutMs(60_000, 180_000) }, () =>
  eventually("pool", false, (usage) => {
    const workers = usage.threads.filter(({ isMain }) => !isMain).slice(0, THREADS);
    const main = usage.threads.find(({ isMain }) => isMain)?.cpu ?? 1;
    return workers.every(({ cpu }) => undisturbed(usage, cpu) >= WORKER_MIN) && undisturbed(usage, main) <= MAIN_MAX;
  }),
);

test("the event loop is never late for long", { timeout: timeoutMs(60_000, 180_000) }, () =>
  eventually("event loop", true, ({ p99Ms, waited }) => (p99Ms > 0 && p99Ms < P99_MS_MAX) || (!FULL && waited > WAITED_MAX)),
);

test("two threads use two CPUs", { timeout: timeoutMs(60_000, 180_000) }, () =>
  eventually("two threads", false, (usage) => undisturbed(usage, usage.cpu) >= CPU_MIN),
);

test.each([
  [{ MAX_WORKERS: "1" }, 1],
  [{ MAX_WORKERS: "2" }, 2],
  [{ MAX_WORKERS: "0" }, 1],
])("%j: the summary says so", async (env, threads) => {
  const { report } = await extract([dumpPath(join(folder.path, "dump"), "labels"), "--sink", "null:"], { env });
  expect(report.types["labels"]?.threads).toBe(threads);
});
