/** What is known, and is not worth what it seems. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deadwax } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { expectSame } from "./expect-changes.ts";
import { idsOfTombstones, lastOf } from "./oracle.ts";
import { A, B, C, type How, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.empty(["labels"]);
});
afterAll(() => scene[Symbol.asyncDispose]());

type Label = readonly [id: string | null, name: string];

function labels(count: number, name: string): Label[] {
  return Array.from({ length: count }, (_, index) => [String(index + 1), `${name}${index + 1}`]);
}

/** Writes versions of labels into a folder of their own. */
async function dumps(name: string, versions: Readonly<Record<string, readonly Label[] | string>>): Promise<string> {
  const folder = scene.place(`dumps-${name}`);
  await mkdir(folder, { recursive: true });
  for (const [version, given] of Object.entries(versions)) {
    const record = ([id, text]: Label) => `<label>${id === null ? "" : `<id>${id}</id>`}<name>${text}</name></label>`;
    const xml = typeof given === "string" ? given : given.map(record).join("\n");
    await writeFile(dumpPath(folder, "labels", version), gzipSync(`<labels>\n${xml}\n</labels>\n`));
  }
  return folder;
}

/** A file of data quality rules. */
async function rules(name: string, text: string): Promise<string> {
  const path = join(scene.path, `${name}.yaml`);
  await writeFile(path, text);
  return path;
}

async function labelsOf(name: string, version: string, how: Partial<How> = {}) {
  const { reports, ...done } = await scene.run(name, { version, ...how });
  return { ...done, labels: reports.labels };
}

/** Which names the sink of a place ends with, by ids. */
async function downstream(name: string, versions: readonly string[]): Promise<Map<string, string>> {
  const now = new Map<string, string>();
  for (const version of versions) {
    const { records, deleted } = await scene.stream(name, "labels", version);
    for (const [id, body] of lastOf(records)) now.set(id, body);
    for (const id of idsOfTombstones(deleted)) now.delete(id);
  }
  return now;
}

describe("records that a run with other rules has not seen, and holds back", () => {
  const contract = "fanout"; // rules are of it
  const SKIP = 'skip_records:\n  labels:\n    - { field: name, contains: "n7", reason: "junk" }\n';

  test("are still left out when their deletion is allowed", async () => {
    const from = await dumps("skipped", { [A]: labels(50, "n"), [B]: labels(50, "n"), [C]: labels(50, "n") });
    const dataQualityRules = await rules("skipped", SKIP);
    await labelsOf("skipped", A, { from, contract });
    const held = await labelsOf("skipped", B, { from, contract, flags: { dataQualityRules } });
    expect(held.labels).toMatchObject({ skipped: 1, unchanged: 49, deleted: 0, pending: 1 });
    const allowed = await labelsOf("skipped", B, { from, contract, flags: { dataQualityRules, allowDeletes: true } });
    expect(allowed).toMatchObject({ complete: true, labels: { skipped: 1, unchanged: 49, deleted: 1, pending: 0 } });
    expect(idsOfTombstones((await scene.stream("skipped", "labels", B)).deleted)).toEqual(["7"]);
    expect((await labelsOf("skipped", C, { from, contract, flags: { dataQualityRules } })).labels).toMatchObject({ skipped: 1, unchanged: 49, deleted: 0 });
  });

  test("get their new form once they can be read", async () => {
    const broken = labels(200, "n").map(([id, name]): Label => (id === "7" ? [id, "<b>n7</name"] : [id, name]));
    const from = await dumps("rejected", { [A]: labels(200, "n"), [B]: broken, [C]: labels(200, "n") });
    const dataQualityRules = await rules("rejected", 'filters:\n  labels:\n    - { field: name, remove_matching: "^n", reason: "r" }\n');
    await labelsOf("rejected", A, { from, contract });
    const held = await labelsOf("rejected", B, { from, contract, flags: { dataQualityRules, maxRejects: "5" } });
    expect(held).toMatchObject({ complete: false, labels: { rejected: 1, updated: 199, pending: 1 } });
    await labelsOf("rejected", C, { from, contract, flags: { dataQualityRules } });
    const full = (await scene.full("labels", C, { from, contract, flags: { dataQualityRules } })).last;
    expectSame("downstream", await downstream("rejected", [A, B, C]), full);
  });
});

test("a normal run that was killed may have left the first of an id's records, though the last one was read", async () => {
  const profile = "x".repeat(400);
  const many = labels(29, "n").map(([id, name]) => `<label><id>${Number(id) + 1}</id><name>${name}</name><profile>${profile}</profile></label>`);
  const xml = ["<label><id>1</id><name>first</name></label>", ...many, "<label><id>1</id><name>last</name></label>"].join("\n");
  const from = await dumps("doubled", { [A]: xml, [B]: xml });
  const flags = { chunk: "4KiB", threads: "1", checkpointRecords: "4" };
  await labelsOf("doubled", A, { from, flags });
  const place = ["--sink", `file:${join(scene.place("doubled"), "out")}`, "--state", join(scene.place("doubled"), "state")];
  const faults = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: "ledger-synced kill 2" } };
  const options = ["--chunk", "4KiB", "--threads", "1", "--checkpoint-records", "4", "--force", "--mode", "normal"];
  const ended = await deadwax(["extract", dumpPath(from, "labels", A), ...place, ...options], faults);
  expect(ended.signal, ended.stderr).toBe("SIGKILL");
  expect(await scene.lines("doubled", `${A}/labels.ndjson.partial`)).toContainEqual(expect.stringContaining("first"));
  await labelsOf("doubled", B, { from, flags });
  expect((await scene.stream("doubled", "labels", B)).records).toContainEqual(expect.stringContaining("last"));
});

describe("what goes to a part of a sink by another name", () => {
  const both = (name: string) => [`file:${scene.place(`${name}/out`)}`, `file:${scene.place(`${name}/more`)}`];
  const OTHERS = [
    ["together with another folder", (name: string) => ({ sink: both(name) })],
    ["together with another folder, in normal mode", (name: string) => ({ sink: both(name), mode: "normal" })],
    ["compressed", (name: string) => ({ sink: `file:${scene.place(`${name}/out`)}?compress=gzip` })],
  ] as const;
  test.each(OTHERS)("%s: makes it doubtful what is there", async (what, flagsOf) => {
    const from = await dumps(what, { [A]: labels(20, "a"), [B]: labels(20, "b"), [C]: labels(20, "a") });
    const name = `part ${what}`.replaceAll(/[ ,]+/g, "-");
    await labelsOf(name, A, { from });
    const flags = flagsOf(name);
    const other = await labelsOf(name, B, { from, flags });
    expect(other.warnings).toContainEqual(expect.stringContaining("the next incremental run into it delivers everything once more"));
    const dry = await labelsOf(name, C, { from, flags: { dryRun: true } });
    expect(dry.warnings).toContainEqual(expect.stringContaining("in doubt"));
    const back = await labelsOf(name, C, { from });
    expect(back.labels).toMatchObject({ created: 0, updated: 20, unchanged: 0, pending: 0 });
    expect((await labelsOf(name, "20261101", { from: await dumps(what, { "20261101": labels(20, "a") }) })).labels).toMatchObject({ unchanged: 20 });
  });
});

test("an index that is put together from its files is in doubt if others may have put it there", async () => {
  const from = await dumps("put-together", { [A]: labels(20, "a"), [B]: labels(20, "b"), [C]: labels(20, "a") });
  const name = "put-together";
  await labelsOf(name, A, { from });
  const folder = scene.place(`${name}/state/.deadwax_index`);
  const [own = ""] = await readdir(folder);
  await labelsOf(name, B, { from, flags: { sink: [`file:${scene.place(`${name}/out`)}`, `file:${scene.place(`${name}/more`)}`] } });
  await writeFile(join(folder, own, "CURRENT.json"), "{");
  const place = ["--sink", `file:${scene.place(`${name}/out`)}`, "--state", scene.place(`${name}/state`), "--output", "json"];
  const repaired = await deadwax(["state", "repair", ...place]);
  expect(JSON.parse(repaired.stdout.toString()).types.labels).toMatchObject({ what: "sound", records: 20, doubted: 20 });
  expect((await labelsOf(name, C, { from })).labels).toMatchObject({ created: 0, updated: 20, unchanged: 0, pending: 0 });
});

test("what a run has delivered that was never ended is not forgotten because all is in doubt", async () => {
  const long = (name: string) => labels(30, `${name} ${"x".repeat(400)} `);
  const from = await dumps("unended", { [A]: long("a"), [B]: [...long("b"), ["999", "only in B"]], [C]: long("c") });
  const flags = { chunk: "4KiB", threads: "1" };
  await labelsOf("unended", A, { from, flags });
  const place = ["--sink", `file:${join(scene.place("unended"), "out")}`, "--state", join(scene.place("unended"), "state"), "--mode", "incremental"];
  const options = [...place, "--chunk", "4KiB", "--threads", "1"];
  const killedAt = async (point: string) => {
    const faults = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: `${point} kill 1` } };
    expect((await deadwax(["extract", dumpPath(from, "labels", B), ...options], faults)).signal).toBe("SIGKILL");
  };
  await killedAt("file-saved");
  const { records } = await scene.stream("unended", "labels", B);
  expect(records).toContainEqual(expect.stringContaining("only in B"));
  await labelsOf("unended", A, { from, flags: { ...flags, sink: [`file:${scene.place("unended/out")}`, "null:"], mode: "normal" } });
  await killedAt("ledger-synced");
  const { labels: found } = await labelsOf("unended", C, { from, flags: { ...flags, allowDeletes: true } });
  expect(found).toMatchObject({ deleted: 1 });
  expect(idsOfTombstones((await scene.stream("unended", "labels", C)).deleted)).toContain("999");
});

test("what is put in doubt keeps the generation before", async () => {
  const from = await dumps("kept", { [A]: labels(5, "a"), [B]: labels(5, "b"), [C]: labels(5, "c") });
  for (const version of [A, B]) await labelsOf("kept", version, { from });
  const files = async () => (await readdir(scene.place("kept/state/.deadwax_index"), { recursive: true })).filter((file) => file.endsWith(".idx")).sort();
  const before = await files();
  expect(before.map((file) => basename(file))).toEqual(["labels.1.idx", "labels.2.idx"]);
  await labelsOf("kept", C, { from, flags: { sink: [`file:${scene.place("kept/out")}`, "null:"], mode: "normal" } });
  expect(await files()).toEqual(before);
});

test("the brake counts ids, however many things may be known of each", async () => {
  const from = await dumps("ids", { [A]: labels(200, "a"), [B]: labels(200, "b"), [C]: labels(197, "c") });
  await labelsOf("ids", A, { from });
  const place = ["--sink", `file:${join(scene.place("ids"), "out")}`, "--state", join(scene.place("ids"), "state"), "--mode", "incremental"];
  const faults = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: "file-saved kill 1" } };
  expect((await deadwax(["extract", dumpPath(from, "labels", B), ...place], faults)).signal).toBe("SIGKILL");
  const { labels: found, warnings } = await labelsOf("ids", C, { from });
  expect(found).toMatchObject({ updated: 197, deleted: 0, pending: 3 });
  expect(warnings).toContainEqual(expect.stringContaining("1.5 % of 200"));
});

test("a record that has lost its id may be any of those that are gone", async () => {
  const lost = labels(200, "n").map(([id, name]): Label => [id === "7" ? null : id, name]);
  const from = await dumps("nameless", { [A]: labels(200, "n"), [B]: lost });
  await labelsOf("nameless", A, { from });
  for (const created of [1, 0]) {
    const { labels: found, warnings } = await labelsOf("nameless", B, { from });
    expect(found).toMatchObject({ created, deleted: 0, pending: 1 });
    expect(warnings).toContainEqual(expect.stringContaining("a record has no id and may be among them"));
  }
  expect((await labelsOf("nameless", B, { from, flags: { allowDeletes: true } })).labels).toMatchObject({ deleted: 1, pending: 0 });
});
