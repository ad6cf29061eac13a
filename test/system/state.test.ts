import { copyFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deadwax, extract, lastLine, Running } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, rewrite, temporaryFolder, VERSION } from "./support/dumps.ts";
import { assertSound, fileState, markerPath, readMarker, untilSaved } from "./support/marker.ts";
import { filesIn, fingerprint } from "./support/output.ts";

const RELEASES = 12_000;
const FILE = `discogs_${VERSION}_releases.xml.gz`;
const OUTPUT = `${VERSION}/releases.ndjson`;
const TIME = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d";

let folder: Folder;
let dump: string;
let whole: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  await makeDump(join(folder.path, "dump"), { releases: RELEASES });
  dump = dumpPath(join(folder.path, "dump"), "releases");
  await extract(place("whole").args);
  whole = await fingerprint(join(folder.path, "whole", OUTPUT));
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

function place(name: string, of = dump) {
  const out = join(folder.path, name);
  const state = `${out}-state`;
  return { out, state, args: [of, "--sink", `file:${out}`, "--state", state, "--checkpoint-records", "500", "--chunk", "256KiB"] };
}

/** A run that was killed behind a checkpoint. */
async function interrupted(name: string, of = dump) {
  const at = place(name, of);
  await mkdir(at.state);
  const running = new Running(["extract", ...at.args]);
  await untilSaved(running, at.state, 7);
  running.kill("SIGKILL");
  expect((await running.ended).signal).toBe("SIGKILL");
  const checkpoint = (await fileState(at.state, FILE))?.checkpoint;
  if (checkpoint === null || checkpoint === undefined) throw new Error("no checkpoint was saved");
  return { ...at, checkpoint };
}

test("a completed file whose output was removed is extracted again, with a warning; then nothing is left to do", async () => {
  const { out, args } = place("removed");
  await extract(args);
  await rm(join(out, OUTPUT));
  const again = await extract(args);
  expect(again.stderr).toContain(`no longer holds its records`);
  expect(again.report).toMatchObject({ complete: true, types: { releases: { written: RELEASES, resumedFrom: null } } });
  expect(again.report.types["releases"]?.xmlBytes).toBeGreaterThan(0);
  expect(await fingerprint(join(out, OUTPUT))).toBe(whole);
  const third = await extract(args);
  expect(third.report).toMatchObject({ complete: true, types: { releases: { written: RELEASES, xmlBytes: 0 } } });
});

describe("a marker that cannot be used: a warning, the old one kept beside, every record delivered", () => {
  test.each([
    ["torn", (text: string) => text.slice(0, text.length / 2)],
    ["empty", () => ""],
    ["one digit changed", (text: string) => text.replace(/"ordinal": (\d)/, (_, digit: string) => `"ordinal": ${9 - Number(digit)}`)],
    ["of another version", (text: string) => text.replace(`"current_version": "${VERSION}"`, '"current_version": "20200101"')],
  ])("%s", async (name, damage) => {
    const { out, state, args } = await interrupted(`marker-${name}`);
    const text = await readFile(markerPath(state), "utf8");
    await writeFile(markerPath(state), damage(text));
    const { report, code, stderr } = await extract(args);
    expect(code).toBe(0);
    expect(report.types["releases"]).toMatchObject({ resumedFrom: null, written: RELEASES });
    expect(await fingerprint(join(out, OUTPUT))).toBe(whole);
    expect(stderr).toMatch(/"level":"warn".*is not used.*starts afresh, the old marker is kept as/);
    const kept = (await readdir(state)).filter((file) => file.includes(".corrupt-"));
    expect(kept.length).toBe(1);
    expect(await readFile(join(state, kept[0] ?? ""), "utf8")).toBe(damage(text));
    await assertSound(state);
  });
});

test("a marker from the future is refused in one line, and left alone", async () => {
  const { out, state, args } = await interrupted("future");
  const text = (await readFile(markerPath(state), "utf8")).replace('"markerVersion": 1', '"markerVersion": 2');
  await writeFile(markerPath(state), text);
  const before = await filesIn(out);
  const ended = await deadwax(["extract", ...args, "-q"]);
  expect(ended.code).toBe(6);
  expect(ended.stderr.trimEnd()).toMatch(
    /^deadwax: STATE_TOO_NEW: state marker .* has markerVersion 2, this deadwax knows up to 1: use the newer deadwax, or move the file away to start afresh$/,
  );
  expect(await readFile(markerPath(state), "utf8")).toBe(text);
  expect(await filesIn(out)).toEqual(before);
});

test("a dump whose bytes were replaced is extracted from its first record", async () => {
  const path = join(folder.path, "changing");
  await makeDump(path, { releases: RELEASES });
  const { out, args } = await interrupted("changed", dumpPath(path, "releases"));
  await rewrite(path, "releases", (xml) => xml.replace(/<title>/g, "<title>Another "));
  const { report, code, stderr } = await extract(args);
  expect(code).toBe(0);
  expect(report.types["releases"]).toMatchObject({ resumedFrom: null, written: RELEASES });
  expect(stderr).toMatch(/"level":"warn".*is not the file of the saved state/);
  expect((await readFile(join(out, OUTPUT), "utf8")).split("\n").filter((line) => line.includes('"title":"Another ')).length).toBe(RELEASES);
});

test("an output that lost what the checkpoint vouches for is made afresh", async () => {
  const { out, args, checkpoint } = await interrupted("cut");
  await truncate(join(out, `${OUTPUT}.partial`), Number(checkpoint.sink["bytes"]) - 1);
  const { report, code, stderr } = await extract(args);
  expect({ code, warned: /no longer holds what the last checkpoint vouches for/.test(stderr) }).toEqual({ code: 0, warned: true });
  expect(report.types["releases"]?.resumedFrom).toBeNull();
  expect(await fingerprint(join(out, OUTPUT))).toBe(whole);
});

test("a run in progress continues without verifying again, a completed one is skipped", async () => {
  const { out, state, args, checkpoint } = await interrupted("continued");
  const { report, stderr } = await extract([...args, "--log-level", "debug"]);
  expect(report.types["releases"]?.resumedFrom).toEqual({ ordinal: checkpoint.ordinal, offset: checkpoint.resume.recordOffset });
  expect(stderr).not.toContain("🔐 Verifying");
  expect(await fingerprint(join(out, OUTPUT))).toBe(whole);

  const before = [await stat(join(out, OUTPUT), { bigint: true }), await stat(markerPath(state), { bigint: true })].map(
    ({ ino, mtimeNs }) => `${ino} ${mtimeNs}`,
  );
  const again = await extract(args);
  expect({ code: again.code, complete: again.report.complete }).toEqual({ code: 0, complete: true });
  expect(again.report.types["releases"]).toMatchObject({ written: RELEASES, xmlBytes: 0, inflatedBytes: 0, digest: report.types["releases"]?.digest });
  const after = [await stat(join(out, OUTPUT), { bigint: true }), await stat(markerPath(state), { bigint: true })].map(
    ({ ino, mtimeNs }) => `${ino} ${mtimeNs}`,
  );
  expect(after).toEqual(before);

  const forced = await extract([...args, "--force"]);
  expect(forced.report.types["releases"]).toMatchObject({ written: RELEASES, resumedFrom: null });
  expect(forced.report.types["releases"]?.xmlBytes).toBeGreaterThan(0);
});

test("the example marker of upstream's documentation is understood: artists are not extracted again", async () => {
  const version = "20260101";
  const path = join(folder.path, "upstream");
  await makeDump(path, { artists: 50, labels: 60, masters: 70, releases: 80, version });
  const example =
    '{"current_version":"20260101","download_phase":{"status":"completed","files_downloaded":4,"bytes_downloaded":5234567890},"processing_phase":{"status":"in_progress","files_processed":2,"records_extracted":1234567,"progress_by_file":{"discogs_20260101_artists.xml.gz":{"status":"completed","records_extracted":500000}}},"summary":{"overall_status":"in_progress"}}';
  await writeFile(markerPath(path, version), example);
  const { report, code, stderr } = await extract(["--root", path, "--sink", `file:${path}/out`]);
  expect(code).toBe(0);
  expect(stderr).not.toContain("is not used");
  expect(await filesIn(join(path, "out"))).toEqual([`${version}/labels.ndjson`, `${version}/masters.ndjson`, `${version}/releases.ndjson`]);
  expect(report.types).toMatchObject({ labels: { written: 60 }, masters: { written: 70 }, releases: { written: 80 } });
  const marker = await readMarker(path, version);
  expect(marker.processing_phase.progress_by_file["discogs_20260101_artists.xml.gz"]).toMatchObject({ status: "completed", records_extracted: 500_000 });
  expect(marker.summary.overall_status).toBe("completed");
});

describe("errors of each phase stand in the marker, with time and text", () => {
  test("download: a dump that fails its verification", async () => {
    const path = join(folder.path, "error-download");
    await makeDump(path, { releases: 100 });
    const damaged = dumpPath(path, "releases");
    await truncate(damaged, (await stat(damaged)).size - 1);
    const { state, args } = place("error-download-run", damaged);
    expect((await deadwax(["extract", ...args])).code).toBe(4);
    const { download_phase: phase } = await readMarker(state);
    expect(phase.status).toBe("failed");
    expect(phase.errors).toEqual([expect.stringMatching(new RegExp(`${TIME}.*SHA-256`))]);
    await makeDump(path, { releases: 100 });
    expect((await extract(args)).code).toBe(0);
    expect((await readMarker(state)).download_phase.status).toBe("completed");
  });

  test("processing: a dump without its closing root", async () => {
    const path = join(folder.path, "error-processing");
    await makeDump(path, { releases: 100 });
    await rewrite(path, "releases", (xml) => xml.replace("</releases>", ""));
    const { out, state, args } = place("error-processing-run", dumpPath(path, "releases"));
    const ended = await deadwax(["extract", ...args]);
    expect({ code: ended.code, last: lastLine(ended) }).toMatchObject({ code: 4, last: expect.stringContaining("SOURCE_MALFORMED") });
    const { processing_phase: phase } = await readMarker(state);
    expect(phase.status).toBe("failed");
    expect(phase.errors).toEqual([expect.stringMatching(new RegExp(`${TIME}.*releases`))]);
    expect((await filesIn(out)).filter((name) => !name.endsWith(".partial"))).toEqual([]);
  });

  test("publishing: a sink that fails in the middle", async () => {
    const { out, state, args } = place("error-publishing");
    await mkdir(join(out, VERSION, "releases.ndjson"), { recursive: true }); // a folder where the file should go
    await writeFile(join(out, VERSION, "releases.ndjson", "something"), "");
    const ended = await deadwax(["extract", ...args]);
    expect({ code: ended.code, last: lastLine(ended) }).toMatchObject({ code: 5, last: expect.stringContaining("SINK_UNAVAILABLE") });
    const { publishing_phase: publishing, processing_phase: processing } = await readMarker(state);
    expect(processing.status).toBe("failed");
    expect(publishing.status).toBe("failed");
    expect(publishing.errors).toEqual([expect.stringMatching(new RegExp(`${TIME}.*releases\\.ndjson`))]);
    await rm(join(out, VERSION, "releases.ndjson"), { recursive: true });
    expect((await extract(args)).code).toBe(0);
    expect(await fingerprint(join(out, OUTPUT))).toBe(whole);
  });
});

test("a dump whose name says no data type resumes after a failure", async () => {
  await mkdir(join(folder.path, "unnamed-dump"));
  const unnamed = join(folder.path, "unnamed-dump", "some.xml.gz");
  await copyFile(dump, unnamed);
  const { out, args } = place("unnamed", unnamed);
  await mkdir(join(out, "some", "releases.ndjson", "in the way"), { recursive: true });
  expect((await deadwax(["extract", ...args])).code).toBe(5);
  await rm(join(out, "some", "releases.ndjson"), { recursive: true });
  const { code, report } = await extract(args);
  expect(code).toBe(0);
  expect(report.types["releases"]?.resumedFrom).not.toBeNull();
  expect(await fingerprint(join(out, "some", "releases.ndjson"))).toBe(whole);
});

test("one folder does not take both contracts of a version, except by force", async () => {
  const { out, args } = place("rivals");
  expect((await extract(args)).code).toBe(0);
  const ended = await deadwax(["extract", ...args, "--contract", "fanout"]);
  expect({ code: ended.code, last: lastLine(ended) }).toMatchObject({ code: 2, last: expect.stringContaining("holds version") });
  const among = await deadwax(["extract", ...args, "--contract", "fanout", "--sink", `file:${out}-other`]);
  expect({ code: among.code, last: lastLine(among) }).toMatchObject({
    code: 2,
    last: expect.stringContaining(`file:${out} + file:${out}-other holds version`),
  });
  expect(await fingerprint(join(out, OUTPUT))).toBe(whole);
  expect((await extract([...args, "--contract", "fanout", "--force"])).code).toBe(0);
  expect(await fingerprint(join(out, OUTPUT))).not.toBe(whole);
});
