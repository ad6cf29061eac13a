import { cp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writePointer } from "../../src/change/pointer.ts";
import type { DataType } from "../../src/model.ts";
import { Database } from "../services/database.ts";
import { deadwax, lastLine } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { filesIn } from "../system/support/output.ts";
import { seeded } from "../system/support/random.ts";
import { expectSame, runAndExpect } from "./expect-changes.ts";
import { expectedChanges, idOf, lastOf, type Records, replay } from "./oracle.ts";
import { A, B, C, Scene } from "./scene.ts";

const D = "20261101";
const FLAGS = { chunk: "16KiB", allowDeletes: true };

const random = seeded("state");
let scene: Scene;

beforeAll(async () => {
  scene = await Scene.create({ labels: 300, releases: 150 }, random.seed);
  const { seed } = random;
  await cp(scene.place(), scene.place("first"), { recursive: true });
  await scene.next(B, "created=5,updated=5%,deleted=6", { seed });
  await scene.next(C, "created=5,updated=5%,deleted=6", { seed });
  // What B and C have changed is as it was in A, and what they have created is gone.
  await scene.next(D, "created=3,updated=2%,deleted=3", { seed, from: scene.place("first"), out: scene.place("reverted") });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** A state command on the index of a place's sink. */
async function state(name: string, args: readonly string[]) {
  const of = ["--state", join(scene.place(name), "state"), "--sink", `file:${join(scene.place(name), "out")}`, "--output", "json"];
  const ended = await deadwax(["state", ...args, ...of]);
  return { ...ended, json: ended.stdout.length === 0 ? null : JSON.parse(ended.stdout.toString()) };
}

async function done(name: string, args: readonly string[]) {
  const ended = await state(name, args);
  expect([ended.code, ended.stderr.split("\n").filter((line) => line.includes("error"))]).toEqual([0, []]);
  return ended.json;
}

/** Runs a version into a sink that holds `now`, and holds what becomes of it against a full extraction. */
async function expectEnd(name: string, version: string, now: ReadonlyMap<DataType, Records>, from = scene.place()): Promise<Record<string, number>> {
  await scene.run(name, { version, flags: FLAGS, from });
  const sent: Record<string, number> = {};
  for (const type of scene.types) {
    const stream = await scene.stream(name, type, version);
    expectSame(`${type} ${version}`, replay(now.get(type) ?? new Map(), stream), (await scene.full(type, version, { from })).last);
    sent[type] = new Set(stream.records.map(idOf)).size;
  }
  return sent;
}

async function lastIn(version: string): Promise<Map<DataType, Records>> {
  return new Map(await Promise.all(scene.types.map(async (type) => [type, (await scene.full(type, version)).last] as const)));
}

async function changedBetween(one: string, other: string, from = scene.place()): Promise<Record<string, number>> {
  const changes = scene.types.map(async (type) => {
    const { created, updated } = expectedChanges((await scene.full(type, one)).last, (await scene.full(type, other, { from })).last);
    return [type, created.length + updated.length];
  });
  return Object.fromEntries(await Promise.all(changes));
}

/** The file of the last good generation. */
async function indexFile(name: string, type: DataType): Promise<string> {
  const pointer = await pointerOf(name);
  const { types } = JSON.parse(await readFile(pointer, "utf8"));
  return join(pointer, "..", types[type].file);
}

async function pointerOf(name: string): Promise<string> {
  const place = scene.place(`${name}/state`);
  return join(place, (await filesIn(place)).find((file) => file.endsWith("CURRENT.json")) ?? "");
}

async function losePointer(name: string, how: string): Promise<void> {
  if (how === "damaged") await writeFile(await pointerOf(name), "{");
  else await rm(await pointerOf(name));
}

/** Delivers a version by a process that is killed before its generations become the last good ones. */
async function killedAtGeneration(name: string, version: string): Promise<void> {
  const place = ["--sink", `file:${join(scene.place(name), "out")}`, "--state", join(scene.place(name), "state")];
  const files = scene.types.map((type) => dumpPath(scene.place(), type, version));
  const options = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: `generation-written kill ${scene.types.length}` } };
  const ended = await deadwax(["extract", ...files, ...place, "--mode", "incremental", "--allow-deletes"], options);
  expect(ended.signal, ended.stderr).toBe("SIGKILL");
}

async function damage(path: string, at: number): Promise<void> {
  await using file = await open(path, "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 0x55]), 0, 1, at);
}

describe("an export", () => {
  test("that is brought back after two runs: nothing is lost, whatever comes next", async () => {
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, "back", { version: A, flags: FLAGS }, before);
    const exports = join(scene.place("back"), "exports");
    const { folder } = await done("back", ["export", exports]);
    for (const version of [B, C]) await runAndExpect(scene, "back", { version, flags: FLAGS }, before);

    const { from, types } = await done("back", ["import", exports]);
    expect([from, types.labels.what, types.releases.what]).toEqual([folder, "restored", "restored"]);
    expect(types.labels).toMatchObject({ version: A, what: "restored" });
    expect(types.labels.doubted).toBeGreaterThan(10);
    // The version that was delivered last, which its state marker calls complete, and which the sink has.
    const sent = await expectEnd("back", C, before);
    const changed = await changedBetween(A, C);
    for (const type of scene.types) expect(sent[type]).toBeGreaterThanOrEqual(changed[type] ?? 0);
    expect(sent["labels"]).toBeLessThan(150);
    // Once more: the index is as good as any.
    await runAndExpect(scene, "back", { version: D, flags: FLAGS, from: scene.place("reverted") }, before);
  });

  test("that is brought back: what was changed since and is changed back is delivered, and what was created since is deleted", async () => {
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, "reverted-run", { version: A, flags: FLAGS }, before);
    const exports = join(scene.place("reverted-run"), "exports");
    await done("reverted-run", ["export", exports]);
    for (const version of [B, C]) await runAndExpect(scene, "reverted-run", { version, flags: FLAGS }, before);
    await done("reverted-run", ["import", exports]);
    const sent = await expectEnd("reverted-run", D, before, scene.place("reverted"));
    expect(sent["labels"]).toBeLessThan(150);
  });

  test("for a state that was lost delivers everything again, unless it is said to be current", async () => {
    await runAndExpect(scene, "lost", { version: A, flags: FLAGS }, new Map());
    const exports = join(scene.place("lost"), "exports");
    await done("lost", ["export", exports]);
    await rm(join(scene.place("lost"), "state"), { recursive: true });
    await cp(scene.place("lost"), scene.place("current"), { recursive: true });

    expect((await done("lost", ["import", exports])).types.labels).toMatchObject({ records: 300, doubted: 300 });
    expect(await expectEnd("lost", C, await lastIn(A))).toEqual(Object.fromEntries([...(await lastIn(C))].map(([type, { size }]) => [type, size])));

    // Its sink has another name, which tells whose an export is.
    const other = await state("current", ["import", exports]);
    expect([other.code, JSON.parse(lastLine(other)).error.message]).toEqual([2, expect.stringContaining("no export of file:")]);
    const { types } = await importAs("lost", "current", exports);
    expect(types.labels).toMatchObject({ records: 300, doubted: 0 });
  });

  /** Imports into the state of another place, for the sink of the first; nothing was delivered since. */
  async function importAs(name: string, other: string, exports: string) {
    const args = ["state", "import", exports, "--current", "--state", join(scene.place(other), "state"), "--sink", `file:${join(scene.place(name), "out")}`];
    return JSON.parse((await deadwax([...args, "--output", "json"])).stdout.toString());
  }

  test("of what is there is no change, and mends what is damaged", async () => {
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, "mended", { version: A, flags: FLAGS }, before);
    const exports = join(scene.place("mended"), "exports");
    const { folder, sink, types } = await done("mended", ["export", exports]);
    expect([sink, types.labels]).toEqual([`file:${join(scene.place("mended"), "out")}`, { version: A, records: 300 }]);
    const index = await scene.hashes("mended/state");
    expect((await done("mended", ["import", folder])).types).toMatchObject({ labels: { what: "same", doubted: 0 }, releases: { what: "same" } });
    expect(await scene.hashes("mended/state")).toEqual(index);

    await damage(await indexFile("mended", "labels"), 400);
    await expect(scene.run("mended", { version: B, flags: FLAGS })).rejects.toMatchObject({ code: "INDEX_CORRUPT" });
    const { types: mended } = await done("mended", ["import", exports]);
    expect(mended).toMatchObject({ labels: { what: "restored", doubted: 0 }, releases: { what: "same" } });
    // The run that failed may have delivered releases.
    await expectEnd("mended", B, before);
  });

  test("keeps what was exported before, and is refused where it is damaged", async () => {
    await runAndExpect(scene, "kept", { version: A, flags: FLAGS }, new Map());
    const exports = join(scene.place("kept"), "exports");
    const folders = [(await done("kept", ["export", exports])).folder, (await done("kept", ["export", exports])).folder];
    expect((await readdir(exports)).sort().map((name) => join(exports, name))).toEqual(folders);
    const [file = ""] = (await readdir(folders[1])).filter((name) => name.startsWith("releases"));
    const before = await scene.hashes("kept/state");
    await damage(join(folders[1], file), 300);
    const refused = await state("kept", ["import", exports]);
    expect([refused.code, JSON.parse(lastLine(refused)).error]).toEqual([
      6,
      { code: "INDEX_CORRUPT", message: expect.stringContaining(`${file} is not what was exported`) },
    ]);
    expect(await scene.hashes("kept/state")).toEqual(before);
    expect((await done("kept", ["import", folders[0]])).types.labels.what).toBe("same");
  });

  test("forgets nothing of a run that was never ended", async () => {
    const before = new Map<DataType, Records>();
    await runAndExpect(scene, "unended", { version: A, flags: FLAGS }, before);
    const exports = join(scene.place("unended"), "exports");
    await done("unended", ["export", exports]);
    await runAndExpect(scene, "unended", { version: B, flags: FLAGS }, before);
    await scene.run("unended", { version: C, flags: { chunk: "16KiB", mode: "normal", limit: "100" } });
    for (const type of scene.types) before.set(type, new Map([...(before.get(type) ?? []), ...lastOf(await scene.lines("unended", `${C}/${type}.ndjson`))]));
    await done("unended", ["import", exports]);
    await expectEnd("unended", D, before, scene.place("reverted"));
  });
});

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

describe("beside a database that is filled", () => {
  let database: Database;
  beforeAll(async () => {
    database = await Database.create();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  test("the first incremental run delivers only what differs", async () => {
    // As upstream's table writer makes them.
    for (const type of scene.types) {
      await database.query(`CREATE TABLE ${type} (data_id VARCHAR PRIMARY KEY, hash VARCHAR NOT NULL, data JSONB NOT NULL)`);
      const bodies = [...(await scene.full(type, B)).last].map(([id, body]) => [id, JSON.parse(body)] as const);
      await database.query(`INSERT INTO ${type} SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[])`, [
        bodies.map(([id]) => id),
        bodies.map(([, { sha256 }]) => sha256),
        bodies.map(([, body]) => JSON.stringify(body)),
      ]);
    }
    const { types } = await done("filled", ["import", "--from", database.url]);
    expect(types).toMatchObject({ labels: { what: "rebuilt", records: 299, doubted: 0 }, releases: { what: "rebuilt", doubted: 0 } });
    await runAndExpect(scene, "filled", { version: C, flags: FLAGS }, await lastIn(B));
    // A row that says nothing of its content is delivered again.
    await database.query("UPDATE labels SET hash = 'none' WHERE data_id = (SELECT min(data_id) FROM labels)");
    expect((await done("filled", ["repair", "--from", database.url])).types.labels.what).toBe("sound");
    await damage(await indexFile("filled", "labels"), 500);
    expect((await done("filled", ["repair", "--from", database.url])).types.labels).toMatchObject({ what: "rebuilt", records: 299, doubted: 1 });
    const elsewhere = await state("filled", ["import", "--from", database.with({ schema: "elsewhere" })]);
    expect([elsewhere.code, JSON.parse(lastLine(elsewhere)).error.code]).toEqual([5, "SINK_UNAVAILABLE"]);
  });
});

test("a command that would do nothing says so, and a pointer that is lost is shown", async () => {
  await runAndExpect(scene, "nothing", { version: A, flags: FLAGS }, new Map());
  const exports = join(scene.place("nothing"), "exports");
  await done("nothing", ["export", exports]);
  for (const [args, text] of [
    [["import", exports, "--type", "artists"], "the export has no artists; it has labels, releases"],
    [["repair", "--type", "artists"], "nothing is known of artists"],
  ] as const) {
    const refused = await state("nothing", args);
    expect([refused.code, JSON.parse(lastLine(refused)).error]).toEqual([2, { code: "CONFIG_INVALID", message: expect.stringContaining(text) }]);
  }
  await rm(await pointerOf("nothing"));
  const shown = await deadwax(["state", "show", "--state", join(scene.place("nothing"), "state")]);
  expect(shown.stdout.toString()).toContain("CURRENT.json is not there");
});

test("a dry run says that it does not tell of what a run has delivered that was broken off", async () => {
  await runAndExpect(scene, "dry", { version: A, flags: FLAGS }, new Map());
  await killedAtGeneration("dry", B);
  const { warnings } = await scene.run("dry", { version: C, flags: { ...FLAGS, dryRun: true } });
  expect(warnings.filter((text) => text.includes("an earlier run was broken off"))).toHaveLength(scene.types.length);
});

test("what each run has found is remembered and shown", async () => {
  const before = new Map<DataType, Records>();
  for (const version of [A, B, C]) await runAndExpect(scene, "shown", { version, flags: FLAGS }, before);
  const { stdout } = await deadwax(["state", "show", "--state", join(scene.place("shown"), "state"), "--output", "json"]);
  const shown = stdout
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter((line) => "index" in line);
  expect(shown.length).toBe(1);
  const { created, updated, deleted, unchanged } = expectedChanges((await scene.full("labels", A)).last, (await scene.full("labels", B)).last);
  const labels = shown[0].history.filter(({ dataType }: { dataType: string }) => dataType === "labels");
  expect(labels.map(({ version }: { version: string }) => version)).toEqual([A, B, C]);
  expect(labels[1]).toMatchObject({
    created: created.length,
    updated: updated.length,
    deleted: deleted.length,
    unchanged: unchanged.length,
    pending: 0,
    repeated: 0,
  });
  const text = (await deadwax(["state", "show", "--state", join(scene.place("shown"), "state")])).stdout.toString();
  expect(text).toMatch(new RegExp(`record index of file:.*\\(topic\\)\n {2}labels: \\d+ records as of ${C}\n`));
  expect(text).toContain(`labels ${B}: ${created.length} created, ${updated.length} updated`);
});

test.each([
  [["export", "x"], /CONFIG_INVALID.*give --sink/],
  [["import", "--sink", "null:"], /CONFIG_INVALID.*give either the folder/],
  [["export", "x", "--sink", "null:"], /CONFIG_INVALID.*no record index of null:/],
  [["repair", "--sink", "null:"], /CONFIG_INVALID.*no record index of null:/],
])("state %j is refused", async (args, line) => {
  const ended = await deadwax(["state", ...args, "--state", scene.place("nothing")]);
  expect([ended.code, lastLine(ended)]).toEqual([2, expect.stringMatching(line)]);
});
