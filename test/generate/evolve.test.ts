import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DATA_TYPES, type DataType } from "../../src/model.ts";
import { deadwax, lastLine } from "../system/support/deadwax.ts";
import { dumpPath, makeDump, temporaryFolder } from "../system/support/dumps.ts";
import { makeDumps } from "./dumps.ts";
import { type Difference, difference, nextMonth, readMonth } from "./months.ts";

const [FIRST, SECOND, THIRD] = ["20260801", "20260901", "20261001"] as const;
const SIZES = { releases: 400, artists: 1_500, masters: 400, labels: 1_000 };
const NOTHING: Difference = { created: 0, updated: 0, deleted: 0, returned: 0, reordered: 0, bytes: 0, duplicates: 0, revised: 0 };

describe.each(["2026", "2020"] as const)("in the form of %s", (form) => {
  test("each month differs from the one before as was asked", async () => {
    await using folder = await temporaryFolder();
    const [first, second, third] = [FIRST, SECOND, THIRD].map((version) => join(folder.path, version)) as [string, string, string];
    await makeDumps({ ...SIZES, seed: 11, out: first, version: FIRST, form, threads: 2 });
    await nextMonth({ from: first, out: second, version: SECOND, changes: "deleted=10%,updated=30%,bytes=20%,reordered=2%,duplicates=5" });
    const changes = "created=14,updated=10%,deleted=2%,returned=7,reordered=1%,bytes=30%,revised=3,labels.created=0,releases.updated=100";
    const made = await nextMonth({ from: second, out: third, version: THIRD, changes, returnedFrom: first });
    const months = [];
    for (const [at, version] of [FIRST, SECOND, THIRD].entries()) {
      months.push(await readMonth(join(folder.path, version), version, join(folder.path, `scratch-${at}`)));
    }
    const [a, b, c] = months as [(typeof months)[0], (typeof months)[0], (typeof months)[0]];
    for (const type of DATA_TYPES) {
      const many = SIZES[type];
      const of = (share: number, records = many) => Math.round((share * records) / 100);
      const asked = { ...NOTHING, deleted: of(10), updated: of(30), bytes: of(20), reordered: of(2), duplicates: 5 };
      expect(difference(a[type], b[type], []), type).toEqual(asked);
      // Those that come twice are taken over.
      const single = many - of(10) - 5;
      const next = { created: 14, updated: of(10, single), deleted: of(2, single), returned: 7, reordered: of(1, single), bytes: of(30, single), revised: 3 };
      const own: Partial<Record<DataType, Partial<Difference>>> = { labels: { created: 0 }, releases: { updated: 100 } };
      const expected = { ...NOTHING, ...next, ...own[type] };
      expect(made.types[type].changes, type).toEqual(expected);
      expect(made.types[type].records).toBe(c[type].length);
      expect(difference(b[type], c[type], a[type]), type).toEqual({ ...expected, duplicates: 5 });
    }
    // Ids of new records lie between known ones and behind them.
    const known = new Set([...a.artists, ...b.artists].map(({ id }) => id));
    const last = Math.max(...[...known].map(Number));
    const created = c.artists.map(({ id }) => Number(id)).filter((id) => !known.has(String(id)));
    expect([created.filter((id) => id < last).length, created.filter((id) => id > last).length]).toEqual([7, 7]);
  });
});

test("without changes the month after has the same records in other bytes of gzip", async () => {
  await using folder = await temporaryFolder();
  await makeDump(folder.path, { labels: 50, releases: 1, version: FIRST });
  for (const [from, version] of [[FIRST, SECOND] as const, [SECOND, THIRD] as const]) {
    const made = await nextMonth({ from: folder.path, out: folder.path, version, changes: "" });
    expect(made).toMatchObject({ from, types: { labels: { records: 50 }, releases: { records: 1 } } });
    const scratch = join(folder.path, `scratch-${version}`);
    for (const type of ["labels", "releases"] as const) {
      const [old, now] = await Promise.all([from, version].map((of) => readFile(dumpPath(folder.path, type, of))));
      expect(now?.equals(old ?? Buffer.alloc(0))).toBe(false);
      const extracts = [from, version].map((of) => deadwax(["extract", dumpPath(folder.path, type, of), "--sink", "-", "--state", scratch, "--force"]));
      const [before, after] = await Promise.all(extracts);
      expect([after?.code, after?.stdout.toString().split("\n").length]).toEqual([0, type === "labels" ? 51 : 2]);
      expect(after?.stdout.equals(before?.stdout ?? Buffer.alloc(0))).toBe(true);
    }
  }
});

test("the same seed gives the same bytes, whatever the threads", async () => {
  await using folder = await temporaryFolder();
  const from = join(folder.path, "from");
  await makeDump(from, { labels: 3_000, releases: 1_000, version: FIRST });
  const changes = "created=2%,updated=2%,deleted=2%,reordered=2%,bytes=2%,duplicates=2%,releases.revised=5,shuffle";
  const runs = [
    { seed: 1, threads: 1 },
    { seed: 1, threads: 3 },
    { seed: 2, threads: 3 },
  ];
  const [one, three, other] = await Promise.all(
    runs.map(async (run, at) => {
      const out = join(folder.path, String(at));
      const changesList = join(folder.path, `list-${at}`);
      await nextMonth({ from, out, version: SECOND, changes, changesList, ...run });
      const names = ["CHECKSUM.txt", "manifest.json", "labels.xml.gz", "releases.xml.gz"].map((name) => join(out, `discogs_${SECOND}_${name}`));
      return Promise.all([...names, changesList].map((name) => readFile(name, "latin1")));
    }),
  );
  expect(three).toEqual(one);
  expect(other?.[2]).not.toEqual(one?.[2]);
  const [line = ""] = one?.[4]?.split("\n") ?? [];
  expect(JSON.parse(line)).toEqual({ type: "labels", id: expect.stringMatching(/^\d+$/), change: expect.any(String), how: expect.any(String) });
});

test("tells all that is wrong at once", async () => {
  await using folder = await temporaryFolder();
  await makeDump(folder.path, { labels: 20, version: FIRST });
  const evolve = (...args: string[]) => deadwax(["generate", "--evolve", folder.path, "--out", folder.path, ...args]);
  const flags = await evolve("--labels", "5", "--form", "2020", "--seed", "x");
  expect([flags.code, lastLine(flags)]).toEqual([
    2,
    expect.stringMatching(/CONFIG_INVALID: --seed: .*--version: .*--labels: has no meaning.*--form: has no meaning/),
  ]);
  const spec = await evolve("--version", SECOND, "--changes", "updated=many,returned=1,made=2,artists.deleted=1");
  expect([spec.code, lastLine(spec)]).toEqual([2, expect.stringMatching(/CONFIG_INVALID: .*"updated=many".*"made=2".*/)]);
  const numbers = await evolve("--version", SECOND, "--changes", "updated=15,deleted=15,artists.deleted=1");
  expect([numbers.code, lastLine(numbers)]).toEqual([2, expect.stringMatching(/CONFIG_INVALID: .*artists: version 20260801 has none/)]);
  const version = await evolve("--version", FIRST);
  expect([version.code, lastLine(version)]).toEqual([2, expect.stringMatching(/CONFIG_INVALID: version 20260801 is not later than 20260801/)]);
  const missing = await deadwax(["generate", "--evolve", join(folder.path, "nowhere"), "--out", folder.path, "--version", SECOND]);
  expect([missing.code, lastLine(missing)]).toEqual([4, expect.stringMatching(/SOURCE_MISSING: .*nowhere/)]);
  const alone = await deadwax(["generate", "--out", folder.path, "--changes", "updated=1"]);
  expect([alone.code, lastLine(alone)]).toEqual([2, expect.stringMatching(/CONFIG_INVALID: .*--evolve: give the folder/)]);
});
