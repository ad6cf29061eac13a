import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Running, reportOf } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { digestOf } from "./support/output.ts";
import { FULL, figure, timeoutMs } from "./support/scale.ts";
import { slope, watchUsage } from "./support/usage.ts";

const MIB = 2 ** 20;
/** 2 GB of XML in a proof, 100 MB otherwise. */
const RELEASES = FULL ? 512_000 : 26_000;
const RSS_BYTES_MAX = 200 * MIB;
/** What half of a dump may add on top of where the memory stood before. */
const GROWTH_BYTES_MAX = 24 * MIB;
/** V8 lets garbage lie as long as there is room. With so little of it, a leak of objects ends in an abort, and one of buffers shows. */
const TIGHT_HEAP = ["--max-old-space-size=32", "--max-semi-space-size=1"];
/** Few records and many, and what an index of the many may add. */
const LABELS = FULL ? [200_000, 5_000_000] : [20_000, 200_000];
const INDEX_BYTES_MAX = 30 * MIB;
const HUGE_RECORD_BYTES = 100 * MIB;

let folder: Folder;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

test.each([
  { name: "under 200 MB", compress: "", node: [] },
  { name: "under 200 MB, compressing", compress: "?compress=gzip", node: [] },
  { name: "flat", compress: "", node: TIGHT_HEAP },
])("memory stays $name", { timeout: timeoutMs(60_000, 600_000) }, async ({ name, compress, node }) => {
  const dump = join(folder.path, "dump");
  const { types } = await makeDump(dump, { releases: RELEASES });
  const place = join(folder.path, `run ${name}`);
  const args = [dumpPath(dump, "releases"), "--sink", `file:${place}${compress}`, "--state", `${place}-state`, "--output", "json"];
  const running = new Running(["extract", ...args], { node });
  const { peakBytes, resident, seconds } = await watchUsage(running);
  const ended = await running.ended;
  expect(ended.code).toBe(0);
  expect(reportOf(ended).types["releases"]?.written).toBe(types.releases.records);
  const late = slope(resident, seconds / 2);
  const grown = late * (seconds / 2);
  figure(`memory, ${name}`, {
    xmlBytes: types.releases.xmlBytes,
    seconds,
    peakMiB: Math.round(peakBytes / MIB),
    grownInSecondHalfMiB: Number((grown / MIB).toFixed(1)),
    looks: resident.length,
  });
  expect(peakBytes).toBeLessThan(RSS_BYTES_MAX);
  if (FULL && node === TIGHT_HEAP) expect(grown).toBeLessThan(GROWTH_BYTES_MAX); // a second of a small dump says nothing about slopes
});

test("finding changes takes no more memory for many records", { timeout: timeoutMs(120_000, 600_000) }, async () => {
  const anonymous: Record<string, number[]> = { "first run": [], "unchanged month": [] };
  for (const labels of LABELS) {
    const dump = join(folder.path, `${labels} labels`);
    await makeDump(dump, { labels });
    const args = ["extract", dumpPath(dump, "labels"), "--sink", "null:", "--state", `${dump}/state`, "--mode", "incremental", "--output", "json"];
    for (const [run, found] of [
      ["first run", { created: labels, unchanged: 0 }],
      ["unchanged month", { created: 0, unchanged: labels }],
    ] as const) {
      const running = new Running([...args, "--force"]);
      const { anonymousBytes } = await watchUsage(running);
      const ended = await running.ended;
      expect(ended.code, ended.stderr).toBe(0);
      expect(reportOf(ended).types["labels"]).toMatchObject(found);
      anonymous[run]?.push(anonymousBytes);
    }
    await rm(dump, { recursive: true });
  }
  for (const [run, [few = 0, many = 0]] of Object.entries(anonymous)) {
    figure(`memory, ${run}`, { labels: LABELS, fewMiB: Math.round(few / MIB), manyMiB: Math.round(many / MIB) });
    expect(few, run).toBeGreaterThan(0);
    expect(many - few, run).toBeLessThan(INDEX_BYTES_MAX);
  }
});

test("a record of 100 MB is rejected and the next one delivered", { timeout: 60_000 }, async () => {
  const dump = join(folder.path, "huge");
  await mkdir(dump);
  const path = dumpPath(dump, "releases");
  const filler = Buffer.from(`${"All work and no play makes a dull record. ".repeat(2_000)}\n`);
  await pipeline(
    async function* xml() {
      yield '<releases>\n<release id="1"><title>before</title></release>\n<release id="2"><notes>';
      for (let bytes = 0; bytes < HUGE_RECORD_BYTES; bytes += filler.length) {
        // Not so even that the limit of the ratio would speak first.
        yield Buffer.concat([Buffer.from(String(Math.sin(bytes)).repeat(400)), filler]);
      }
      yield '</notes></release>\n<release id="3"><title>behind</title></release>\n</releases>\n';
    },
    createGzip({ level: 1 }),
    createWriteStream(path),
  );
  const out = join(dump, "out");
  const running = new Running(["extract", path, "--sink", `file:${out}`, "--state", `${dump}/state`, "--output", "json"]);
  const { peakBytes } = await watchUsage(running);
  const ended = await running.ended;
  expect({ code: ended.code, stderr: ended.code === 3 ? "" : ended.stderr }).toEqual({ code: 3, stderr: "" });
  expect(reportOf(ended).types["releases"]).toMatchObject({ read: 3, written: 2, rejected: 1, empty: 0 });
  figure("memory, record of 100 MB", { peakMiB: Math.round(peakBytes / MIB) });
  expect((await digestOf(join(out, VERSION, "releases.ndjson"))).records).toBe(2);
  let rejects = "";
  for await (const chunk of createReadStream(join(out, VERSION, "releases.rejects.ndjson"))) rejects += String(chunk);
  const reject = JSON.parse(rejects) as { id: string; raw: string; offset: number };
  expect(reject.id).toBe("2");
  expect(Buffer.byteLength(reject.raw)).toBeLessThanOrEqual(64 * 1024);
  expect(peakBytes).toBeLessThan(RSS_BYTES_MAX);
});
