import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DATA_TYPES, type DataType } from "../../src/model.ts";
import { deadwax } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { expectSame, runAndExpect } from "./expect-changes.ts";
import { type ChangeStream, idOf, idsOfTombstones, type Records, replay } from "./oracle.ts";
import { A, B, C, Scene } from "./scene.ts";

const FLAGS = { allowDeletes: true };

const random = seeded("left-behind");
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.create({ labels: 200, artists: 200 }, random.seed);
  await scene.next(B, "created=5,updated=5%,deleted=3", { seed: random.seed });
  await scene.next(C, "created=5,updated=5%,deleted=3,returned=2", { seed: random.seed, returnedFrom: scene.place() });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** The folder of the one index of a place. */
async function indexFolder(name: string): Promise<string> {
  const folder = join(scene.place(name), "state", ".deadwax_index");
  return join(folder, (await readdir(folder))[0] ?? "");
}

/** Delivers a version by a process that is killed at a durable step. */
async function killedAt(
  point: string,
  name: string,
  version: string,
  { of = scene, types = of.types, passage = 1, args = [] }: Partial<{ of: Scene; types: readonly DataType[]; passage: number; args: string[] }> = {},
): Promise<void> {
  const place = ["--sink", `file:${join(of.place(name), "out")}`, "--state", join(of.place(name), "state")];
  const files = types.map((type) => dumpPath(of.place(), type, version));
  const options = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: `${point} kill ${passage}` } };
  const ended = await deadwax(["extract", ...files, ...place, "--mode", "incremental", "--allow-deletes", ...args], options);
  expect(ended.signal, ended.stderr).toBe("SIGKILL");
}

test("a ledger that was made and holds nothing is begun again", async () => {
  const before = new Map<DataType, Records>();
  await runAndExpect(scene, "empty-ledger", { version: A, flags: FLAGS }, before);
  const folder = await indexFolder("empty-ledger");
  for (const type of DATA_TYPES) await writeFile(join(folder, `${type}.ledger`), "");
  await runAndExpect(scene, "empty-ledger", { version: B, flags: FLAGS }, before);
});

test.each([
  ["its first", A, B],
  ["a later", B, C],
])("a run that was killed behind %s move of the pointer does not stand in the way of the next month", async (what, killed, next) => {
  const name = `moved-${what}`;
  const before = new Map<DataType, Records>();
  if (killed === B) await runAndExpect(scene, name, { version: A, flags: FLAGS }, before);
  await killedAt("index-moved", name, killed);
  const left = (await readdir(await indexFolder(name))).filter((file) => file.endsWith(".ledger"));
  expect(left).toHaveLength(scene.types.length);
  for (const type of scene.types) before.set(type, (await scene.full(type, killed)).last);
  await runAndExpect(scene, name, { version: next, flags: FLAGS }, before);
});

test("a generation that nobody needs any more stands in nobody's way when it is damaged", async () => {
  const name = "older";
  const before = new Map<DataType, Records>();
  await runAndExpect(scene, name, { version: A, flags: FLAGS }, before);
  await killedAt("index-moved", name, B);
  for (const type of scene.types) before.set(type, (await scene.full(type, B)).last);
  const older = join(await indexFolder(name), "labels.1.idx");
  const bytes = await readFile(older);
  await writeFile(older, bytes.fill(0, bytes.length - 40));
  const { reports, complete, warnings } = await scene.run(name, { version: C, flags: FLAGS });
  expect([complete, reports.labels?.unchanged, warnings.filter((text) => text.includes("looked at anew")).length]).toEqual([true, 0, 1]);
  for (const type of scene.types) {
    expectSame(type, replay(before.get(type) ?? new Map(), await scene.stream(name, type, C)), (await scene.full(type, C)).last);
  }
});

test("what was delivered by a first attempt is known, though the second one came less far", async () => {
  const [name, types] = ["attempts", ["labels" as const]];
  const before = (await scene.full("labels", A)).last;
  await scene.run(name, { version: A, types, flags: FLAGS });
  await killedAt("file-announced", name, B, { types });
  const first = { records: await scene.lines(name, `${B}/labels.ndjson`), deleted: [] };
  expect(first.records).toHaveLength(15);
  await killedAt("ledger-synced", name, B, { types, passage: 3, args: ["--chunk", "4KiB"] });
  const second = { records: await scene.lines(name, `${B}/labels.ndjson.partial`), deleted: [] };
  expect(second.records.length).toBeLessThan(first.records.length);
  const back = scene.place("dumps-of-a");
  await mkdir(back);
  await writeFile(dumpPath(back, "labels", C), await readFile(dumpPath(scene.place(), "labels", A)));
  await scene.run(name, { version: C, types, from: back, flags: FLAGS });
  const heard = [first, second, await scene.stream(name, "labels", C)];
  expectSame("those who heard all", heard.reduce(replay, before), before);
});

test("deletions that were told by a run which was never ended are taken back by other bytes", async () => {
  const [name, types] = ["told", ["artists" as const]];
  await scene.run(name, { version: A, types, flags: FLAGS });
  await killedAt("tombstones-synced", name, B, { types });
  const told = await scene.lines(name, `${B}/artists.deleted.ndjson.partial`);
  expect(told).toHaveLength(3);
  const heard = { records: await scene.lines(name, `${B}/artists.ndjson`), deleted: told };
  const before = (await scene.full("artists", A)).last;
  // The month is published anew: nothing of it is gone.
  const from = scene.place("anew");
  await scene.next(B, "updated=2%", { seed: random.seed + 1, out: from });
  await scene.run(name, { version: B, types, from, flags: FLAGS });
  const after = (await scene.full("artists", B, { from })).last;
  const stream = await scene.stream(name, "artists", B);
  expectSame("those who heard both", replay(replay(before, heard), stream), after);
  expectSame("those who heard the second", replay(before, stream), after);
});

test("deletions that were begun are ended, though nothing allows them any more", async () => {
  const [name, types] = ["begun", ["artists" as const]];
  const before = new Map<DataType, Records>();
  await runAndExpect(scene, name, { version: A, types, flags: FLAGS }, before);
  await killedAt("tombstones-synced", name, B, { types });
  // They are more than 1 %, so that a run that begins with them holds them back.
  await runAndExpect(scene, name, { version: B, types }, before);
});

test("deletions that were told and are held back by a forced run are not taken for what downstream has", async () => {
  const [name, types] = ["told-and-held", ["artists" as const]];
  await scene.run(name, { version: A, types, flags: FLAGS });
  await killedAt("tombstones-synced", name, B, { types });
  const told = await scene.lines(name, `${B}/artists.deleted.ndjson.partial`);
  const { reports } = await scene.run(name, { version: B, types, flags: { force: true } });
  expect(reports.artists).toMatchObject({ deleted: 0, pending: 3 });
  const back = scene.place("dumps-back");
  await mkdir(back);
  await writeFile(dumpPath(back, "artists", C), await readFile(dumpPath(scene.place(), "artists", A)));
  await scene.run(name, { version: C, types, from: back, flags: FLAGS });
  const sent = (await scene.stream(name, "artists", C)).records.map(idOf);
  expect(sent).toEqual(expect.arrayContaining(idsOfTombstones(told)));
});

test("tombstones of which the sink has lost its place come from the first one", async () => {
  await using many = await Scene.create({ labels: 2200 }, random.seed);
  await many.next(B, "deleted=1100", { seed: random.seed });
  const [name, before] = ["lost", new Map<DataType, Records>()];
  await runAndExpect(many, name, { version: A, flags: FLAGS }, before);
  await killedAt("tombstones-synced", name, B, { of: many, passage: 2 });
  await rm(join(many.place(name), "out", B, "labels.deleted.ndjson.partial"));
  await runAndExpect(many, name, { version: B, flags: FLAGS }, before);
});

test.each(["damaged", "of another index"])("a ledger that is %s leaves everything in doubt, and downstream right", async (what) => {
  const [name, other] = [`ledger-${what}`, `other-${what}`];
  const before = new Map<DataType, Records>();
  await runAndExpect(scene, name, { version: A, flags: FLAGS }, before);
  await killedAt("tombstones-synced", name, B);
  const heard = new Map<DataType, ChangeStream>();
  for (const type of scene.types) {
    const told = await Promise.all(["", ".partial"].map((part) => scene.lines(name, `${B}/${type}.deleted.ndjson${part}`)));
    heard.set(type, { records: await scene.lines(name, `${B}/${type}.ndjson`), deleted: told.flat() });
  }
  const folder = await indexFolder(name);
  if (what === "damaged") {
    const ledger = await readFile(join(folder, "labels.ledger"));
    ledger[ledger.length >> 1] = (ledger[ledger.length >> 1] ?? 0) ^ 0x10;
    await writeFile(join(folder, "labels.ledger"), ledger);
  } else {
    await scene.run(other, { version: A, flags: FLAGS });
    const there = await indexFolder(other);
    for (const file of await readdir(there)) if (file.startsWith("labels.")) await cp(join(there, file), join(folder, file));
  }
  const { reports, warnings } = await scene.run(name, { version: C, flags: FLAGS });
  expect(warnings.filter((text) => /labels.*(damaged or of another record index)/.test(text))).toHaveLength(1);
  expect(reports).toMatchObject({ labels: { unchanged: 0 }, artists: { pending: 0 } });
  for (const type of scene.types) {
    const now = replay(before.get(type) ?? new Map(), heard.get(type) ?? { records: [], deleted: [] });
    const wanted = (await scene.full(type, C)).last;
    const end = replay(now, await scene.stream(name, type, C));
    // What only that run has brought, only its ledger knew of: also the content that a tombstone would have to name.
    const brought = new Set((heard.get(type)?.records ?? []).map(idOf));
    const stays = [...now.keys()].filter((id) => !wanted.has(id) && brought.has(id));
    for (const id of type === "labels" ? stays : []) expect(end.delete(id)).toBe(true);
    expectSame(type, end, wanted);
  }
});

test("what a broken off run has delivered beside what is as it was comes again, though nothing counts as changed", async () => {
  const [name, types] = ["twice", ["labels" as const]];
  const broken = scene.place("dumps-twice");
  const same = scene.place("dumps-same");
  for (const folder of [broken, same]) await mkdir(folder);
  const dump = await readFile(dumpPath(scene.place(), "labels", A));
  await writeFile(dumpPath(same, "labels", B), dump);
  const xml = gunzipSync(dump).toString();
  const [record = ""] = /<label>.*<\/label>/.exec(xml) ?? [];
  const other = record.replace("<name>", "<name>Another ");
  await writeFile(dumpPath(broken, "labels", B), gzipSync(xml.slice(0, xml.length / 2).replace(record, `${other}\n${record}`)));

  const before = (await scene.full("labels", A)).last;
  const flags = { ...FLAGS, chunk: "4KiB" };
  await scene.run(name, { version: A, types, flags });
  await expect(scene.run(name, { version: B, types, from: broken, flags })).rejects.toMatchObject({ code: "SOURCE_MALFORMED" });
  const heard = { records: await scene.lines(name, `${B}/labels.ndjson.partial`), deleted: [] };
  expect(heard.records).toEqual([expect.stringContaining("Another ")]);
  await scene.run(name, { version: B, types, from: same, flags });
  expectSame("those who heard both", replay(replay(before, heard), await scene.stream(name, "labels", B)), before);
});
