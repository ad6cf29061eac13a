import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DataType } from "../../src/model.ts";
import { Database } from "../services/database.ts";
import { deadwax, lastLine } from "../system/support/deadwax.ts";
import { seeded } from "../system/support/random.ts";
import { runAndExpect } from "./expect-changes.ts";
import {
  changedBetween,
  D,
  damage,
  done,
  expectEnd,
  FLAGS,
  indexFile,
  killedAtGeneration,
  lastIn,
  makeMonths,
  pointerOf,
  scene,
  state,
} from "./index-keeping.ts";
import { expectedChanges, lastOf, type Records } from "./oracle.ts";
import { A, B, C } from "./scene.ts";

const random = seeded("state");
beforeAll(async () => {
  await makeMonths(random.seed);
});
afterAll(() => scene[Symbol.asyncDispose]());

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
