import { copyFile, cp, mkdir, readdir, readFile, rm, statfs, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exportIndex, findBackup } from "../../dist/change/backups.js";
import { RecordIndex } from "../../dist/change/record-index.js";
import { openDump } from "../../dist/index.js";
import { closeIndex, openIndex, verifyIndex } from "../../native/index.js";
import type { DataType } from "../../src/model.ts";
import { type SmallDisk, smallDisk } from "../sink/small-disk.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { FULL, figure } from "../system/support/scale.ts";
import { expectChanges, runAndExpect } from "./expect-changes.ts";
import type { Records } from "./oracle.ts";
import { A, B, Scene } from "./scene.ts";

const DISK_BYTES = 16 * 2 ** 20;
/** What a tmpfs gives out at a time. */
const PAGE_BYTES = 4096;
const INDEX = ".deadwax_index";
const FLAGS = { chunk: "16KiB", allowDeletes: true };
/** Long names make the pointer, which has the sink's, larger than what is written just before it: else that would always fail first. */
const LONG = join(...Array.from({ length: 14 }, (_, n) => String(n).padStart(240, "d")));

/** Of every run, since an index is that of its sink's name. */
const NAME = join("place", LONG);

const random = seeded("disk full");
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.create({ labels: 300, releases: 100 }, random.seed);
  await scene.next(B, "created=4,updated=3%,deleted=2", { seed: random.seed });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** Leaves so many pages of a disk free. */
async function leave(disk: SmallDisk, pages: number): Promise<void> {
  const { bavail, bsize } = await statfs(disk.path);
  expect(bsize).toBe(PAGE_BYTES);
  await writeFile(join(disk.path, "ballast"), Buffer.alloc((bavail - pages) * PAGE_BYTES));
  expect((await statfs(disk.path)).bavail).toBe(pages);
}

/** The place as it was kept, or an empty one, with its index on the disk. */
async function onDisk(disk: SmallDisk, kept: string | null): Promise<void> {
  for (const file of await readdir(disk.path)) await rm(join(disk.path, file), { recursive: true });
  await rm(scene.place(NAME), { recursive: true, force: true });
  if (kept !== null) await cp(scene.place(kept), scene.place(NAME), { recursive: true });
  const index = join(scene.place(NAME), "state", INDEX);
  await mkdir(join(index, ".."), { recursive: true });
  if (kept !== null) await cp(index, disk.path, { recursive: true });
  await rm(index, { recursive: true, force: true });
  await symlink(disk.path, index);
}

/** The pointer of a disk's index; null: there is none. */
async function pointerOn(disk: SmallDisk): Promise<{ text: string; files: string[] } | null> {
  const [pointer] = (await readdir(disk.path, { recursive: true })).filter((file) => basename(file) === "CURRENT.json");
  if (pointer === undefined) return null;
  const text = await readFile(join(disk.path, pointer), "utf8");
  const { types } = JSON.parse(text) as { types: Record<string, { file: string }> };
  return { text, files: Object.values(types).map(({ file }) => join(disk.path, pointer, "..", file)) };
}

/** The generations that the pointer names are whole. */
async function expectSound(disk: SmallDisk): Promise<void> {
  for (const file of (await pointerOn(disk))?.files ?? []) {
    const index = openIndex(file);
    try {
      expect(await verifyIndex(index)).toBeGreaterThan(0);
    } finally {
      closeIndex(index);
    }
  }
}

const bodies = (version: string) => Promise.all(scene.types.map(async (type) => [type, await scene.full(type, version)] as const));

/**
 * Runs a version with ever more room, from none at all to enough, each time from the same start. Whatever fails says so, leaves the last good
 * generations what they were, and with room the run ends as if nothing had been. Gives the files that could not be written.
 */
async function untilEnough(version: string, kept: string | null, before: ReadonlyMap<DataType, Records>): Promise<string[]> {
  await using disk = await smallDisk(DISK_BYTES);
  if (disk === null) return [];
  const after = new Map(await bodies(version));
  const failed: string[] = [];
  for (let pages = 0; ; pages += 1) {
    await onDisk(disk, kept);
    const was = await pointerOn(disk);
    await leave(disk, pages);
    const found = await scene.run(NAME, { version, flags: FLAGS }).catch((error: unknown) => error as { code?: string; message?: string });
    const isDone = "reports" in found;
    if (!isDone) {
      expect(found).toMatchObject({
        code: expect.stringMatching(/^(INDEX|STATE)_UNWRITABLE$/),
        message: expect.stringMatching(/look at the folder and its disk/),
      });
      expect(found.message).toContain(INDEX);
      failed.push(fileNamedIn(found.message ?? ""));
      expect((await pointerOn(disk))?.text).toBe(was?.text);
    }
    await expectSound(disk);
    await rm(join(disk.path, "ballast"));
    const { reports, complete } = isDone ? found : await scene.run(NAME, { version, flags: FLAGS });
    expect(complete).toBe(true);
    await expectSound(disk);
    for (const type of scene.types) {
      const of = after.get(type);
      if (of === undefined) throw new Error(`${type} was not extracted`);
      const stream = await scene.stream(NAME, type, version);
      expectChanges(`${version} ${type}, ${pages} pages`, { before: before.get(type) ?? new Map(), after: of, report: reports[type], stream });
    }
    expect((await readdir(disk.path, { recursive: true })).filter((file) => /\.(tmp|partial|sort|ledger)$/.test(file))).toEqual([]);
    if (isDone) return failed;
  }
}

/** `labels.2.idx` and `CURRENT.json`, whatever is behind or beside. */
function fileNamedIn(message: string): string {
  return /([a-zA-Z]+(?:\.\d+)?\.(?:idx|json|ndjson|ledger))/.exec(message)?.[1] ?? message;
}

test("a full disk under the index: each file that has no room is named, and with room the run ends right", { timeout: 300_000 }, async (context) => {
  const first = await untilEnough(A, null, new Map());
  const before = new Map<DataType, Records>();
  await rm(scene.place(NAME), { recursive: true, force: true });
  await runAndExpect(scene, NAME, { version: A, flags: FLAGS }, before);
  await cp(scene.place(NAME), scene.place("kept"), { recursive: true });
  const second = await untilEnough(B, "kept", before);
  if (first.length === 0) return context.skip("no tmpfs");
  figure("full disks under an index", { first: first.length, second: second.length });
  // The files are read side by side: which of the ledgers has no room is chance.
  const named = [...first, ...second].map((file) => file.replace(/^[a-z]+\.ledger$/, "*.ledger"));
  expect([...new Set(named)].sort()).toEqual(
    ["*.ledger", "CURRENT.json", "history.ndjson", ...scene.types.flatMap((type) => [`${type}.1.idx`, `${type}.2.idx`])].sort(),
  );
});

test("a full disk under an export: it is there as a whole or not at all, and says so", { timeout: 120_000 }, async (context) => {
  await using disk = await smallDisk(DISK_BYTES);
  if (disk === null) return context.skip("no tmpfs");
  await scene.run("exported", { version: A, flags: FLAGS });
  const key = { sink: `file:${join(scene.place("exported"), "out")}`, contract: "topic" } as const;
  const index = await RecordIndex.open(join(scene.place("exported"), "state"), key);
  expect(Object.keys(index.pointer.types)).toEqual(scene.types);
  let failures = 0;
  for (let pages = 0; ; pages += 1) {
    await leave(disk, pages);
    const made = await exportIndex(index, disk.path, new Date()).catch((error: unknown) => error as { code: string; message: string });
    await rm(join(disk.path, "ballast"));
    if ("pointer" in made) {
      expect((await findBackup(disk.path, key)).pointer).toEqual(index.pointer);
      break;
    }
    failures += 1;
    expect(made).toMatchObject({ code: "STATE_UNWRITABLE", message: `${disk.path}: the export cannot be written (ENOSPC); look at the folder and its disk` });
    expect(await readdir(disk.path)).toEqual([]);
  }
  // The pointer, the history, the manifest, and at least a page of each data type's index.
  expect(failures).toBeGreaterThanOrEqual(4);
});

test("a full disk under an access index: nothing is left of it, and with room the record is given", { timeout: 120_000 }, async (context) => {
  await using disk = await smallDisk(DISK_BYTES);
  if (disk === null) return context.skip("no tmpfs");
  const root = scene.place("looked at");
  await mkdir(root);
  await copyFile(dumpPath(scene.place(), "labels", A), dumpPath(root, "labels", A));
  await symlink(disk.path, join(root, ".deadwax_access"));
  const { bodies } = await scene.full("labels", A);
  const body = bodies[100] ?? "";
  let failures = 0;
  for (let pages = 0; ; pages += 1) {
    await leave(disk, pages);
    const opened = await openDump(root, { type: "labels" }).catch((error: unknown) => error as { code: string; message: string });
    await rm(join(disk.path, "ballast"));
    if ("getRecord" in opened) {
      await using dump = opened;
      expect((await dump.getRecord((JSON.parse(body) as { id: string }).id))?.parse()).toEqual(JSON.parse(body));
      break;
    }
    failures += 1;
    expect(opened).toMatchObject({ code: "STATE_UNWRITABLE", message: expect.stringMatching(/\.access cannot be written \(ENOSPC\): free some space/) });
    expect(await readdir(disk.path)).toEqual([]);
  }
  expect(failures).toBeGreaterThan(0);
});

/** So many changes that do not ascend are sorted outside of memory. */
const SPILLED = 300_000;
if (FULL) {
  test("a full disk under changes that are sorted outside of memory: the run ends right once there is room", { timeout: 600_000 }, async (context) => {
    await using disk = await smallDisk(6 * DISK_BYTES);
    if (disk === null) return context.skip("no tmpfs");
    await using many = await Scene.create({ labels: SPILLED }, random.seed);
    await many.next(B, "shuffle", { seed: random.seed });
    await mkdir(join(many.place("run"), "state"), { recursive: true });
    await symlink(disk.path, join(many.place("run"), "state", INDEX));
    // Room for the ledger, of 34 bytes a change, and half as much.
    await leave(disk, Math.round((1.5 * 34 * SPILLED) / PAGE_BYTES));
    const flags = { allowDeletes: true };
    await expect(many.run("run", { version: B, flags })).rejects.toMatchObject({
      code: "INDEX_UNWRITABLE",
      message: expect.stringContaining("labels.1.idx: No space left"),
    });
    expect((await readdir(disk.path, { recursive: true })).filter((file) => /\.(idx|partial|sort)$/.test(file))).toEqual([]);
    await rm(join(disk.path, "ballast"));
    await runAndExpect(many, "run", { version: B, flags }, new Map());
  });
}
