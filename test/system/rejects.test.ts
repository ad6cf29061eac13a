import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deadwax, extract, lastLine } from "./support/deadwax.ts";
import "./support/slow.ts";
import { breakEvery, dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { readMarker } from "./support/marker.ts";
import { digestOf, filesIn } from "./support/output.ts";

const RELEASES = 3_000;
const REJECTS_MAX = 100;

let folder: Folder;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

async function broken(name: string, every: number) {
  const path = join(folder.path, name);
  await makeDump(path, { releases: RELEASES });
  const rejected = await breakEvery(every, path);
  const args = [dumpPath(path, "releases"), "--sink", `file:${path}/out`, "--state", `${path}/state`];
  return { path, rejected, args, out: join(path, "out"), state: join(path, "state") };
}

test("malformed records are set apart, their neighbours delivered, and the version is not complete", async () => {
  const { path, rejected, args, out, state } = await broken("some", 50);
  const { report, code } = await extract(args);
  expect(code).toBe(3);
  expect(report.complete).toBe(false);
  expect(report.types["releases"]).toMatchObject({ read: RELEASES, written: RELEASES - rejected, rejected, empty: 0 });

  const lines = (await readFile(join(out, VERSION, "releases.rejects.ndjson"), "utf8")).trimEnd().split("\n");
  const rejects = lines.map((line) => JSON.parse(line) as { offset: number; id: string; kind: string; message: string; raw: string });
  const xml = gunzipSync(await readFile(dumpPath(path, "releases")));
  expect(rejects.length).toBe(rejected);
  for (const { offset, id, kind, raw } of rejects) {
    expect(xml.subarray(offset, offset + 14 + id.length).toString()).toContain(`<release id="${id}"`);
    expect(kind).toBe("end-tag-mismatch");
    expect(raw).toBe(xml.subarray(offset, xml.indexOf("</release>", offset) + "</release>".length).toString());
  }
  expect(await digestOf(join(out, VERSION, "releases.ndjson"))).toEqual({ records: RELEASES - rejected, digest: report.types["releases"]?.digest });

  const marker = await readMarker(state);
  expect(marker.summary).toMatchObject({ overall_status: "in_progress", files_by_type: { releases: "completed" } });

  const before = await stat(join(out, VERSION, "releases.ndjson"), { bigint: true });
  const again = await extract(args);
  expect({ code: again.code, complete: again.report.complete }).toEqual({ code: 3, complete: false });
  expect(again.report.types["releases"]).toMatchObject({ read: RELEASES, rejected, xmlBytes: 0 });
  const after = await stat(join(out, VERSION, "releases.ndjson"), { bigint: true });
  expect({ ino: after.ino, mtimeNs: after.mtimeNs }).toEqual({ ino: before.ino, mtimeNs: before.mtimeNs }); // not published again
});

test(`${REJECTS_MAX} are too few to fail a file, one more fails it, and --max-rejects moves the limit`, async () => {
  const { path, rejected, args, out } = await broken("many", 20);
  expect(rejected).toBeGreaterThan(REJECTS_MAX);
  const failed = await deadwax(["extract", ...args]);
  expect(failed.code).toBe(4);
  expect(lastLine(failed)).toMatch(/^deadwax: RECORDS_REJECTED: discogs_20260801_releases\.xml\.gz: more than 100 malformed records, .*raise --max-rejects$/);
  expect(await filesIn(out)).toEqual([`${VERSION}/releases.ndjson.partial`, `${VERSION}/releases.rejects.ndjson`]);
  expect((await readFile(join(out, VERSION, "releases.rejects.ndjson"), "utf8")).trimEnd().split("\n").length).toBe(REJECTS_MAX + 1);

  const tight = await deadwax(["extract", ...args, "--max-rejects", String(rejected - 1)]);
  expect(tight.code).toBe(4);
  const { report, code } = await extract([...args, "--max-rejects", String(rejected)]);
  expect(code).toBe(3);
  expect(report.types["releases"]).toMatchObject({ read: RELEASES, written: RELEASES - rejected, rejected });
  const lines = (await readFile(join(out, VERSION, "releases.rejects.ndjson"), "utf8")).trimEnd().split("\n");
  expect(lines.length).toBe(rejected); // each of them once, although the first runs had written some
  expect(new Set(lines).size).toBe(rejected);
  void path;
});

test("--max-rejects 0 fails at the first", async () => {
  const { args } = await broken("none", 1_000);
  const failed = await deadwax(["extract", ...args, "--max-rejects", "0"]);
  expect({ code: failed.code, last: lastLine(failed) }).toMatchObject({ code: 4, last: expect.stringContaining("RECORDS_REJECTED") });
});
