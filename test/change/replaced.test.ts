import { copyFile, mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sha256 } from "../../native/index.js";
import type { DataType } from "../../src/model.ts";
import { deadwax } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { expectSame } from "./expect-changes.ts";
import { idOf, type Records, replay } from "./oracle.ts";
import { B, type Done, Scene } from "./scene.ts";

const random = seeded("replaced");
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.create({ labels: 200, artists: 100 }, random.seed);
  // What is published anew as the same version.
  await scene.next(B, "", { seed: random.seed });
  await scene.next(B, "labels.created=3,labels.updated=4,labels.deleted=2", { seed: random.seed, out: scene.place("anew") });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** Publishes the version in a folder: the dumps, and where it is asked for their hashes. */
async function publish(from: string, to: string, hashes: boolean): Promise<void> {
  await mkdir(to, { recursive: true });
  const lines: string[] = [];
  for (const type of scene.types) {
    const [source, target] = [dumpPath(from, type, B), dumpPath(to, type, B)];
    // The same bytes written again are another file to the state; what is as it was stays the file that it is.
    const [bytes, there] = [await readFile(source), await readFile(target).catch(() => null)];
    if (there === null || !bytes.equals(there)) await copyFile(source, target);
    lines.push(`${sha256(bytes)}  ${basename(target)}`);
  }
  if (hashes) await writeFile(join(to, `discogs_${B}_CHECKSUM.txt`), `${lines.join("\n")}\n`);
}

const NOT_THE_FILE = /labels.* is not the file of the saved state, .*: it is extracted from its first record/;

describe.each([
  ["with", true],
  ["without", false],
])("a version that is complete, published %s hashes", (what, hashes) => {
  test.each(["incremental", "normal"] as const)("is read again where its bytes are others, in %s mode", async (mode) => {
    const name = `other-${what}-${mode}`;
    const from = scene.place(`dumps-${name}`);
    const run = () => scene.run(name, { version: B, from, flags: { mode, allowDeletes: true, maxDeleteShare: "100%" } });
    await publish(scene.place(), from, hashes);
    await run();
    const before = new Map<DataType, Records>();
    for (const type of scene.types) before.set(type, new Map((await scene.stream(name, type, B)).records.map((body) => [idOf(body), body])));

    await publish(scene.place("anew"), from, hashes);
    const { reports, complete, warnings } = await run();
    expect(complete).toBe(true);
    expect(warnings).toEqual([expect.stringMatching(NOT_THE_FILE)]);
    expect(reports.labels?.xmlBytes).toBeGreaterThan(0);
    expect(reports.artists?.xmlBytes).toBe(0);
    const wanted = (await scene.full("labels", B, { from: scene.place("anew") })).last;
    const stream = await scene.stream(name, "labels", B);
    const isWhole = mode === "normal";
    expect(stream.records).toHaveLength(isWhole ? 201 : 7);
    expectSame(name, replay(isWhole ? new Map() : (before.get("labels") ?? new Map()), stream), wanted);
    await expectSkipped(run);
  });
});

/** A further run reads nothing, verifies nothing and warns of nothing. */
async function expectSkipped(run: () => Promise<Done>): Promise<void> {
  const { reports, complete, warnings } = await run();
  expect({ complete, warnings }).toEqual({ complete: true, warnings: [] });
  expect(Object.values(reports).map(({ xmlBytes }) => xmlBytes)).toEqual(scene.types.map(() => 0));
}

test.each([true, false])("a file that was copied or touched stays completed, and is hashed once; published with hashes: %s", async (hashes) => {
  const [name, from] = [`touched-${hashes}`, scene.place(`dumps-touched-${hashes}`)];
  const run = () => scene.run(name, { version: B, from });
  await publish(scene.place(), from, hashes);
  await run();
  await utimes(dumpPath(from, "labels", B), 1, 1);
  await rm(dumpPath(from, "artists", B));
  await publish(scene.place(), from, hashes);
  await expectSkipped(run);
  const place = ["--sink", `file:${join(scene.place(name), "out")}`, "--state", join(scene.place(name), "state"), "--mode", "incremental"];
  const { code, stderr } = await deadwax(["extract", ...scene.types.map((type) => dumpPath(from, type, B)), ...place]);
  expect(code, stderr).toBe(0);
  expect(stderr).not.toMatch(/[Vv]erif/);
});

test("a replacement that is damaged is told, and what was delivered stays", async () => {
  const [name, from] = ["damaged", scene.place("dumps-damaged")];
  const run = () => scene.run(name, { version: B, from });
  await publish(scene.place(), from, true);
  await run();
  const before = await readdir(join(scene.place(name), "out", B));
  const path = dumpPath(from, "labels", B);
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(0, bytes.length / 2));
  await expect(run()).rejects.toMatchObject({ code: "SOURCE_CORRUPT" });
  expect(await readdir(join(scene.place(name), "out", B))).toEqual(before);
  await writeFile(path, bytes);
  await expectSkipped(run);
});

test("hashes that are published anew are held against the files that are there", async () => {
  const [name, from] = ["republished", scene.place("dumps-republished")];
  const run = () => scene.run(name, { version: B, from });
  await publish(scene.place(), from, true);
  await run();
  const lines = scene.types.map((type) => `${sha256(Buffer.from(type))}  ${basename(dumpPath(from, type, B))}\n`);
  await writeFile(join(from, `discogs_${B}_CHECKSUM.txt`), lines.join(""));
  await expect(run()).rejects.toMatchObject({ code: "SOURCE_CORRUPT" });
});

test.each(["incremental", "normal"])("records that were taken away before their changes were concluded are delivered again, in %s mode", async (mode) => {
  const name = `taken-${mode}`;
  const own = ["--sink", `file:${join(scene.place(name), "out")}`, "--state", join(scene.place(name), "state"), "--mode", mode, "--threads", "1"];
  const files = scene.types.map((type) => dumpPath(scene.place(), type, B));
  const options = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: "file-saved kill 1" } };
  const ended = await deadwax(["extract", ...files, ...own], options);
  expect(ended.signal, ended.stderr).toBe("SIGKILL");
  await rm(join(scene.place(name), "out"), { recursive: true });
  const { complete, warnings } = await scene.run(name, { version: B, flags: { mode } });
  expect(complete).toBe(true);
  expect(warnings).toEqual([expect.stringMatching(/no longer holds its records; extracting it again/)]);
  for (const type of scene.types) {
    const { records } = await scene.stream(name, type, B);
    expectSame(type, new Map(records.map((body) => [idOf(body), body])), (await scene.full(type, B)).last);
  }
  if (mode === "normal") return;
  // What the index knows may be taken away.
  await rm(join(scene.place(name), "out"), { recursive: true });
  await expectSkipped(() => scene.run(name, { version: B }));
});
