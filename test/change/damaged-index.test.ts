import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writePointer } from "../../src/change/pointer.ts";
import type { DataType } from "../../src/model.ts";
import { lastLine } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { filesIn } from "../system/support/output.ts";
import { seeded } from "../system/support/random.ts";
import { expectSame, runAndExpect } from "./expect-changes.ts";
import { D, damage, done, expectEnd, FLAGS, indexFile, killedAtGeneration, losePointer, makeMonths, pointerOf, scene, state } from "./index-keeping.ts";
import { type Records, replay } from "./oracle.ts";
import { A, B, C } from "./scene.ts";

const random = seeded("damaged index");
beforeAll(async () => {
  await makeMonths(random.seed);
});
afterAll(() => scene[Symbol.asyncDispose]());

describe("a damaged index", () => {
  test("is told, and made anew from the dumps of the version that the sink has, without delivering anything", async () => {
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, "repaired", { version: B, flags: FLAGS }, before);
    expect((await done("repaired", ["repair"])).types).toMatchObject({ labels: { what: "sound" }, releases: { what: "sound" } });
    await damage(await indexFile("repaired", "labels"), 500);
    const told = await state("repaired", ["repair"]);
    expect([told.code, told.json.types]).toEqual([
      6,
      { labels: expect.objectContaining({ what: "damaged", version: B }), releases: expect.objectContaining({ what: "sound" }) },
    ]);
    const files = (version: string) => scene.types.map((type) => dumpPath(scene.place(), type, version));
    const wrong = await state("repaired", ["repair", ...files(C)]);
    expect([wrong.code, JSON.parse(lastLine(wrong)).error.message]).toEqual([2, expect.stringContaining(`the sink has ${B} of labels, not ${C}`)]);
    const out = await scene.hashes("repaired/out");
    expect((await done("repaired", ["repair", ...files(B)])).types).toMatchObject({ labels: { what: "rebuilt", records: 299 }, releases: { what: "sound" } });
    expect(await scene.hashes("repaired/out")).toEqual(out);
    expect((await filesIn(scene.place("repaired/state"))).filter((file) => /tmp|rebuild|ledger/.test(file))).toEqual([]);
    await runAndExpect(scene, "repaired", { version: C, flags: FLAGS }, before);
  });

  test.each([
    ["damaged", "it is not JSON"],
    ["not there", "is not there"],
  ])("of which the pointer is %s is put together from its files", async (what, fault) => {
    const name = `pointer-${what}`;
    const before = new Map<DataType, Records>();
    for (const version of [A, B]) await runAndExpect(scene, name, { version, flags: FLAGS }, before);
    await losePointer(name, what);
    for (const flags of [FLAGS, { mode: "normal" }]) {
      await expect(scene.run(name, { version: C, flags })).rejects.toMatchObject({
        code: "INDEX_CORRUPT",
        message: expect.stringContaining("deadwax state repair"),
      });
    }
    expect(await done(name, ["repair"])).toMatchObject({ pointerFault: expect.stringContaining(fault), types: { labels: { what: "sound", version: B } } });
    await runAndExpect(scene, name, { version: C, flags: FLAGS }, before);
  });

  test.each(["damaged", "not there"])("of which the pointer is %s is mended by an import of the very same", async (what) => {
    const name = `imported-${what}`;
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, name, { version: A, flags: FLAGS }, before);
    const exports = join(scene.place(name), "exports");
    await done(name, ["export", exports]);
    await losePointer(name, what);
    const { types } = await done(name, ["import", exports]);
    expect(types).toMatchObject({ labels: { what: "restored", records: 300, doubted: 0 }, releases: { what: "restored", doubted: 0 } });
    await runAndExpect(scene, name, { version: B, flags: FLAGS }, before);
  });

  test.each(["damaged", "not there"])("of which the pointer is %s is not put together from what a run left that never ended", async (what) => {
    const name = `unended-${what}`;
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, name, { version: A, flags: FLAGS }, before);
    await killedAtGeneration(name, B);
    expect((await filesIn(scene.place(name))).filter((file) => file.endsWith(".2.idx"))).not.toEqual([]);
    await losePointer(name, what);
    expect(await done(name, ["repair"])).toMatchObject({ types: { labels: { version: A }, releases: { version: A } } });
    await runAndExpect(scene, name, { version: B, flags: FLAGS }, before);
  });

  test("of which the pointer is lost too is not taken for the generation before", async () => {
    const before = new Map<DataType, Records>();
    for (const version of [A, B]) await runAndExpect(scene, "both-lost", { version, flags: FLAGS }, before);
    const [file, pointer] = [await indexFile("both-lost", "labels"), await pointerOf("both-lost")];
    await writeFile(file, "");
    await rm(pointer);
    for (let look = 0; look < 2; look += 1) {
      const told = await state("both-lost", ["repair"]);
      expect([told.code, told.json.types]).toMatchObject([6, { labels: { what: "damaged", version: B }, releases: { what: "sound", version: B } }]);
      await expect(scene.run("both-lost", { version: C, flags: FLAGS })).rejects.toMatchObject({ code: "INDEX_CORRUPT" });
    }
    const files = scene.types.map((type) => dumpPath(scene.place(), type, B));
    expect((await done("both-lost", ["repair", ...files])).types).toMatchObject({ labels: { what: "rebuilt" }, releases: { what: "sound" } });
    await expectEnd("both-lost", C, before);
  });

  test("forgets no deletions that are held back, which no dump has", async () => {
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, "held", { version: A, flags: FLAGS }, before);
    const { reports } = await scene.run("held", { version: B, flags: { chunk: "16KiB" } });
    expect(reports.labels).toMatchObject({ deleted: 0, pending: 6 });
    for (const type of scene.types) before.set(type, replay(before.get(type) ?? new Map(), await scene.stream("held", type, B)));
    await damage(await indexFile("held", "labels"), 500);
    const files = scene.types.map((type) => dumpPath(scene.place(), type, B));
    const { types } = await done("held", ["repair", ...files]);
    expect(types.labels.doubted).toBeGreaterThanOrEqual(6);
    await expectEnd("held", C, before);
  });

  test("with deletions held back that nothing tells of any more is not made anew, unless by force", async () => {
    await runAndExpect(scene, "held-lost", { version: A, flags: FLAGS }, new Map());
    await scene.run("held-lost", { version: B, flags: { chunk: "16KiB" } });
    const file = await indexFile("held-lost", "labels");
    for (const one of [file, file.replace(".2.idx", ".1.idx")]) await damage(one, 500);
    const files = scene.types.map((type) => dumpPath(scene.place(), type, B));
    const refused = await state("held-lost", ["repair", ...files]);
    expect([refused.code, JSON.parse(lastLine(refused)).error]).toEqual([
      6,
      { code: "INDEX_CORRUPT", message: expect.stringContaining("6 deletions are held back, which no dump tells of") },
    ]);
    expect((await done("held-lost", ["repair", ...files, "--force"])).types.labels).toMatchObject({ what: "rebuilt", records: 299 });
  });

  test("of which the pointer is lost keeps the deletions that an import says are held back", async () => {
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, "held-import", { version: A, flags: FLAGS }, before);
    await scene.run("held-import", { version: B, flags: { chunk: "16KiB" } });
    for (const type of scene.types) before.set(type, replay(before.get(type) ?? new Map(), await scene.stream("held-import", type, B)));
    const exports = join(scene.place("held-import"), "exports");
    await done("held-import", ["export", exports]);
    await rm(await pointerOf("held-import"));
    await done("held-import", ["import", exports]);
    const { types } = JSON.parse(await readFile(await pointerOf("held-import"), "utf8"));
    expect(types.labels).toMatchObject({ version: B, pending: 6 });
    await expectEnd("held-import", B, before);
  });

  test("tells what it forgets of a run that was never ended, and delivers everything again", async () => {
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, "killed", { version: A, flags: FLAGS }, before);
    await killedAtGeneration("killed", B);
    for (const type of scene.types) before.set(type, replay(before.get(type) ?? new Map(), await scene.stream("killed", type, B)));
    await damage(await indexFile("killed", "labels"), 500);
    const { stderr, json } = await state("killed", ["repair", ...scene.types.map((type) => dumpPath(scene.place(), type, A))]);
    expect(stderr).toContain("has left a ledger that only the damaged index could tell of");
    expect(json.types).toMatchObject({ labels: { what: "rebuilt", records: 300, doubted: 300 }, releases: { what: "sound" } });
    await scene.run("killed", { version: D, flags: FLAGS, from: scene.place("reverted") });
    for (const type of scene.types) {
      const now = replay(before.get(type) ?? new Map(), await scene.stream("killed", type, D));
      const { last } = await scene.full(type, D, { from: scene.place("reverted") });
      expect([...last].filter(([id, body]) => now.get(id) !== body)).toEqual([]);
      if (type !== "labels") expectSame(type, now, last);
    }
  });

  test("of a newer release is left alone", async () => {
    await runAndExpect(scene, "newer", { version: A, flags: FLAGS }, new Map());
    const exports = join(scene.place("newer"), "exports");
    await done("newer", ["export", exports]);
    const pointer = await pointerOf("newer");
    const text = (await readFile(pointer, "utf8")).replace('"pointerVersion": 1', '"pointerVersion": 2');
    await writeFile(pointer, text);
    for (const args of [["repair"], ["import", exports]]) {
      const refused = await state("newer", args);
      expect([refused.code, JSON.parse(lastLine(refused)).error.code]).toEqual([6, "STATE_TOO_NEW"]);
    }
    await expect(scene.run("newer", { version: B, flags: FLAGS })).rejects.toMatchObject({ code: "STATE_TOO_NEW" });
    expect(await readFile(pointer, "utf8")).toBe(text);
  });

  test("of which the pointer was never there, since the first run was killed, is none", async () => {
    const before = new Map<DataType, Records>();
    for (let kill = 0; kill < 2; kill += 1) await killedAtGeneration("first-killed", A);
    const left = (await filesIn(scene.place("first-killed"))).filter((file) => file.endsWith(".idx"));
    expect(left.length).toBeGreaterThan(0);
    await runAndExpect(scene, "first-killed", { version: A, flags: FLAGS }, before);
    await runAndExpect(scene, "first-killed", { version: B, flags: FLAGS }, before);
  });

  test("numbers no generation like one that was left behind", async () => {
    const before = new Map<DataType, Records>();
    for (const version of [A, B, C]) await runAndExpect(scene, "numbers", { version, flags: FLAGS }, before);
    const pointer = await pointerOf("numbers");
    const { checksum: _, ...body } = JSON.parse(await readFile(pointer, "utf8"));
    const { labels, ...types } = body.types;
    expect(labels.file).toBe("labels.3.idx");
    await writeFile(pointer, writePointer({ ...body, types }));
    await scene.run("numbers", { version: D, flags: FLAGS, from: scene.place("reverted") });
    expect(await indexFile("numbers", "labels")).toMatch(/labels\.4\.idx$/);
    expect((await filesIn(scene.place("numbers"))).filter((file) => /labels\.\d+\.idx$/.test(file))).toEqual([expect.stringMatching(/labels\.4\.idx$/)]);
  });
});
