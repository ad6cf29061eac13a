import { execFile } from "node:child_process";
import { mkdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Running } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, removeChecksums, temporaryFolder, VERSION } from "./support/dumps.ts";
import { fileState, untilSaved } from "./support/marker.ts";
import { FULL, figure, timeoutMs } from "./support/scale.ts";

const RELEASES = FULL ? 512_000 : 60_000;
const INTERVAL = FULL ? 5_000 : 1_000;
const PLACES = [0.1, 0.5, 0.8];
/** Bytes of records made of a byte of XML, roughly. */
const OUTPUT_RATIO = 0.83;
const SECONDS_MAX = 1;
const ATTEMPTS = 3;
const PERIOD_MS = 2;
const FILE = `discogs_${VERSION}_releases.xml.gz`;

let folder: Folder;
let xmlBytes: number;
beforeAll(async () => {
  folder = await temporaryFolder();
  const { types } = await makeDump(join(folder.path, "dump"), { releases: RELEASES });
  ({ xmlBytes } = types.releases);
  await removeChecksums(join(folder.path, "dump")); // verifying again would take longer than this
}, 120_000);
afterAll(() => folder[Symbol.asyncDispose]());

test.each(PLACES)("resuming takes less than a second, at %f of the file", { timeout: timeoutMs(60_000, 300_000) }, async (place) => {
  const out = join(folder.path, `out-${place}`);
  const state = `${out}-state`;
  const partial = join(out, VERSION, "releases.ndjson.partial");
  const args = [
    "extract",
    dumpPath(join(folder.path, "dump"), "releases"),
    "--sink",
    `file:${out}`,
    "--state",
    state,
    "--checkpoint-records",
    String(INTERVAL),
    "-q",
  ];
  await mkdir(state);
  const first = new Running(args);
  const isThere = async () => (await sizeOf(partial)) >= place * OUTPUT_RATIO * xmlBytes;
  while (first.isRunning && !(await isThere())) await sleep(PERIOD_MS);
  await untilSaved(first, state, 1);
  first.kill("SIGKILL");
  expect((await first.ended).signal).toBe("SIGKILL");

  for (let attempt = 1; ; attempt += 1) {
    const checkpoint = (await fileState(state, FILE))?.checkpoint;
    const bytes = Number(checkpoint?.sink["bytes"]);
    expect(bytes).toBeGreaterThan(0);
    await truncate(partial, bytes); // what lies behind does not count, and would hide the first record
    const nodeSeconds = await timeNode();
    const running = new Running(args);
    while (running.isRunning && (await sizeOf(partial)) <= bytes) await sleep(PERIOD_MS);
    const seconds = (performance.now() - running.startedMs) / 1000;
    const isInTime = running.isRunning;
    running.kill("SIGKILL");
    await running.ended;
    figure("resume", {
      at: Number(((checkpoint?.ordinal ?? 0) / RELEASES).toFixed(2)),
      attempt,
      seconds,
      nodeSeconds,
      withoutNodeSeconds: seconds - nodeSeconds,
    });
    expect(isInTime).toBe(true);
    if (seconds - nodeSeconds < SECONDS_MAX) return;
    if (attempt === ATTEMPTS) throw new Error(`resuming took ${seconds} s in the last of ${ATTEMPTS} attempts`);
  }
});

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

/** Seconds that node takes to do nothing. */
async function timeNode(): Promise<number> {
  const started = performance.now();
  await promisify(execFile)(process.execPath, ["-e", "0"]);
  return (performance.now() - started) / 1000;
}
