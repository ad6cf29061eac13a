import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Metrics } from "../../dist/telemetry/metrics.js";
import { deadwax, lastLine, reportOf } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { FULL } from "../system/support/scale.ts";
import { expectChanges, expectSame, runAndExpect } from "./expect-changes.ts";
import { countsOf, expectedChanges, type Records, replay } from "./oracle.ts";
import { A, B, type Done, type FullVersion, Scene } from "./scene.ts";

const LABELS = FULL ? 10_000 : 500;
const DELETED = LABELS / 50;
const FLAGS = { chunk: "16KiB" };

const random = seeded("brake");
let scene: Scene;
let a: FullVersion;
let b: FullVersion;

beforeAll(async () => {
  scene = await Scene.create({ labels: LABELS }, random.seed);
  const { seed } = random;
  await scene.next(B, "deleted=2%,updated=5%,created=3", { seed });
  [a, b] = [await scene.full("labels", A), await scene.full("labels", B)];
});
afterAll(() => scene[Symbol.asyncDispose]());

/** A place that has month A. */
async function withA(name: string): Promise<void> {
  await scene.run(name, { version: A, flags: FLAGS });
}

/** Month B in a folder of its own with other XML, for which no published hash vouches. */
async function changed(name: string, change: (xml: string) => string): Promise<string> {
  const folder = scene.place(`dumps-${name}`);
  await mkdir(folder, { recursive: true });
  const xml = gunzipSync(await readFile(dumpPath(scene.place(), "labels", B))).toString();
  await writeFile(dumpPath(folder, "labels", B), gzipSync(change(xml)));
  return folder;
}

/** Without a tombstone, and with the records that are gone still known. */
async function expectHeld(name: string, { reports, complete, warnings }: Done, gone: number, why: RegExp): Promise<void> {
  expect([complete, reports.labels?.deleted, reports.labels?.pending]).toEqual([false, 0, gone]);
  expect(warnings.filter((text) => why.test(text))).toHaveLength(1);
  expect((await scene.stream(name, "labels", B)).deleted).toEqual([]);
}

describe("deletions beyond the brake", () => {
  const TOO_MANY = [
    ["a share", { maxDeleteShare: "1%" }, /more than the 1 % of --max-delete-share/],
    ["a number", { maxDeletes: String(DELETED - 1), maxDeleteShare: "100%" }, /more than the \d+ of --max-deletes/],
  ] as const;
  test.each(TOO_MANY)("%s: are held back until they are allowed, and not forgotten", async (what, limits, why) => {
    const name = `brake-${what}`;
    await withA(name);
    const held = await scene.run(name, { version: B, flags: { ...FLAGS, ...limits } });
    const expected = expectedChanges(a.last, b.last);
    expect(expected.deleted).toHaveLength(DELETED);
    expect(held.reports.labels).toMatchObject({ ...countsOf(expected), deleted: 0, pending: DELETED });
    await expectHeld(name, held, DELETED, why);
    const first = await scene.stream(name, "labels", B);
    const kept = new Map(b.last);
    for (const id of expected.deleted) kept.set(id, a.last.get(id) ?? "");
    expectSame(what, replay(a.last, first), kept);

    const again = await scene.run(name, { version: B, flags: { ...FLAGS, ...limits } });
    expect(again.reports.labels).toMatchObject({ created: 0, updated: 0, deleted: 0, pending: DELETED });
    await expectHeld(name, again, DELETED, why);

    const allowed = await scene.run(name, { version: B, flags: { ...FLAGS, ...limits, allowDeletes: true } });
    expectChanges(what, { before: kept, after: b, report: allowed.reports.labels, stream: await scene.stream(name, "labels", B) });
    expect(allowed).toMatchObject({ complete: true, reports: { labels: { created: 0, updated: 0, deleted: DELETED } } });

    const last = await scene.run(name, { version: B, flags: FLAGS });
    expect(last).toMatchObject({ complete: true, warnings: [], reports: { labels: { pending: 0 } } });
  });

  test("hold back nothing but the file they are of", async () => {
    await using both = await Scene.create({ labels: 200, artists: 50 }, random.seed);
    await both.next(B, "deleted=2%", { seed: random.seed });
    await both.run("one", { version: A, flags: FLAGS });
    await both.run("one", { version: B, types: ["artists"], flags: { ...FLAGS, allowDeletes: true } });
    const held = await both.run("one", { version: B, flags: FLAGS });
    expect(held).toMatchObject({ complete: false, reports: { labels: { pending: 4 }, artists: { xmlBytes: 0, deleted: 1, pending: 0 } } });
    const other = await both.run("one", { version: B, types: ["artists"], flags: FLAGS });
    expect(other).toMatchObject({ complete: true, reports: { artists: { xmlBytes: 0 } } });
    const allowed = await both.run("one", { version: B, flags: { ...FLAGS, allowDeletes: true } });
    expect(allowed).toMatchObject({ complete: true, reports: { labels: { deleted: 4, pending: 0 }, artists: { xmlBytes: 0 } } });
  });

  test("just at the limits are sent", async () => {
    const before = new Map([["labels" as const, new Map() as Records]]);
    await runAndExpect(scene, "at-limits", { version: A, flags: FLAGS }, before);
    await runAndExpect(scene, "at-limits", { version: B, flags: { ...FLAGS, maxDeletes: String(DELETED), maxDeleteShare: "2%" } }, before);
  });

  test("end the program with an exit code of their own", async () => {
    const place = ["--sink", `file:${scene.place("exit/out")}`, "--state", scene.place("exit/state"), "--mode", "incremental", "--output", "json"];
    const run = (version: string, ...args: string[]) => deadwax(["extract", dumpPath(scene.place(), "labels", version), ...place, ...args]);
    const [first, held, allowed] = [await run(A), await run(B), await run(B, "--allow-deletes")];
    expect([first.code, held.code, allowed.code]).toEqual([0, 7, 0]);
    expect(reportOf(held).types).toMatchObject({ labels: { deleted: 0, pending: DELETED } });
    expect(reportOf(allowed).types).toMatchObject({ labels: { created: 0, updated: 0, deleted: DELETED, pending: 0 } });
  });

  test("are allowed also behind a run that was killed before it could say that it holds them back", async () => {
    const place = ["--sink", `file:${scene.place("struck/out")}`, "--state", scene.place("struck/state"), "--mode", "incremental", "--output", "json"];
    const faults = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: "index-moved kill 1" } };
    const run = (version: string, args: string[] = [], how = {}) => deadwax(["extract", dumpPath(scene.place(), "labels", version), ...place, ...args], how);
    expect((await run(A)).code).toBe(0);
    expect((await run(B, [], faults)).signal).toBe("SIGKILL");
    const allowed = await run(B, ["--allow-deletes"]);
    expect([allowed.code, reportOf(allowed).types]).toMatchObject([0, { labels: { created: 0, updated: 0, deleted: DELETED, pending: 0 } }]);
  });
});

test("a dump without any record deletes all only where that is allowed", async () => {
  await withA("empty");
  const from = await changed("empty", () => "<labels>\n</labels>\n");
  const held = await scene.run("empty", { version: B, from, flags: FLAGS });
  await expectHeld("empty", held, LABELS, /100 % of \d+/);
  const all = { version: B, from, flags: { ...FLAGS, allowDeletes: true } };
  const before = new Map([["labels" as const, a.last]]);
  await runAndExpect(scene, "empty", all, before);
  // And from nothing, all are created again.
  await runAndExpect(scene, "empty", { version: "20261001", from: await laterB(), flags: FLAGS }, before);
});

/** Month B under a later name. */
async function laterB(): Promise<string> {
  const folder = scene.place("dumps-later");
  await mkdir(folder, { recursive: true });
  await writeFile(dumpPath(folder, "labels", "20261001"), await readFile(dumpPath(scene.place(), "labels", B)));
  return folder;
}

test("one reject holds every deletion back, whatever is allowed, until the record can be read", async () => {
  await withA("reject");
  const flags = { ...FLAGS, allowDeletes: true };
  const [broken = ""] = [...b.last.keys()].filter((id) => a.last.get(id) === b.last.get(id));
  const from = await changed("reject", (xml) => xml.replace(`<id>${broken}</id>`, `<id>${broken}</di>`));
  const done = await scene.run("reject", { version: B, from, flags });
  expect(done.reports.labels).toMatchObject({ rejected: 1 });
  // The broken record is one of those that have not come.
  await expectHeld("reject", done, DELETED + 1, /1 record was rejected/);
  const now = replay(a.last, await scene.stream("reject", "labels", B));
  expect(now.get(broken)).toBe(a.last.get(broken));

  const { reports, complete } = await scene.run("reject", { version: B, flags });
  const stream = await scene.stream("reject", "labels", B);
  expect([complete, stream.deleted.length]).toEqual([true, DELETED]);
  expect(reports.labels).toMatchObject({ created: 0, updated: 0, deleted: DELETED, pending: 0 });
  expectSame("behind the reject", replay(now, stream), b.last);
});

describe("a dump that breaks off", () => {
  test.each([
    ["in its gzip", "SOURCE_CORRUPT"],
    ["in its XML", "SOURCE_MALFORMED"],
  ])("%s: nothing is deleted, and the whole one brings the rest", async (where, code) => {
    const name = `truncated ${where}`;
    await withA(name);
    const index = await scene.hashes(`${name}/state/.deadwax_index`);
    const from = await changed(where, (xml) => (where === "in its XML" ? `${xml.slice(0, xml.length / 2)}` : xml));
    const path = dumpPath(from, "labels", B);
    if (where === "in its gzip") await writeFile(path, (await readFile(path)).subarray(0, -2000));
    await expect(scene.run(name, { version: B, from, flags: { ...FLAGS, allowDeletes: true } })).rejects.toMatchObject({ code });
    expect(await scene.stream(name, "labels", B)).toEqual({ records: [], deleted: [] });
    const since = await scene.hashes(`${name}/state/.deadwax_index`);
    expect(since).toMatchObject(index);

    const { complete } = await scene.run(name, { version: B, flags: { ...FLAGS, allowDeletes: true } });
    const stream = await scene.stream(name, "labels", B);
    expect([complete, stream.deleted.length]).toEqual([true, DELETED]);
    expectSame(where, replay(a.last, stream), b.last);
  });
});

test("an unusual share of updates is warned of, and counted", async () => {
  const from = scene.place("unusual");
  await scene.next(B, "updated=60%", { out: from });
  await withA("many-updates");
  const metrics = new Metrics();
  const { warnings, reports, complete } = await scene.run("many-updates", { version: B, from, flags: FLAGS, metrics });
  expect([complete, reports.labels?.updated]).toEqual([true, LABELS * 0.6]);
  expect(warnings).toEqual([expect.stringMatching(/labels: 60 % of the known records were updated, which is unusual/)]);
  expect(await metrics.render()).toMatch(/^deadwax_unusual_updates\{type="labels"\} 1$/m);
  expect(await metrics.render()).toMatch(new RegExp(`^deadwax_changes_total\\{type="labels",change="updated"\\} ${LABELS * 0.6}$`, "m"));

  // Below the share nothing is said.
  await withA("some-updates");
  const usual = new Metrics();
  const quiet = await scene.run("some-updates", { version: B, from, flags: { ...FLAGS, warnUpdateShare: "61%" }, metrics: usual });
  expect(quiet.warnings).toEqual([]);
  expect(await usual.render()).toMatch(/^deadwax_unusual_updates\{type="labels"\} 0$/m);
});

test("a dry run tells what a run would do, and leaves every byte as it was", async () => {
  await withA("dry");
  const before = await scene.hashes("dry");
  expect(Object.keys(before).length).toBeGreaterThan(3);
  const dry = await scene.run("dry", { version: B, flags: { ...FLAGS, dryRun: true } });
  expect(await scene.hashes("dry")).toEqual(before);
  expect(dry.reports.labels).toMatchObject({ ...countsOf(expectedChanges(a.last, b.last)), deleted: 0, pending: DELETED });
  const allowed = await scene.run("dry", { version: B, flags: { ...FLAGS, dryRun: true, allowDeletes: true } });
  expect(await scene.hashes("dry")).toEqual(before);
  const real = await scene.run("dry", { version: B, flags: { ...FLAGS, allowDeletes: true } });
  const counts = ({ reports }: Done) => {
    const { created, updated, deleted, unchanged, repeated, pending, read, written, digest } = reports.labels ?? {};
    return { created, updated, deleted, unchanged, repeated, pending, read, written, digest };
  };
  expect(counts(allowed)).toEqual(counts(real));
  expect(real.reports.labels).toMatchObject(countsOf(expectedChanges(a.last, b.last)));

  // Where nothing is known yet, nothing is made either.
  const path = scene.place("nowhere");
  const args = ["--sink", `file:${join(path, "out")}`, "--state", join(path, "state"), "--mode", "incremental", "--dry-run", "--output", "json"];
  const ended = await deadwax(["extract", dumpPath(scene.place(), "labels", A), ...args]);
  expect([ended.code, lastLine(ended)]).toEqual([0, expect.any(String)]);
  expect(reportOf(ended).types).toMatchObject({ labels: { created: LABELS } });
  expect(existsSync(path)).toBe(false);
});
