import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { extract, lastLine, Running, reportOf } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, removeChecksums, temporaryFolder, VERSION } from "./support/dumps.ts";
import { assertSound, fileState, untilSaved } from "./support/marker.ts";
import { filesIn, fingerprint } from "./support/output.ts";
import { writtenBytes } from "./support/procfs.ts";
import { FULL, figure } from "./support/scale.ts";

const RELEASES = FULL ? 120_000 : 20_000;
const FILE = `discogs_${VERSION}_releases.xml.gz`;
/** What is promised to whoever stops the service. */
const STOP_SECONDS_MAX = 10;
const PROMPT_SECONDS_MAX = 2;
/** A process that has filled a pipe and writes nothing for so long waits for its reader. */
const PIPE_BYTES = 64 * 1024;
const STALL_MS = 300;

let folder: Folder;
let dump: string;
let whole: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const path = join(folder.path, "dump");
  await makeDump(path, { releases: RELEASES });
  dump = dumpPath(path, "releases");
  await extract([dump, "--sink", `file:${join(folder.path, "whole")}`, "--state", join(folder.path, "whole-state")]);
  whole = await fingerprint(join(folder.path, "whole", VERSION, "releases.ndjson"));
}, 120_000);
afterAll(() => folder[Symbol.asyncDispose]());

async function startSaving(name: string, extra: readonly string[] = []) {
  const out = join(folder.path, name);
  const state = `${out}-state`;
  await mkdir(state);
  const args = [dump, "--sink", `file:${out}`, "--state", state, "--checkpoint-records", "1000", ...extra];
  const running = new Running(["extract", ...args, "--output", "json"]);
  await untilSaved(running, state, 7);
  return { out, state, args, running };
}

describe.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)("%s", (signal, code) => {
  test(`ends with ${code} behind a clean checkpoint, and the next run goes on there`, { timeout: 60_000 }, async () => {
    const { out, state, args, running } = await startSaving(signal);
    const asked = performance.now();
    running.kill(signal);
    const ended = await running.ended;
    const seconds = (performance.now() - asked) / 1000;
    figure(`stop by ${signal}`, { seconds });
    expect({ code: ended.code, signal: ended.signal }).toEqual({ code, signal: null });
    expect(seconds).toBeLessThan(STOP_SECONDS_MAX);
    expect(reportOf(ended).complete).toBe(false);
    await assertSound(state);
    const checkpoint = (await fileState(state, FILE))?.checkpoint;
    // Everything written is behind the checkpoint: nothing is done twice.
    expect(checkpoint?.counts.written).toBe(reportOf(ended).types["releases"]?.written);
    expect(await filesIn(out)).toEqual([`${VERSION}/releases.ndjson.partial`]);

    const { report } = await extract(args);
    expect(report.complete).toBe(true);
    expect(report.types["releases"]?.resumedFrom?.ordinal).toBe(checkpoint?.ordinal);
    expect(report.types["releases"]?.written).toBe(RELEASES);
    expect(await filesIn(out)).toEqual([`${VERSION}/releases.ndjson`]);
    expect(await fingerprint(join(out, VERSION, "releases.ndjson"))).toBe(whole);
  });

  test("ends promptly while standard input is idle", { timeout: 60_000 }, async () => {
    const running = new Running(["extract", "-", "--type", "labels", "--sink", "null:", "--output", "json"], { stdin: "pipe" });
    await running.says("Starting extraction");
    const asked = performance.now();
    running.kill(signal);
    const ended = await running.ended;
    running.child.stdin?.destroy();
    const seconds = (performance.now() - asked) / 1000;
    figure(`stop by ${signal} on an idle pipe`, { seconds, code: ended.code });
    expect({ code: ended.code, signal: ended.signal, last: ended.code === code ? "" : lastLine(ended) }).toEqual({ code, signal: null, last: "" });
    expect(seconds).toBeLessThan(PROMPT_SECONDS_MAX);
  });

  test("ends promptly while a file is verified", { timeout: 60_000 }, async () => {
    const name = `verifying-${signal}`;
    const path = join(folder.path, name);
    await makeDump(path, { releases: RELEASES });
    await removeChecksums(path);
    const running = new Running(["extract", dumpPath(path, "releases"), "--sink", `file:${path}/out`, "--state", `${path}/state`, "--output", "json"]);
    await running.says("Verifying");
    const asked = performance.now();
    running.kill(signal);
    const ended = await running.ended;
    const seconds = (performance.now() - asked) / 1000;
    figure(`stop by ${signal} while verifying`, { seconds, code: ended.code });
    expect({ code: ended.code, signal: ended.signal }).toEqual({ code, signal: null });
    expect(seconds).toBeLessThan(PROMPT_SECONDS_MAX);
    expect(await filesIn(join(path, "out"))).toEqual([]);
  });
});

test("a second signal breaks off, and the run can still be resumed", { timeout: 60_000 }, async () => {
  const { out, state, args, running } = await startSaving("twice", ["--threads", "1"]);
  running.kill("SIGTERM");
  running.kill("SIGTERM");
  const ended = await running.ended;
  expect([1, 143]).toContain(ended.code); // 143 where a checkpoint was reached between the two
  await assertSound(state);
  const { report } = await extract(args);
  expect(report.complete).toBe(true);
  expect(await fingerprint(join(out, VERSION, "releases.ndjson"))).toBe(whole);
});

test("a second signal ends a run whose output nobody reads", { timeout: 60_000 }, async () => {
  const running = new Running(["extract", dump, "--sink", "-"]);
  onTestFinished(() => running.kill("SIGKILL")); // where it hangs
  running.child.stdout?.pause();
  await running.says("Starting extraction");
  for (let before = 0, now = await writtenBytes(running.pid); now < PIPE_BYTES || now > before; now = await writtenBytes(running.pid)) {
    before = now;
    await sleep(STALL_MS);
  }
  running.kill("SIGTERM");
  await running.says("stopping at the next checkpoint");
  const asked = performance.now();
  running.kill("SIGTERM");
  await once(running.child, "exit"); // not "close": the pipe is still full
  const seconds = (performance.now() - asked) / 1000;
  running.child.stdout?.destroy();
  figure("second signal while nobody reads", { seconds, code: running.child.exitCode });
  expect([1, 143]).toContain(running.child.exitCode);
  expect(seconds).toBeLessThan(STOP_SECONDS_MAX);
});
