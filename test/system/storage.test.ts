import { execFile } from "node:child_process";
import { chmod, chown, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { smallDisk } from "../sink/small-disk.ts";
import { deadwax, type Ended, extract, lastLine } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { assertSound, fileState, markerPath } from "./support/marker.ts";
import { filesIn, fingerprint } from "./support/output.ts";

const run = promisify(execFile);
const DISK_BYTES = 4 * 1024 * 1024;
/** More than the disk holds. */
const RELEASES = 4_000;
const FILE = `discogs_${VERSION}_releases.xml.gz`;
/** Somebody who may do nothing special. */
const NOBODY = 65_534;
const UNDER_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];

let folder: Folder;
let dump: string;
let whole: string;
let canDropRights = true;
beforeAll(async () => {
  folder = await temporaryFolder();
  await makeDump(join(folder.path, "dump"), { releases: RELEASES });
  dump = dumpPath(join(folder.path, "dump"), "releases");
  await extract([dump, "--sink", `file:${folder.path}/whole`, "--state", `${folder.path}/whole-state`]);
  whole = await fingerprint(join(folder.path, "whole", VERSION, "releases.ndjson"));
  await chmod(folder.path, 0o755);
  canDropRights = await run("setpriv", [...UNDER_NOBODY.slice(1), "true"]).then(
    () => true,
    () => false,
  );
  if (!canDropRights && process.env["CI"]) throw new Error("rights have to be dropped for these tests: run them as root, with setpriv");
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

/** One failure in one line, which names the place and says what to do. */
function expectFailure(ended: Ended, exit: number, code: string, named: string, advice: RegExp): void {
  const last = lastLine(ended);
  expect({ exit: ended.code, last }).toEqual({ exit, last: expect.stringMatching(new RegExp(`^deadwax: ${code}: `)) });
  expect(last).toContain(named);
  expect(last).toMatch(advice);
  expect(ended.stderr.split("\n").filter((line) => /^\s+at /.test(line))).toEqual([]);
}

describe.each(["", "?compress=gzip"])("a full disk under the sink, file:DIR%s", (compress) => {
  test("says which file and what to do, and goes on once there is room", { timeout: 60_000 }, async (context) => {
    await using disk = await smallDisk(DISK_BYTES);
    if (disk === null) return context.skip("no tmpfs");
    const state = join(folder.path, `full${compress.length}`);
    const output = `releases.ndjson${compress === "" ? "" : ".gz"}`;
    const args = [dump, "--sink", `file:${disk.path}${compress}`, "--state", state, "--checkpoint-records", "100", "--chunk", "256KiB"];
    if (compress !== "") await writeFile(join(disk.path, "ballast"), Buffer.alloc(3 * 1024 * 1024));
    const failed = await deadwax(["extract", ...args]);
    expectFailure(failed, 5, "SINK_FULL", join(disk.path, VERSION, `${output}.partial`), /free some space .* start again: the run resumes/);
    await assertSound(state);
    const checkpoint = (await fileState(state, FILE))?.checkpoint;
    expect(checkpoint?.ordinal).toBeGreaterThan(0);

    const again = await deadwax(["extract", ...args]); // nothing was freed
    expectFailure(again, 5, "SINK_FULL", disk.path, /free some space/);
    await assertSound(state);
    expect((await fileState(state, FILE))?.checkpoint?.ordinal).toBeGreaterThanOrEqual(checkpoint?.ordinal ?? 0);

    await rm(join(disk.path, "ballast"), { force: true });
    await disk.remount("size=64m");
    const { report, code } = await extract(args);
    expect(code).toBe(0);
    expect(report.types["releases"]?.resumedFrom?.ordinal).toBeGreaterThanOrEqual(checkpoint?.ordinal ?? 0);
    expect(await filesIn(disk.path)).toEqual([`${VERSION}/${output}`]);
    expect(await fingerprint(join(disk.path, VERSION, output))).toBe(whole);
  });
});

test("a full disk under the state: exit 6, and what was there before stays sound", { timeout: 60_000 }, async (context) => {
  await using disk = await smallDisk(64 * 1024);
  if (disk === null) return context.skip("no tmpfs");
  const args = [dump, "--sink", `file:${folder.path}/state-full`, "--state", disk.path, "--checkpoint-records", "100", "--chunk", "256KiB"];
  await writeFile(join(disk.path, "ballast"), Buffer.alloc(64 * 1024)).catch(() => {}); // whatever fits
  const failed = await deadwax(["extract", ...args]);
  expectFailure(failed, 6, "STATE_UNWRITABLE", disk.path, /free some space there and start again/);

  await rm(join(disk.path, "ballast"));
  const { code } = await extract(args);
  expect(code).toBe(0);
  expect(await fingerprint(join(folder.path, "state-full", VERSION, "releases.ndjson"))).toBe(whole);
  await assertSound(disk.path);
});

test("a full disk under the state in the middle of a run: the marker before stays, and the run goes on from it", { timeout: 60_000 }, async (context) => {
  // Room for the marker, but not for the one beside that holds a checkpoint with its window.
  await using disk = await smallDisk(64 * 1024);
  if (disk === null) return context.skip("no tmpfs");
  const args = [dump, "--sink", `file:${folder.path}/state-late`, "--state", disk.path, "--checkpoint-records", "100", "--chunk", "256KiB"];
  await writeFile(join(disk.path, "ballast"), Buffer.alloc(24 * 1024));
  const failed = await deadwax(["extract", ...args]);
  expectFailure(failed, 6, "STATE_UNWRITABLE", markerPath(disk.path), /free some space there and start again/);
  await assertSound(disk.path);
  await rm(join(disk.path, "ballast"));
  await disk.remount("size=1m");
  const { code } = await extract(args);
  expect(code).toBe(0);
  expect(await fingerprint(join(folder.path, "state-late", VERSION, "releases.ndjson"))).toBe(whole);
});

describe("as a user without rights", () => {
  const place = async (name: string) => {
    const path = join(folder.path, name);
    await mkdir(join(path, "out"), { recursive: true });
    await mkdir(join(path, "state"));
    for (const at of [path, join(path, "out"), join(path, "state")]) await chown(at, NOBODY, NOBODY);
    return { path, out: join(path, "out"), state: join(path, "state") };
  };
  const asNobody = (args: readonly string[]) => deadwax(["extract", ...args], { under: UNDER_NOBODY });

  test("everything allowed: done", async (context) => {
    if (!canDropRights) return context.skip("no setpriv");
    const { out, state } = await place("allowed");
    const ended = await asNobody([dump, "--sink", `file:${out}`, "--state", state]);
    expect({ code: ended.code, last: ended.code === 0 ? "" : lastLine(ended) }).toEqual({ code: 0, last: "" });
  });

  test("a dump that may not be read", async (context) => {
    if (!canDropRights) return context.skip("no setpriv");
    const { path, out, state } = await place("unreadable");
    await makeDump(join(path, "dump"), { labels: 10 });
    const secret = dumpPath(join(path, "dump"), "labels");
    await chmod(secret, 0o600);
    expectFailure(
      await asNobody([secret, "--sink", `file:${out}`, "--state", state]),
      4,
      "SOURCE_UNREADABLE",
      secret,
      /permission denied; let this user read it/,
    );
    expect(await filesIn(out)).toEqual([]);
  });

  test("a sink folder that may not be written", async (context) => {
    if (!canDropRights) return context.skip("no setpriv");
    const { out, state } = await place("unwritable");
    await chown(out, 0, 0);
    expectFailure(await asNobody([dump, "--sink", `file:${out}`, "--state", state]), 5, "SINK_UNAVAILABLE", out, /choose another --sink|give/);
    expect(await filesIn(out)).toEqual([]);
  });

  test("a state folder that may not be written", async (context) => {
    if (!canDropRights) return context.skip("no setpriv");
    const { out, state } = await place("stateless");
    await chown(state, 0, 0);
    expectFailure(
      await asNobody([dump, "--sink", `file:${out}`, "--state", state]),
      6,
      "STATE_UNWRITABLE",
      state,
      /give this user access to the folder, or keep state elsewhere with --state/,
    );
    expect(await filesIn(out)).toEqual([]);
  });

  test("a version folder that may not be written, behind a sink folder that may: state stays as it was", async (context) => {
    if (!canDropRights) return context.skip("no setpriv");
    const { out, state } = await place("inner");
    await mkdir(join(out, VERSION));
    await chmod(join(out, VERSION), 0o555);
    expectFailure(await asNobody([dump, "--sink", `file:${out}`, "--state", state]), 5, "SINK_UNAVAILABLE", join(out, VERSION), /permission/);
    await assertSound(state);
    expect((await stat(markerPath(state))).size).toBeGreaterThan(0);
  });
});
