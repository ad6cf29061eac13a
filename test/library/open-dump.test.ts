import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Dump, openDump } from "../../dist/index.js";
import { bodiesIn, dumpOf, folderWith, label, manyLabels, NAME, zipped } from "../look/labels.ts";
import { seeded } from "../system/support/random.ts";

/** More than three spans of XML. */
const MANY = 30_000;
const SAMPLE = 40;

const textOf = (bytes: Uint8Array | null | undefined) => (bytes ? Buffer.from(bytes).toString() : null);

async function bodyOf(dump: Dump, id: string): Promise<string | null> {
  return textOf((await dump.getRecord(id))?.body);
}

describe("a record of a dump", () => {
  test.each([
    ["in ascending order", NAME, zipped, false],
    ["in no order", NAME, zipped, true],
    ["in a gzip of two members", NAME, (text: string) => Buffer.concat([zipped(text.slice(0, 9_999_999)), zipped(text.slice(9_999_999))]), true],
    ["in plain XML", NAME.replace(".gz", ""), (text: string) => Buffer.from(text), false],
  ])("%s is what a full extraction delivers, byte for byte", async (_, name, pack, isShuffled) => {
    const { between } = seeded(name);
    const random = () => between(0, 2 ** 31) / 2 ** 31;
    const records = manyLabels(MANY, isShuffled ? random : null);
    const folder = await folderWith({ [name]: pack(dumpOf(records)) });
    const expected = await bodiesIn(join(folder, name));
    await using dump = await openDump(join(folder, name), { threads: 2 });
    const drawn = Array.from({ length: SAMPLE }, () => String(1 + Math.floor(random() * MANY)));
    const ids = [...new Set(["1", String(MANY), idOf(records[0]), idOf(records.at(-1)), ...drawn])];
    const found = await dump.getRecords(ids);
    expect([...found.keys()].sort()).toEqual([...ids].sort());
    for (const id of ids) {
      expect(textOf(found.get(id)?.body)).toBe(expected.get(id));
      // Stretches that are read overlap a little: no record is counted in two.
      expect(found.get(id)?.occurrences).toBe(1);
      expect(records).toContain(textOf(found.get(id)?.xml));
    }
    for (const id of ids.slice(0, 4)) expect(await bodyOf(dump, id)).toBe(expected.get(id));
    expect(await dump.getRecord(String(MANY + 1))).toBeNull();
  });

  test.each(["topic", "fanout"] as const)("has any id that the %s contract has, and the last of several counts", async (contract) => {
    const records = [
      label("7", "first"),
      label("A-1", "letters"),
      label("007", "zeros"),
      label("&#49;2", "an entity"),
      label("9007199254740993", "beyond exact numbers"),
      label(null, "none at all"),
      label("7", "second"),
      '<label id="5"><id>6</id><name>two ids</name></label>',
      label("3", "last"),
    ];
    const folder = await folderWith({ [NAME]: zipped(dumpOf(records)) });
    const expected = await bodiesIn(join(folder, NAME), contract);
    expect(expected.size).toBe(8);
    // Built in the other contract: what is known of ids holds in both.
    await using other = await openDump(folder, { type: "labels", contract: contract === "topic" ? "fanout" : "topic" });
    expect(await other.getRecord("8")).toBeNull();
    await using dump = await openDump(folder, { type: "labels", contract });
    for (const [id, body] of expected) expect(await bodyOf(dump, id), id).toBe(body);
    const seven = await dump.getRecord("7");
    expect([seven?.occurrences, seven?.parse()["name"], seven?.offset]).toEqual([2, "second", dumpOf(records).lastIndexOf("<label><id>7<")]);
    for (const id of ["", "07", "2", "-7", " 7", "x".repeat(10_000)]) expect(await dump.getRecord(id), id).toBeNull();
  });

  test("that is malformed is told of, and not delivered", async () => {
    const folder = await folderWith({ [NAME]: zipped(dumpOf([label("1", "a"), "<label><id>2</id><name>x</nmae></label>", label("3", "c")])) });
    await using dump = await openDump(join(folder, NAME));
    const { records, rejects } = await dump.find(["2", "3"]);
    expect([...records.keys()]).toEqual(["3"]);
    expect(rejects.get("2")).toMatchObject({ id: "2", kind: "end-tag-mismatch" });
  });
});

describe("the access index", () => {
  test("that is damaged anywhere is built anew, and is the same again", async () => {
    const folder = await folderWith({ [NAME]: zipped(dumpOf(manyLabels(MANY, null))) });
    const path = join(folder, NAME);
    const expected = await bodiesIn(path);
    const open = async () => {
      await using dump = await openDump(path);
      for (const id of ["1", String(MANY - 1)]) expect(await bodyOf(dump, id)).toBe(expected.get(id));
    };
    await open();
    const access = join(folder, ".deadwax_access", `${NAME}.access`);
    const sound = await readFile(access);
    const last = sound.length - 1;
    const places = [0, 9, 2000, sound.length - 400, sound.length - 80, sound.length - 50, last];
    const flipped = places.map((at) => Buffer.from(sound.map((byte, index) => (index === at ? byte ^ 0x10 : byte))));
    for (const damaged of [...flipped, sound.subarray(0, last), sound.subarray(0, 100), Buffer.alloc(0), Buffer.alloc(sound.length)]) {
      await writeFile(access, damaged);
      await open();
      // A window is looked at only where it is used, and both ends of the file have been.
      if (!(await readFile(access)).equals(sound)) expect(damaged).toEqual(flipped[2]);
    }
    expect(await readdir(join(folder, ".deadwax_access"))).toEqual([`${NAME}.access`]);
  });

  test("of a dump that was replaced is built anew, and an open one refuses to mix them", async () => {
    const folder = await folderWith({ [NAME]: zipped(dumpOf([label("1", "old"), label("2", "gone")])), beside: zipped(dumpOf([label("1", "new")])) });
    const path = join(folder, NAME);
    await using old = await openDump(path);
    expect((await old.getRecord("1"))?.parse()["name"]).toBe("old");
    await rename(join(folder, "beside"), path);
    await expect(old.getRecord("1")).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    await using dump = await openDump(path);
    expect((await dump.getRecord("1"))?.parse()["name"]).toBe("new");
    expect(await dump.getRecord("2")).toBeNull();
  });

  test("is kept where the state is, and is not made of a damaged dump", async () => {
    const folder = await folderWith({ [NAME]: zipped(dumpOf([label("1", "a")])), "cut.xml.gz": zipped(dumpOf(manyLabels(100, null))).subarray(0, -20) });
    const state = await folderWith({});
    await using _dump = await openDump(folder, { type: "labels", state });
    expect(await readdir(join(state, ".deadwax_access"))).toEqual([`${NAME}.access`]);
    expect((await readdir(folder)).sort()).toEqual(["cut.xml.gz", NAME]);
    await expect(openDump(join(folder, "cut.xml.gz"), { type: "labels", state })).rejects.toMatchObject({ code: "SOURCE_CORRUPT" });
    expect(await readdir(join(state, ".deadwax_access"))).toEqual([`${NAME}.access`]);
  });
});

test.each([
  ["a folder without a type", {}, "CONFIG_INVALID"],
  ["a version that is not there", { type: "labels", version: "20990101" }, "SOURCE_MISSING"],
  ["a type that is not there", { type: "artists" }, "SOURCE_MISSING"],
] as const)("refuses %s", async (_, options, code) => {
  const folder = await folderWith({ [NAME]: zipped(dumpOf([label("1", "a")])) });
  await expect(openDump(folder, options)).rejects.toMatchObject({ code });
});

function idOf(record: string | undefined): string {
  return /<id>(\d+)</.exec(record ?? "")?.[1] ?? "";
}
