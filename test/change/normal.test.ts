import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DataType } from "../../src/model.ts";
import { deadwax } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { expectSame, runAndExpect } from "./expect-changes.ts";
import { expectedChanges, idOf, idsOfTombstones, lastOf, type Records, replay } from "./oracle.ts";
import { A, B, C, type Done, Scene } from "./scene.ts";

const D = "20261101";
const FLAGS = { chunk: "16KiB", allowDeletes: true };
const NORMAL = { chunk: "16KiB", mode: "normal" };

const random = seeded("normal");
let scene: Scene;

beforeAll(async () => {
  scene = await Scene.create({ labels: 400, releases: 200 }, random.seed);
  const { seed } = random;
  await scene.next(B, "created=5,updated=5%,deleted=12,bytes=5%,duplicates=4", { seed });
  // Some of what B lacks is back, just as it was in A, and some has the content of A again.
  await scene.next(C, "created=5,updated=3%,deleted=7,returned=5,revised=5,bytes=5%", { seed, returnedFrom: scene.place() });
  await scene.next(D, "created=4,updated=3%,deleted=5", { seed });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** What consumers of whole versions have after a normal run: what the version holds, and perhaps what vanished. */
async function expectNext(name: string, from: { whole: string; vanishedFrom: string }, to: string, done: Done): Promise<void> {
  for (const type of scene.types) {
    const [older, before, after] = await Promise.all([from.vanishedFrom, from.whole, to].map((version) => scene.full(type, version)));
    if (older === undefined || before === undefined || after === undefined) throw new Error("three versions were asked for");
    const vanished = expectedChanges(older.last, before.last).deleted;
    const changes = expectedChanges(before.last, after.last);
    const returned = changes.created.filter((id) => vanished.includes(id));
    const gone = [...changes.deleted, ...vanished.filter((id) => !after.last.has(id))];
    // An id may come to be used again by chance, too.
    expect(returned.length).toBeGreaterThanOrEqual(to === C ? 5 : 0);
    expect(vanished.length).toBeGreaterThan(returned.length);
    const stream = await scene.stream(name, type, to);
    const repeated = new Set([...before.repeated, ...after.repeated]);
    const sent = [...new Set(stream.records.map(idOf))].filter((id) => !repeated.has(id)).sort();
    const wanted = [...changes.created, ...changes.updated].filter((id) => !repeated.has(id)).sort();
    expect(sent, `${type} ${to}`).toEqual(wanted);
    expect(idsOfTombstones(stream.deleted).sort(), `${type} ${to}`).toEqual(gone.sort());
    expect(done.reports[type], `${type} ${to}`).toMatchObject({
      created: changes.created.length - returned.length,
      updated: changes.updated.length + returned.length,
      deleted: gone.length,
      pending: 0,
    });
    // Consumers may have dropped what vanished, or not.
    expectSame(`${type} ${to}, dropped`, replay(before.last, stream), after.last);
    expectSame(`${type} ${to}, kept`, replay(new Map([...older.last, ...before.last]), stream), after.last);
  }
}

async function expectWhole(name: string, version: string, { reports }: Done): Promise<void> {
  for (const type of scene.types) {
    const { bodies } = await scene.full(type, version);
    expect(await scene.lines(name, `${version}/${type}.ndjson`), `${type} ${version}`).toEqual(bodies);
    expect(reports[type]).toMatchObject({ written: bodies.length, read: bodies.length });
    expect(reports[type]).not.toHaveProperty("pending");
  }
  expect((await readdir(join(scene.place(name), "out", version))).filter((file) => file.includes("deleted"))).toEqual([]);
}

test("a normal run between two incremental ones delivers everything, and the next one exactly what has changed since", async () => {
  const before = new Map<DataType, Records>();
  await runAndExpect(scene, "between", { version: A, flags: FLAGS }, before);
  await expectWhole("between", B, await scene.run("between", { version: B, flags: NORMAL }));
  await expectNext("between", { whole: B, vanishedFrom: A }, C, await scene.run("between", { version: C, flags: FLAGS }));
  for (const type of scene.types)
    expect(expectedChanges((await scene.full(type, A)).last, (await scene.full(type, C)).last).unchanged.length).toBeGreaterThan(50);
});

test("normal, incremental, normal, incremental: downstream ends with the last version", async () => {
  await expectWhole("turns", A, await scene.run("turns", { version: A, flags: NORMAL }));
  expect(await readdir(join(scene.place("turns"), "state"))).not.toContain(".deadwax_index");
  // Nothing is known yet: all of it comes once more.
  await runAndExpect(scene, "turns", { version: B, flags: FLAGS }, new Map());
  await expectWhole("turns", C, await scene.run("turns", { version: C, flags: NORMAL }));
  await expectNext("turns", { whole: C, vanishedFrom: B }, D, await scene.run("turns", { version: D, flags: FLAGS }));
});

test("what a normal run has delivered of a version that it did not end is delivered again", async () => {
  const before = new Map<DataType, Records>();
  await runAndExpect(scene, "part", { version: A, flags: FLAGS }, before);
  await scene.run("part", { version: B, flags: { ...NORMAL, limit: "150" } });
  const now = new Map<DataType, Records>();
  for (const type of scene.types) {
    const part = await scene.lines("part", `${B}/${type}.ndjson`);
    expect(part.length).toBe(150);
    now.set(type, new Map([...(before.get(type) ?? []), ...lastOf(part)]));
  }
  const { warnings } = await scene.run("part", { version: C, flags: FLAGS });
  expect(warnings.filter((text) => text.includes("was never ended"))).toHaveLength(scene.types.length);
  for (const type of scene.types) {
    const stream = await scene.stream("part", type, C);
    expectSame(type, replay(now.get(type) ?? new Map(), stream), (await scene.full(type, C)).last);
    expect(stream.records.length).toBeLessThan(180);
  }
});

test("a normal run that was ended is not done again, and leaves the index as it is", async () => {
  await runAndExpect(scene, "again", { version: A, flags: FLAGS }, new Map());
  await scene.run("again", { version: B, flags: NORMAL });
  const index = await scene.hashes("again/state/.deadwax_index");
  expect(Object.keys(index).filter((file) => file.endsWith(".ledger"))).toEqual([]);
  const { reports } = await scene.run("again", { version: B, flags: NORMAL });
  expect(Object.values(reports).map(({ xmlBytes }) => xmlBytes)).toEqual(scene.types.map(() => 0));
  expect(await scene.hashes("again/state/.deadwax_index")).toEqual(index);
});

test.each(["sink-synced", "file-saved", "generation-written", "index-moved"])(
  "a normal run that is killed at %s is gone on with, or left behind, without a loss",
  async (point) => {
    const [name, left] = [`killed-${point}`, `left-${point}`];
    await runAndExpect(scene, name, { version: A, flags: FLAGS }, new Map());
    const place = ["--sink", `file:${join(scene.place(name), "out")}`, "--state", join(scene.place(name), "state")];
    const files = scene.types.map((type) => dumpPath(scene.place(), type, B));
    const faults = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: `${point} kill 1` } };
    const ended = await deadwax(["extract", ...files, ...place, "--chunk", "16KiB", "--checkpoint-records", "40"], faults);
    expect(ended.signal, ended.stderr).toBe("SIGKILL");
    const kept = await indexName(name);
    await cp(scene.place(name), scene.place(left), { recursive: true });

    await expectWhole(name, B, await scene.run(name, { version: B, flags: { ...NORMAL, checkpointRecords: "40" } }));
    await expectNext(name, { whole: B, vanishedFrom: A }, C, await scene.run(name, { version: C, flags: FLAGS }));

    // The next month is begun instead, for the same sink: its index is found by the sink's name.
    await rm(scene.place(name), { recursive: true });
    await cp(scene.place(left), scene.place(name), { recursive: true });
    expect(await indexName(name)).toBe(kept);
    const now = new Map<DataType, Records>();
    for (const type of scene.types) {
      const delivered = await Promise.all(["", ".partial"].map((part) => scene.lines(name, `${B}/${type}.ndjson${part}`)));
      now.set(type, new Map([...(await scene.full(type, A)).last, ...lastOf(delivered.flat())]));
    }
    await scene.run(name, { version: C, flags: FLAGS });
    for (const type of scene.types) {
      expectSame(type, replay(now.get(type) ?? new Map(), await scene.stream(name, type, C)), (await scene.full(type, C)).last);
    }
  },
);

async function indexName(name: string): Promise<string> {
  const [folder = ""] = await readdir(join(scene.place(name), "state", ".deadwax_index"));
  return folder;
}
