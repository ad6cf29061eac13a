import { mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DATA_TYPES, type DataType } from "../../src/model.ts";
import { migrated } from "../postgres/scene.ts";
import { Database } from "../services/database.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { expectedChanges } from "./oracle.ts";
import { A, B, C, Scene } from "./scene.ts";

const START_MS = 300_000;
const SIZES = { artists: 150, labels: 150, masters: 150, releases: 150 };
const FLAGS = { allowDeletes: true };
/** No id comes twice: full mode would not delete anything then. */
const CHANGES = "created=5,updated=10%,deleted=4,bytes=10%";

const random = seeded("modes");
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.create(SIZES, random.seed);
  await scene.next(B, CHANGES, { seed: random.seed });
  await scene.next(C, `${CHANGES},returned=2`, { seed: random.seed, returnedFrom: scene.place() });
}, START_MS);
afterAll(() => scene[Symbol.asyncDispose]());

/** Tables that versions were loaded into one after the other, with what a full-mode run deletes of what it did not bring. */
async function tables(
  name: string,
  runs: readonly (readonly [version: string, mode: "normal" | "incremental", from?: string])[],
): Promise<Record<string, unknown>> {
  await using database = await Database.create();
  await migrated(database.url);
  const sink = database.with({ purge: "on", purge_max: 1 });
  for (const [version, mode, from = scene.place()] of runs) {
    const { complete, warnings } = await scene.run(name, { version, from, flags: { ...FLAGS, sink, mode } });
    expect({ complete, warnings }).toEqual({ complete: true, warnings: [] });
  }
  const rows = DATA_TYPES.map(async (type): Promise<[DataType, unknown]> => {
    const all = await database.query<{ data_id: string; hash: string }>(`SELECT data_id, hash, md5(data::text) AS content FROM ${type} ORDER BY data_id`);
    return [type, all];
  });
  return Object.fromEntries(await Promise.all(rows));
}

test("normal, then incremental, then normal, and incremental month after month, end like a plain load", async () => {
  const plain = await tables("plain", [[C, "normal"]]);
  expect((plain["labels"] as unknown[]).length).toBe((await scene.full("labels", C)).last.size);
  const switched = await tables("switched", [
    [A, "normal"],
    [B, "incremental"],
    [C, "normal"],
  ]);
  expect(switched).toEqual(plain);
  const months = await tables("months", [
    [A, "incremental"],
    [B, "incremental"],
    [C, "incremental"],
  ]);
  expect(months).toEqual(plain);
});

// Fails by design until a normal run makes the index know what it has delivered; then this is a test like the others.
test("incremental, then normal, then incremental ends like a plain load, also where the last month is the first again", async () => {
  const from = scene.place("again");
  await mkdir(from);
  for (const type of DATA_TYPES) await writeFile(dumpPath(from, type, C), await readFile(dumpPath(scene.place(), type, A)));
  const { updated } = expectedChanges((await scene.full("labels", B)).last, (await scene.full("labels", A)).last);
  expect(updated.length).toBeGreaterThan(0);
  const [back, plain] = [
    await tables("back", [
      [A, "incremental"],
      [B, "normal"],
      [C, "incremental", from],
    ]),
    await tables("plain-a", [[A, "normal"]]),
  ];
  expect(back).toEqual(plain);
});
