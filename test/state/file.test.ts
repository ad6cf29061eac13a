import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { copySynced, type DiskSteps, diskSteps, listMarkers, MarkerFile } from "../../src/state/file.ts";
import { MARKER_BYTES_MAX, type Marker } from "../../src/state/marker.ts";
import { realisticMarker, VERSION } from "./samples.ts";

const NOW = new Date("2026-03-01T00:00:00.000Z");
const NAME = `.extraction_status_${VERSION}.json`;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "deadwax-state-"));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

function numbered(n: number): Marker {
  return { ...realisticMarker(64), last_updated: new Date(NOW.getTime() + n).toISOString() };
}

test("is absent, then reads what was written, and leaves nothing else in the folder", async () => {
  const file = new MarkerFile(root, VERSION);
  expect(await file.read(NOW)).toEqual({ kind: "absent" });
  await file.write(numbered(0));
  await file.write(numbered(1));
  expect(await file.read(NOW)).toEqual({ kind: "marker", marker: numbered(1), writer: "deadwax" });
  expect(await readdir(root)).toEqual([NAME]);
  expect(await file.remove()).toBe(true);
  expect(await file.remove()).toBe(false);
  expect(await readdir(root)).toEqual([]);
});

test("writes beside, syncs, renames, syncs the folder, in that order", async () => {
  const steps: string[] = [];
  const noted = async (step: string, path: string, work: Promise<void>) => {
    await work;
    steps.push(`${step} ${path.slice(root.length)}`);
  };
  const disk: DiskSteps = {
    writeSynced: (path, text) => noted("write", path, diskSteps.writeSynced(path, text)),
    rename: (from, to) => noted("rename", to, diskSteps.rename(from, to)),
    duplicate: (from, to) => noted("duplicate", to, diskSteps.duplicate(from, to)),
    syncFolder: (path) => noted("sync", path, diskSteps.syncFolder(path)),
  };
  await new MarkerFile(root, VERSION, disk).write(numbered(0));
  expect(steps).toEqual([`write /${NAME}.tmp`, `rename /${NAME}`, "sync "]);
});

test("one write at a time; of those that wait only the latest is written, and all resolve behind it", async () => {
  let writes = 0;
  let running = 0;
  const disk: DiskSteps = {
    ...diskSteps,
    async writeSynced(path, text) {
      writes++;
      expect(++running).toBe(1);
      await diskSteps.writeSynced(path, text);
    },
    async syncFolder(path) {
      await diskSteps.syncFolder(path);
      running--;
    },
  };
  const file = new MarkerFile(root, VERSION, disk);
  const first = file.write(numbered(0)).then(() => file.read(NOW));
  await Promise.resolve(); // the first write has begun
  const others = Array.from({ length: 50 }, (_, n) =>
    file.write(numbered(n + 1)).then(async () => {
      const read = await file.read(NOW);
      return read.kind === "marker" ? read.marker.last_updated : read.kind;
    }),
  );
  expect(new Set(await Promise.all(others))).toEqual(new Set([numbered(50).last_updated]));
  expect(writes).toBe(2);
  await first;
});

test("a full disk is said in one line with the file and what to do, and the marker before is intact", async () => {
  const file = new MarkerFile(root, VERSION);
  await file.write(numbered(0));
  await symlink("/dev/full", join(root, `${NAME}.tmp`));
  const failure = await file.write(numbered(1)).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "STATE_UNWRITABLE", cause: { code: "ENOSPC" } });
  expect((failure as Error).message).toBe(
    `state ${join(root, NAME)} cannot be written (ENOSPC): free some space there and start again, the run goes on from its last checkpoint`,
  );
  expect(await file.read(NOW)).toMatchObject({ marker: numbered(0) });
  await file.write(numbered(2)); // a later write is not held up by the failed one
  expect(await file.read(NOW)).toMatchObject({ marker: numbered(2) });
});

test("all that wait for a failing write hear of it, and only they", async () => {
  let failing = true;
  const disk: DiskSteps = { ...diskSteps, rename: (from, to) => (failing ? Promise.reject(new Error("I/O error")) : diskSteps.rename(from, to)) };
  const file = new MarkerFile(root, VERSION, disk);
  const outcomes = await Promise.allSettled([file.write(numbered(0)), file.write(numbered(1))]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  failing = false;
  await file.write(numbered(2));
  expect(await readdir(root)).toEqual([NAME]);
});

test("a folder that is not there, and a marker that is a folder", async () => {
  const missing = new MarkerFile(join(root, "missing"), VERSION);
  expect(await missing.read(NOW)).toEqual({ kind: "absent" });
  await expect(missing.write(numbered(0))).rejects.toMatchObject({ code: "STATE_UNWRITABLE", message: expect.stringContaining("--state") });
  await mkdir(join(root, NAME));
  const file = new MarkerFile(root, VERSION);
  await expect(file.read(NOW)).rejects.toMatchObject({ code: "STATE_UNWRITABLE", message: expect.stringContaining("it is not a file") });
});

test("a marker that is too large is not read", async () => {
  await writeFile(join(root, NAME), "");
  await truncate(join(root, NAME), MARKER_BYTES_MAX + 1);
  expect(await new MarkerFile(root, VERSION).read(NOW)).toMatchObject({ kind: "fresh", reason: expect.stringContaining("larger") });
});

test("kept markers are never overwritten", async () => {
  const file = new MarkerFile(root, VERSION);
  const contents = ["one", "two", "three"];
  const kept: string[] = [];
  for (const text of contents) {
    await writeFile(file.path, text);
    const read = await file.read(NOW);
    if (read.kind !== "fresh") throw new Error(read.kind);
    kept.push(await file.keepBeside(read.keepAs));
  }
  expect(new Set(kept).size).toBe(3);
  expect(await Promise.all(kept.map((path) => readFile(path, "utf8")))).toEqual(contents);
  expect(await file.read(NOW)).toEqual({ kind: "absent" });
  expect(await listMarkers(root)).toEqual([]);
});

test.each([
  ["has a second name", diskSteps],
  ["is copied where a file has but one", { ...diskSteps, duplicate: copySynced }],
])("a marker that is kept for what it says %s, and stays until it is written anew", async (_, disk) => {
  const file = new MarkerFile(root, VERSION, disk);
  await file.write(numbered(0));
  const text = await readFile(file.path, "utf8");
  const kept = await Promise.all([file.copyBeside(`${NAME}.kept`), file.copyBeside(`${NAME}.kept`)]);
  expect(kept.sort()).toEqual([join(root, `${NAME}.kept`), join(root, `${NAME}.kept-1`)]);
  expect(await file.read(NOW)).toMatchObject({ marker: numbered(0) });
  await file.write(numbered(1));
  expect(await Promise.all(kept.map((path) => readFile(path, "utf8")))).toEqual([text, text]);
  expect(await file.read(NOW)).toMatchObject({ marker: numbered(1) });
});

test("lists the versions that have a marker", async () => {
  for (const version of ["20260201", VERSION, "my dump"]) await new MarkerFile(root, version).write({ ...numbered(0), current_version: version });
  await writeFile(join(root, `${NAME}.tmp`), "");
  await writeFile(join(root, ".extraction_status_.json"), "");
  expect((await listMarkers(root)).map(({ version }) => version)).toEqual([VERSION, "20260201", "my dump"]);
  expect(await listMarkers(join(root, "missing"))).toEqual([]);
});

test.each(["", "a/b", "..\\x", "x".repeat(200)])("version %j is no file name", (version) => {
  expect(() => new MarkerFile(root, version)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
});
