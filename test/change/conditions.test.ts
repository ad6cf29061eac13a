import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checksumOf } from "../../dist/canonical.js";
import { closeIndex, finishBuild, indexEntries, indexInfo, openBuild, openIndex, pushBuild } from "../../native/index.js";
import type { DataType } from "../../src/model.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { FULL } from "../system/support/scale.ts";
import { expectSame, runAndExpect, withoutChangeFlags } from "./expect-changes.ts";
import { expectedChanges, type Records, replay } from "./oracle.ts";
import { A, B, C, type How, Scene } from "./scene.ts";

const TIMES = FULL ? 10 : 1;
const FLAGS = { chunk: "16KiB", allowDeletes: true };
/** Labels of one quality are left out. */
const SKIPPING = 'skip_records:\n  labels:\n    - { field: data_quality, contains: "Needs Vote", reason: "not looked at yet" }\n';
/** Releases lose some of their dates, and nothing is left out. */
const FILTERING = 'filters:\n  releases:\n    - { field: released, nullify_when: { type: range, below: 1990 }, reason: "before its time" }\n';

const random = seeded("conditions");
let scene: Scene;
let rules: Record<"skipping" | "filtering", string>;

beforeAll(async () => {
  scene = await Scene.create({ labels: 400 * TIMES, releases: 300 * TIMES }, random.seed);
  const { seed } = random;
  await scene.next(B, "created=3,updated=3%,deleted=2,bytes=5%", { seed });
  await scene.next(C, "created=3,updated=3%,deleted=2,bytes=5%,revised=3", { seed });
  rules = { skipping: scene.place("skipping.yaml"), filtering: scene.place("filtering.yaml") };
  await writeFile(rules.skipping, SKIPPING);
  await writeFile(rules.filtering, FILTERING);
});
afterAll(() => scene[Symbol.asyncDispose]());

test("other rules: what they leave out is deleted, what they change is updated, and nothing else", async () => {
  const [contract, before] = ["fanout" as const, new Map<DataType, Records>()];
  await runAndExpect(scene, "rules", { version: A, contract, flags: FLAGS }, before);
  const skipping = { contract, flags: { ...FLAGS, dataQualityRules: rules.skipping } };
  const filtering = { contract, flags: { ...FLAGS, dataQualityRules: rules.filtering } };
  await runAndExpect(scene, "rules", { version: B, ...skipping }, before);
  // The very same version under other rules: nothing of the dump is new.
  await runAndExpect(scene, "rules", { version: B, ...filtering }, before);
  await runAndExpect(scene, "rules", { version: C, ...filtering }, before);
  await runAndExpect(scene, "rules", { version: C, ...skipping }, before);

  const at = async (type: DataType, how: Omit<How, "version">) => (await scene.full(type, C, withoutChangeFlags({ version: C, ...how }))).last;
  const labels = expectedChanges(await at("labels", filtering), await at("labels", skipping));
  expect(Math.min(labels.deleted.length, labels.unchanged.length)).toBeGreaterThan(10);
  const releases = expectedChanges(await at("releases", skipping), await at("releases", filtering));
  expect(Math.min(releases.updated.length, releases.unchanged.length)).toBeGreaterThan(10);
});

test("another contract, or another sink, has an index of its own", async () => {
  const [topic, fanout, elsewhere] = [new Map<DataType, Records>(), new Map<DataType, Records>(), new Map<DataType, Records>()];
  await runAndExpect(scene, "contracts", { version: A, contract: "topic", flags: FLAGS }, topic);
  const known = await scene.hashes("contracts/state/.deadwax_index");
  await runAndExpect(scene, "contracts", { version: B, contract: "fanout", flags: FLAGS }, fanout);
  expect(await scene.hashes("contracts/state/.deadwax_index")).toMatchObject(known);
  await runAndExpect(scene, "contracts", { version: C, contract: "topic", flags: FLAGS }, topic);
  const state = scene.place("contracts/state");
  await runAndExpect(scene, "elsewhere", { version: C, contract: "topic", flags: { ...FLAGS, state } }, elsewhere);
  expect(await readdir(join(state, ".deadwax_index"))).toHaveLength(3);
});

test("data types one after the other come to the same as together", async () => {
  const before = new Map<DataType, Records>();
  await runAndExpect(scene, "apart", { version: A, types: ["labels"], flags: FLAGS }, before);
  await runAndExpect(scene, "apart", { version: B, types: ["releases"], flags: FLAGS }, before);
  await runAndExpect(scene, "apart", { version: C, types: ["releases"], flags: FLAGS }, before);
  await runAndExpect(scene, "apart", { version: C, types: ["labels"], flags: FLAGS }, before);
  const { reports, complete } = await scene.run("apart", { version: C, flags: FLAGS });
  expect([complete, reports.labels?.xmlBytes, reports.releases?.xmlBytes]).toEqual([true, 0, 0]);
});

test("hashes of another making are made anew, without an update of what has the same bytes", async () => {
  await scene.run("rebase", { version: A, types: ["labels"], flags: FLAGS });
  await otherHashes(scene.place("rebase/state"));
  const [before, after] = [(await scene.full("labels", A)).last, (await scene.full("labels", B)).last];
  const [old, now] = await Promise.all([A, B].map((version) => xmlById(dumpPath(scene.place(), "labels", version))));
  const same = [...after.keys()].filter((id) => old?.get(id) === now?.get(id));
  expect(same.length).toBeGreaterThan(after.size / 2);

  const { reports, complete } = await scene.run("rebase", { version: B, types: ["labels"], flags: FLAGS });
  const stream = await scene.stream("rebase", "labels", B);
  expect([complete, reports.labels?.unchanged, reports.labels?.created]).toEqual([true, same.length, expectedChanges(before, after).created.length]);
  expect(stream.records.length).toBe(after.size - same.length);
  // The tombstones name hashes that consumers do not have: those of the records' other making.
  expect(stream.deleted.length).toBe(expectedChanges(before, after).deleted.length);
  // What had the same bytes has the right hash by now: other bytes are no update any more.
  await runAndExpect(scene, "rebase", { version: C, types: ["labels"], flags: FLAGS }, new Map([["labels", after]]));
});

/** Makes the hashes of an index others, as an older program would have made them. */
async function otherHashes(state: string): Promise<void> {
  const folder = join(state, ".deadwax_index");
  const [name = ""] = await readdir(folder);
  const path = join(folder, name, "CURRENT.json");
  const { checksum: _, ...pointer } = JSON.parse(await readFile(path, "utf8"));
  const index = join(folder, name, pointer.types.labels.file);
  const handle = openIndex(index);
  const { ids, raws } = indexEntries(handle, 0, pointer.types.labels.records);
  const { meta } = indexInfo(handle);
  closeIndex(handle);
  const build = openBuild(index);
  pushBuild(build, { ids, raws, hashes: new Uint8Array(16 * ids.length).fill(0xab) });
  await finishBuild(build, meta);
  pointer.types.labels.hashVersion = 0;
  await writeFile(path, JSON.stringify({ ...pointer, checksum: checksumOf(pointer) }));
}

/** Records of a dump of labels, the last one of each id. */
async function xmlById(path: string): Promise<Map<string, string>> {
  const xml = gunzipSync(await readFile(path)).toString();
  const records = xml.split(/\n(?=<label>|<\/labels>)/).slice(1, -1);
  return new Map(records.map((record) => [/<id>([^<]*)<\/id>/.exec(record)?.[1] ?? "", record]));
}

describe("a run that broke off, and then other bytes under the same name", () => {
  test.each(["raw", "hash"])("nothing of the first stays for ever (%s)", async (trust) => {
    const [name, types] = [`superseded-${trust}`, ["labels" as const]];
    const { seed } = random;
    const first = scene.place(`first-${trust}`);
    await scene.next(B, "created=5%,updated=20%,deleted=5%,revised=3", { seed, out: first });
    const path = dumpPath(first, "labels", B);
    const xml = gunzipSync(await readFile(path)).toString();
    await writeFile(path, gzipSync(xml.slice(0, Math.floor(xml.length * 0.9))));
    const contract = "fanout" as const;
    await scene.run(name, { version: A, types, contract, flags: FLAGS });
    const flags = trust === "raw" ? FLAGS : { ...FLAGS, dataQualityRules: rules.skipping };
    await expect(scene.run(name, { version: B, types, contract, from: await alone(first), flags })).rejects.toMatchObject({ code: "SOURCE_MALFORMED" });
    const delivered = await scene.lines(name, `${B}/labels.ndjson.partial`);
    expect(delivered.length).toBeGreaterThan(50);
    const before = (await scene.full("labels", A, { contract })).last;
    // A consumer has taken what came: the second run must put everything right that the first has changed.
    const after = await scene.full("labels", B, withoutChangeFlags({ version: B, contract, flags }));
    const { complete, reports, warnings } = await scene.run(name, { version: B, types, contract, flags });
    expect([complete, reports.labels?.pending]).toEqual([true, 0]);
    expect(warnings).toContainEqual(expect.stringMatching(/labels: a run of version 20260901 was never ended; the \d+ records .* are looked at anew/));
    const stream = await scene.stream(name, "labels", B);
    expectSame("those who saw both", replay(replay(before, { records: delivered, deleted: [] }), stream), after.last);
    expectSame("those who saw the second", replay(before, stream), after.last);
    // And all is well known from then on.
    await runAndExpect(scene, name, { version: C, types, contract, flags }, new Map([["labels", after.last]]));
  });
});

/** A folder with nothing that vouches for the bytes of month B. */
async function alone(folder: string): Promise<string> {
  const path = `${folder}-alone`;
  await mkdir(path, { recursive: true });
  await writeFile(dumpPath(path, "labels", B), await readFile(dumpPath(folder, "labels", B)));
  return path;
}
