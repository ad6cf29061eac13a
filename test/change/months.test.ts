import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONTRACTS, type DataType } from "../../src/model.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { FULL } from "../system/support/scale.ts";
import { expectSame, runAndExpect } from "./expect-changes.ts";
import { expectedChanges, type Records, replay } from "./oracle.ts";
import { A, B, C, Scene } from "./scene.ts";

const TIMES = FULL ? 20 : 1;
const SIZES = { artists: 600 * TIMES, labels: 500 * TIMES, masters: 300 * TIMES, releases: 300 * TIMES };
/** Small, so that a file has several pieces and changes fall on their edges. */
const FLAGS = { chunk: "16KiB", batchSize: "7", maxDeleteShare: "5%" };

const random = seeded("months");
let scene: Scene;

beforeAll(async () => {
  scene = await Scene.create(SIZES, random.seed);
  const seed = random.seed;
  await scene.next(B, "created=2%,updated=10%,deleted=2%,reordered=2%,bytes=10%,duplicates=5,revised=5", { seed });
  await scene.next(C, "created=1%,updated=5%,deleted=1%,returned=3,reordered=1%,bytes=5%,revised=3,duplicates=3", { seed, returnedFrom: scene.place() });
  await scene.next(B, "shuffle,updated=5%,created=3,duplicates=4", { seed, out: scene.place("shuffled") });
  await scene.next(B, "", { seed, out: scene.place("same") });
});
afterAll(() => scene[Symbol.asyncDispose]());

describe.each(CONTRACTS)("in the %s contract", (contract) => {
  test("month after month, and back by force, gives exactly what two full extractions differ in", async () => {
    const before = new Map<DataType, Records>();
    for (const version of [A, B, C]) await runAndExpect(scene, contract, { version, contract, flags: FLAGS }, before);
    const returned = scene.types.filter((type) => (before.get(type)?.size ?? 0) > 0);
    expect(returned).toEqual(scene.types);

    const index = await scene.hashes(`${contract}/state`);
    await expect(scene.run(contract, { version: A, contract, flags: FLAGS })).rejects.toMatchObject({ code: "SOURCE_OUTDATED" });
    expect(await scene.hashes(`${contract}/state`)).toEqual(index);
    const back = { version: A, contract, flags: { ...FLAGS, force: true, allowDeletes: true } };
    await runAndExpect(scene, contract, back, before);
    // The month that was made after A is later again.
    await runAndExpect(scene, contract, { version: B, contract, flags: { ...FLAGS, force: true, allowDeletes: true } }, before);
  });

  test("ids in another order are no changes", async () => {
    const before = new Map<DataType, Records>();
    const flags = { ...FLAGS, threads: "1" };
    await runAndExpect(scene, `shuffled-${contract}`, { version: A, contract, flags }, before);
    await runAndExpect(scene, `shuffled-${contract}`, { version: B, contract, flags, from: scene.place("shuffled") }, before);
  });
});

test("the months hold every kind of change", async () => {
  for (const type of scene.types) {
    const [a, b, c] = [await scene.full(type, A), await scene.full(type, B), await scene.full(type, C)];
    const changes = [expectedChanges(a.last, b.last), expectedChanges(b.last, c.last)];
    for (const { created, updated, deleted, unchanged } of changes) {
      expect(Math.min(created.length, updated.length, deleted.length, unchanged.length), type).toBeGreaterThan(0);
    }
    expect(b.repeated.size, type).toBe(10);
    const returned = changes[1]?.created.filter((id) => a.last.has(id)) ?? [];
    expect(returned.length, type).toBeGreaterThanOrEqual(3);
    // A tombstone of what has come back since does no harm.
    const [id = ""] = returned;
    const hash = "0".repeat(32);
    const late = JSON.stringify({ data_type: type, record_id: id, change_type: "deleted", hash });
    expectSame(type, replay(c.last, { records: [], deleted: [late] }), c.last);
  }
});

test("a month without changes delivers nothing, and the same month again is not even read", async () => {
  const before = new Map<DataType, Records>();
  await runAndExpect(scene, "same", { version: A, flags: FLAGS }, before);
  await runAndExpect(scene, "same", { version: B, flags: FLAGS, from: scene.place("same") }, before);
  for (const type of scene.types) {
    const [old, now] = await Promise.all([dumpPath(scene.place(), type, A), dumpPath(scene.place("same"), type, B)].map((path) => readFile(path)));
    expect(now?.equals(old ?? Buffer.alloc(0)), "these are other bytes of gzip").toBe(false);
    expect(await scene.stream("same", type, B)).toEqual({ records: [], deleted: [] });
  }
  const written = await scene.hashes("same/out");
  const { reports, complete } = await scene.run("same", { version: B, flags: FLAGS, from: scene.place("same") });
  expect(complete).toBe(true);
  for (const type of scene.types) expect(reports[type]).toMatchObject({ xmlBytes: 0, inflatedBytes: 0, created: 0, updated: 0, deleted: 0, pending: 0 });
  expect(await scene.hashes("same/out")).toEqual(written);
  expect(Object.keys(written).filter((path) => path.startsWith(`${B}/`))).toHaveLength(2 * scene.types.length);
});
