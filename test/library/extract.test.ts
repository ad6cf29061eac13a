import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DumpError, extract } from "../../dist/index.js";

const run = promisify(execFile);
const XML = [
  "<releases>",
  '<release id="1"><title>A &amp; B</title><genres><genre>Jazz</genre><genre>Rock</genre></genres></release>',
  '<release id="2"><title>C</tilte></release>',
  '<release id="3"><title>D</title><genres><genre>Jazz</genre></genres></release>',
  "</releases>",
  "",
].join("\n");

let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deadwax-library-"));
  path = join(folder, "discogs_20260801_releases.xml.gz");
  await writeFile(path, gzipSync(XML));
});
afterAll(() => rm(folder, { recursive: true }));

test("gives records parsed lazily, exact bodies, and rejects beside them", async () => {
  const titles: unknown[] = [];
  const ids: string[] = [];
  const rejects: string[] = [];
  for await (const batch of extract(path, { contract: "fanout", threads: 1 })) {
    expect([batch.dataType, batch.contract, batch.version]).toEqual(["releases", "fanout", "20260801"]);
    expect(batch.length).toBe(batch.ends.length);
    for (const record of batch) titles.push(record["title"]);
    for (let i = 0; i < batch.length; i += 1) ids.push(JSON.parse(Buffer.from(batch.body(i)).toString()).id);
    rejects.push(...batch.rejects.map(({ id, kind }) => `${id} ${kind}`));
  }
  expect(titles).toEqual(["A & B", "D"]);
  expect(ids).toEqual(["1", "3"]);
  expect(rejects).toEqual(["2 end-tag-mismatch"]);
});

test("leaves early without leaving anything behind", async () => {
  for await (const batch of extract(path, { threads: 2, chunkBytes: 4096 })) {
    expect(batch.length).toBeGreaterThan(0);
    break;
  }
});

test("refuses a damaged dump before the first batch, with a code", async () => {
  const damaged = join(folder, "cut.xml.gz");
  await writeFile(damaged, gzipSync(XML).subarray(0, -9));
  const read = async () => {
    for await (const _ of extract(damaged, { type: "releases" })) throw new Error("a batch of a damaged dump");
  };
  await expect(read()).rejects.toThrow(DumpError);
  await expect(read()).rejects.toMatchObject({ code: "SOURCE_CORRUPT" });
});

test("fails at one reject too many, and stops on a signal", async () => {
  const read = async (options: Parameters<typeof extract>[1]) => {
    for await (const batch of extract(path, options)) expect(batch.length).toBeGreaterThan(0);
  };
  await expect(read({ rejectsMax: 0 })).rejects.toMatchObject({ code: "RECORDS_REJECTED" });
  await expect(read({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
});

test("the documented example runs as it stands", async () => {
  const { stdout } = await run(process.execPath, ["docs/examples/count-genres.mjs", path]);
  expect(stdout).toBe("2\tJazz\n1\tRock\n");
});
