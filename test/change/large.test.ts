import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { seeded } from "../system/support/random.ts";
import { FULL, figure, timeoutMs } from "../system/support/scale.ts";
import { countsOf, expectedChanges } from "./oracle.ts";
import { A, B, C, Scene } from "./scene.ts";

const LABELS = FULL ? 1_200_000 : 100_000;
const ENTRY_BYTES_MAX = 30;
const FLAGS = { allowDeletes: true };

const random = seeded("large");

test(`${LABELS} ids, in order and in none: the changes of two full extractions`, { timeout: timeoutMs(120_000, 1_200_000) }, async () => {
  await using scene = await Scene.create({ labels: LABELS }, random.seed);
  const { seed } = random;
  await scene.next(B, "created=1%,updated=2%,deleted=0.5%,bytes=2%,reordered=0.5%,duplicates=100,revised=100", { seed });
  await scene.next(C, "shuffle,created=1%,updated=1%,deleted=0.5%,bytes=1%", { seed });
  let before: Map<string, string> = new Map();
  for (const version of [A, B, C]) {
    const { reports, complete } = await scene.run("large", { version, flags: FLAGS });
    await scene.run("full", { version, flags: { mode: "normal" } });
    const full = await hashesIn(scene, "full", `${version}/labels.ndjson`);
    const after = new Map(full);
    const expected = expectedChanges(before, after);
    expect({ complete, ...reports.labels }).toMatchObject({ complete: true, ...countsOf(expected), repeated: full.length - after.size, pending: 0 });
    const changes = await hashesIn(scene, "large", `${version}/labels.ndjson`);
    const gone = await goneIn(scene, `${version}/labels.deleted.ndjson`);
    expect(changes.length).toBeLessThanOrEqual(expected.created.length + expected.updated.length + 2 * 200);
    const now = new Map([...before, ...changes]);
    for (const [id, hash] of gone) if (now.get(id)?.startsWith(hash)) now.delete(id);
    expect([...after].filter(([id, hash]) => now.get(id) !== hash).slice(0, 10)).toEqual([]);
    expect([version, now.size, gone.length]).toEqual([version, after.size, expected.deleted.length]);
    before = after;
    figure("large", {
      seed,
      version,
      ids: after.size,
      ...countsOf(expected),
      seconds: reports.labels?.seconds,
      bytesPerRecord: (await indexBytes(scene)) / after.size,
    });
  }
  expect((await indexBytes(scene)) / before.size).toBeLessThan(ENTRY_BYTES_MAX);
});

/** Ids with the hashes of their bodies, in the order of a file. */
async function hashesIn(scene: Scene, place: string, file: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { id, sha256 } of parsed(join(scene.place(place), "out", file))) found.push([String(id), String(sha256)]);
  return found;
}

async function goneIn(scene: Scene, file: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const path = join(scene.place("large"), "out", file);
  if ((await stat(path).catch(() => null)) === null) return found; // of a first run
  for await (const { record_id, hash } of parsed(path)) found.push([String(record_id), String(hash)]);
  return found;
}

async function* parsed(path: string): AsyncGenerator<Record<string, unknown>> {
  for await (const line of createInterface({ input: createReadStream(path, { highWaterMark: 2 ** 20 }) })) yield JSON.parse(line);
}

/** Size of the newest generation. */
async function indexBytes(scene: Scene): Promise<number> {
  const folder = join(scene.place("large"), "state", ".deadwax_index");
  const [name = ""] = await readdir(folder);
  const files = (await readdir(join(folder, name))).filter((file) => file.endsWith(".idx"));
  const numbers = files.map((file) => Number(file.split(".")[1]));
  return (await stat(join(folder, name, `labels.${Math.max(...numbers)}.idx`))).size;
}
