import { mkdir, open, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deadwax, extract, lastLine, Running } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, removeChecksums, temporaryFolder, VERSION } from "./support/dumps.ts";
import { untilSaved } from "./support/marker.ts";
import { filesIn, fingerprint } from "./support/output.ts";
import { freeze } from "./support/procfs.ts";
import { seeded } from "./support/random.ts";
import { cases, FULL, figure, timeoutMs } from "./support/scale.ts";

const DAMAGES = cases(20, 1_000);
const AT_ONCE = 2;
const LABELS = 3_000;

const random = seeded("verification");
let folder: Folder;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

async function fresh(name: string, sizes = { labels: LABELS }) {
  const path = join(folder.path, name);
  await makeDump(path, { ...sizes, seed: random.seed });
  const args = [dumpPath(path, "labels"), "--sink", `file:${join(path, "out")}`, "--state", join(path, "state")];
  return { path, dump: dumpPath(path, "labels"), out: join(path, "out"), args };
}

async function flipBit(path: string, bit: number): Promise<void> {
  await using file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, bit >> 3);
  byte[0] = (byte[0] ?? 0) ^ (1 << (bit & 7));
  await file.write(byte, 0, 1, bit >> 3);
}

test("a flipped bit against a CHECKSUM file: refused, and nothing is written", async () => {
  const { dump, out, args } = await fresh("checksum");
  await flipBit(dump, 8 * 100 + random.between(0, 8 * ((await stat(dump)).size - 100)));
  const ended = await deadwax(["extract", ...args]);
  expect(ended.code).toBe(4);
  expect(lastLine(ended)).toMatch(
    /^deadwax: SOURCE_CORRUPT: .*discogs_20260801_labels\.xml\.gz: its SHA-256 is [0-9a-f]{64}, .*CHECKSUM\.txt says [0-9a-f]{64}; download it again$/,
  );
  expect(await filesIn(out)).toEqual([]);
});

describe("without a CHECKSUM file, after a full pass", () => {
  test.each(["truncation", "flipped bit"])(
    `${DAMAGES} of a kind, %s: refused before anything is written, or the very same bytes`,
    { timeout: timeoutMs(90_000, 1_800_000) },
    async (kind) => {
      const { path, dump, args, out } = await fresh(kind.replace(" ", "-"));
      await removeChecksums(path);
      await extract(args);
      const sound = await fingerprint(join(out, VERSION, "labels.ndjson"));
      const bytes = await readFile(dump);
      let refused = 0;
      let same = 0;
      const one = async (number: number) => {
        const place = join(path, String(number));
        const copy = dumpPath(join(path, String(number)), "labels");
        const bit = random.between(0, 8 * bytes.length);
        const at = kind === "truncation" ? bit >> 3 : bit;
        await mkdir(place);
        await writeFile(copy, bytes);
        if (kind === "truncation") await truncate(copy, at);
        else await flipBit(copy, at);
        const ended = await deadwax(["extract", copy, "--sink", `file:${place}/out`, "--state", `${place}/state`, "-q"]);
        const written = await filesIn(join(place, "out"));
        const what = { kind, seed: random.seed, at, code: ended.code, written };
        if (ended.code === 0) {
          expect(written).toEqual([`${VERSION}/labels.ndjson`]);
          expect({ ...what, is: await fingerprint(join(place, "out", VERSION, "labels.ndjson")) }).toEqual({ ...what, is: sound });
          same += 1;
        } else {
          expect(what).toEqual({ ...what, code: 4, written: [] });
          expect(ended.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(3);
          refused += 1;
        }
        await rm(place, { recursive: true });
      };
      for (let n = 0; n < DAMAGES; n += AT_ONCE) await Promise.all(Array.from({ length: Math.min(AT_ONCE, DAMAGES - n) }, (_, i) => one(n + i)));
      figure(`damaged by ${kind}`, { seed: random.seed, cases: DAMAGES, refused, same });
      expect(refused + same).toBe(DAMAGES);
    },
  );
});

test("--verify stream on a damaged gzip: exit 4, and nothing under a final name", async () => {
  const { path, dump, args, out } = await fresh("stream", { labels: 20_000 });
  await removeChecksums(path);
  await truncate(dump, Math.floor((await stat(dump)).size / 2));
  const ended = await deadwax(["extract", ...args, "--verify", "stream"]);
  expect({ code: ended.code, last: lastLine(ended) }).toMatchObject({ code: 4, last: expect.stringContaining("SOURCE_CORRUPT") });
  expect((await filesIn(out)).filter((name) => !name.endsWith(".partial"))).toEqual([]);
});

test("--verify stream with a CHECKSUM file that says otherwise: exit 4, and nothing is marked complete", async () => {
  const { path, args } = await fresh("stream-checksum");
  const checksums = join(path, `discogs_${VERSION}_CHECKSUM.txt`);
  await writeFile(checksums, (await readFile(checksums, "utf8")).replace(/^[0-9a-f]{64}/gm, "0".repeat(64)));
  const ended = await deadwax(["extract", ...args, "--verify", "stream"]);
  expect({ code: ended.code, last: lastLine(ended) }).toMatchObject({ code: 4, last: expect.stringContaining("SOURCE_CORRUPT") });
});

test("a dump that is replaced between its verification and its reading is not taken for the verified one", { timeout: 60_000 }, async () => {
  const path = join(folder.path, "replaced");
  await makeDump(path, { labels: LABELS, releases: FULL ? 60_000 : 20_000, artists: 10, masters: 10, seed: random.seed });
  await removeChecksums(path);
  const other = join(folder.path, "other");
  await makeDump(other, { labels: LABELS, seed: random.seed + 1 });
  const running = new Running(["extract", "--root", path, "--sink", `file:${path}/out`, "--state", `${path}/state`]);
  await running.says("Verified discogs_20260801_labels"); // while the releases are still being verified
  await rename(dumpPath(other, "labels"), dumpPath(path, "labels"));
  const ended = await running.ended;
  const published = (await filesIn(join(path, "out"))).includes(`${VERSION}/labels.ndjson`);
  expect({ code: ended.code, last: lastLine(ended), published }).toMatchObject({ code: 4, last: expect.stringContaining("SOURCE_CHANGED"), published: false });

  const { report, code } = await extract(["--root", path, "--sink", `file:${path}/out`, "--state", `${path}/state`]);
  expect({ code, complete: report.complete }).toEqual({ code: 0, complete: true });
});

describe("a dump that changes while it is read", () => {
  /** A run that stands still in the middle of reading. */
  async function halfWay(name: string, plain: boolean) {
    const path = join(folder.path, name);
    await makeDump(path, { releases: 20_000, seed: random.seed });
    const gzip = dumpPath(path, "releases");
    const dump = plain ? gzip.slice(0, -".gz".length) : gzip;
    if (plain) await writeFile(dump, gunzipSync(await readFile(gzip)));
    await removeChecksums(path);
    const state = join(path, "state");
    await mkdir(state);
    const running = new Running(["extract", dump, "--sink", `file:${path}/out`, "--state", state, "--checkpoint-records", "500"]);
    await untilSaved(running, state, 7);
    expect(running.isRunning).toBe(true);
    await freeze(running.pid);
    return { dump, out: join(path, "out"), running };
  }

  test("cut short: refused, and nothing has a final name", { timeout: 60_000 }, async () => {
    const { dump, out, running } = await halfWay("cut", false);
    await truncate(dump, (await stat(dump)).size - 1_000);
    running.kill("SIGCONT");
    const ended = await running.ended;
    expect({ code: ended.code, last: lastLine(ended) }).toMatchObject({ code: 4, last: expect.stringMatching(/SOURCE_CORRUPT|SOURCE_CHANGED/) });
    expect((await filesIn(out)).filter((name) => !name.endsWith(".partial"))).toEqual([]);
  });

  test("other text in plain XML, which nothing guards: refused, and nothing has a final name", { timeout: 60_000 }, async () => {
    const { dump, out, running } = await halfWay("edited", true);
    await using file = await open(dump, "r+");
    const { size } = await file.stat();
    const tail = Buffer.alloc(100_000);
    await file.read(tail, 0, tail.length, size - tail.length);
    await file.write("X", size - tail.length + tail.indexOf("<title>") + "<title>".length);
    running.kill("SIGCONT");
    const ended = await running.ended;
    expect({ code: ended.code, last: lastLine(ended) }).toMatchObject({ code: 4, last: expect.stringContaining("SOURCE_CHANGED") });
    expect((await filesIn(out)).filter((name) => !name.endsWith(".partial"))).toEqual([]);
  });
});
