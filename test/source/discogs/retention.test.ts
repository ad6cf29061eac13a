import { readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { oldFiles, removeOldVersions } from "../../../src/source/discogs/retention.ts";
import { emptyFolder, fill, TYPES } from "./setup.ts";

const dumps = (version: string, types: readonly string[] = TYPES) => types.map((type) => `discogs_${version}_${type}.xml.gz`);
const checksum = (version: string) => `discogs_${version}_CHECKSUM.txt`;

async function rootOf(names: readonly string[]): Promise<string> {
  const root = await emptyFolder();
  await fill(root, Object.fromEntries(names.map((name) => [name, "12345"])));
  return root;
}

it("removes what is older than the newest complete versions, and says what it was", async () => {
  const foreign = ["notes.txt", ".discogs_metadata.json", ".extraction_status_20260501.json", "discogs_20260501_things.xml.gz"];
  const old = [...dumps("20260501"), checksum("20260501"), ".discogs_20260501_artists.xml.gz.part", ...dumps("20260601", ["labels"])];
  const kept = [...dumps("20260701"), checksum("20260701"), ...dumps("20260801"), ...dumps("20260901", ["artists"])];
  const root = await rootOf([...old, ...kept, ...foreign]);
  const removed = await removeOldVersions(root, 2, "20260901", () => {});
  expect(removed.map(({ name }) => name)).toEqual([...old].sort());
  expect(removed[0]).toEqual({ name: ".discogs_20260501_artists.xml.gz.part", version: "20260501", bytes: 5 });
  expect((await readdir(root)).sort()).toEqual([...kept, ...foreign].sort());
  expect(await removeOldVersions(root, 2, "20260901", () => {})).toEqual([]);
});

it("removes nothing while there are no more complete versions than are kept, and never what is in work", async () => {
  const names = [...dumps("20260601", ["artists"]), ...dumps("20260701"), ...dumps("20260801")];
  expect(oldFiles(names, 3, null)).toEqual([]);
  expect(oldFiles(names, 1, "20260701").map(({ version }) => version)).toEqual(["20260601"]);
  expect(oldFiles(names, 0, null)).toEqual(oldFiles(names, 1, null));
});

it("leaves links and folders alone", async () => {
  const root = await rootOf([...dumps("20260801")]);
  const elsewhere = await rootOf(["precious"]);
  await symlink(join(elsewhere, "precious"), join(root, "discogs_20260701_artists.xml.gz"));
  expect(await removeOldVersions(root, 1, null, () => {})).toEqual([]);
  expect(await readdir(elsewhere)).toEqual(["precious"]);
});

it("never touches the newest complete versions or the one in work", () => {
  const version = fc.constantFrom("20260101", "20260201", "20260301", "20260401", "20260501");
  const file = fc.tuple(version, fc.constantFrom(...TYPES)).map(([v, type]) => `discogs_${v}_${type}.xml.gz`);
  fc.assert(
    fc.property(fc.uniqueArray(file), fc.uniqueArray(version), fc.integer({ min: 1, max: 4 }), fc.option(version), (some, complete, keep, inWork) => {
      const names = [...new Set([...some, ...complete.flatMap((v) => dumps(v))])];
      const gone = new Set(oldFiles(names, keep, inWork).map(({ name }) => name));
      const whole = (list: readonly string[]) =>
        ["20260501", "20260401", "20260301", "20260201", "20260101"].filter((v) => dumps(v).every((n) => list.includes(n)));
      const left = names.filter((name) => !gone.has(name));
      const before = whole(names);
      expect(whole(left).slice(0, keep)).toEqual(before.slice(0, keep));
      expect(left.length === names.length || whole(left).length >= Math.min(keep, before.length)).toBe(true);
      for (const name of gone) expect(inWork === null || !name.includes(inWork)).toBe(true);
    }),
  );
});
