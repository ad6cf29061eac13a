import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checksumOf } from "../../src/canonical.ts";
import { readMarker, serialiseMarker } from "../../src/state/codec.ts";
import { decide, pendingFiles, resumeInfo } from "../../src/state/decide.ts";
import { MARKER_BYTES_MAX, type Marker, newMarker } from "../../src/state/marker.ts";
import { activateRun } from "../../src/state/runs.ts";
import { begun, checkpoint, FILES, fileOf, hex, opened, play, realisticMarker, source, startOf, TOPIC, VERSION } from "./samples.ts";
import { readAsUpstream } from "./upstream-reader.ts";

const NOW = new Date("2026-03-01T01:02:03.004Z");

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function fixture(name: string): string {
  return readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), "utf8");
}

function read(text: string, version = VERSION): Marker {
  const result = readMarker(bytesOf(text), version, NOW);
  if (result.kind !== "marker") throw new Error(`${result.kind}: ${JSON.stringify(result)}`);
  return result.marker;
}

test("reads back what it wrote", () => {
  const marker = realisticMarker();
  expect(read(serialiseMarker(marker))).toStrictEqual(marker);
});

test("a window that deflate could not shrink fits", () => {
  const marker = realisticMarker(43_700);
  expect(read(serialiseMarker(marker))).toStrictEqual(marker);
});

test("white space and key order do not matter", () => {
  const marker = realisticMarker();
  const json = JSON.parse(serialiseMarker(marker)) as object;
  const turned = Object.fromEntries(Object.entries(json).reverse());
  expect(read(`\n ${JSON.stringify(turned)}\t`)).toStrictEqual(marker);
});

test.each(["new", "opened", "realistic", "completed", "failed"])("an upstream reader accepts a marker that is %s", (stage) => {
  const markers: Record<string, Marker> = {
    new: newMarker(VERSION, NOW),
    opened: opened(),
    realistic: realisticMarker(),
    completed: play(realisticMarker(), [{ type: "processing-completed" }]),
    failed: play(realisticMarker(), [{ type: "phase-failed", phase: "processing", error: "half a pair \ud83d", file: fileOf("labels") }]),
  };
  const text = serialiseMarker(markers[stage] as Marker);
  readAsUpstream(text);
  expect(text).not.toMatch(/\\ud[89a-f]/i);
});

test("keys are in upstream's order, ours comes last, with two blanks of indent", () => {
  const text = serialiseMarker(realisticMarker());
  const own = JSON.parse(text) as Record<string, Record<string, unknown>>;
  const upstream = JSON.parse(fixture("upstream-b")) as Record<string, Record<string, unknown>>;
  expect(Object.keys(own)).toEqual([...Object.keys(upstream), "deadwax"]);
  for (const phase of ["download_phase", "processing_phase", "publishing_phase", "summary"]) {
    expect(Object.keys(own[phase] ?? {})).toEqual(Object.keys(upstream[phase] ?? {}));
  }
  const first = (phase: string, map: string, json: typeof own) => Object.values((json[phase]?.[map] ?? {}) as object)[0] as object;
  for (const [phase, map] of [
    ["download_phase", "downloads_by_file"],
    ["processing_phase", "progress_by_file"],
  ] as const) {
    expect(Object.keys(first(phase, map, own))).toEqual(Object.keys(first(phase, map, upstream)));
  }
  expect(text.split("\n")[1]).toBe('  "metadata_version": "1.0",');
  expect(Object.keys(own.deadwax ?? {})).toEqual(["markerVersion", "checksum", "active", "runs"]);
});

test.each(["marker-v1", "marker-v1-before-changes"])("opens %s", (name) => {
  const marker = read(fixture(name));
  expect(resumeInfo(marker, fileOf("labels"), source("labels"))).toEqual({
    kind: "resume",
    checkpoint: checkpoint(5000, 256),
    batches: 50,
  });
  expect(pendingFiles(marker, FILES)).toEqual(["labels", "masters", "releases"].map((type) => `discogs_${VERSION}_${type}.xml.gz`));
  expect(serialiseMarker(marker)).toBe(fixture("marker-v1"));
});

test.each(["upstream-a", "upstream-b", "example-lenient"])("%s: artists are not published again, the rest is", (name) => {
  const marker = activateRun(read(fixture(name)), TOPIC, NOW);
  expect(decide(marker, { force: false })).toBe("continue");
  expect(pendingFiles(marker, FILES)).toEqual(FILES.slice(1));
  expect(resumeInfo(marker, fileOf("artists"), source("artists", { sha256: null })).kind).toBe("done");
  expect(resumeInfo(marker, fileOf("labels"), source("labels"))).toEqual({ kind: "fresh", reason: null });
  readAsUpstream(serialiseMarker(marker));
});

test("generation A's fields are kept and the missing ones have defaults", () => {
  const marker = read(fixture("upstream-a"));
  expect(marker.download_phase).toMatchObject({ downloads_by_file: {}, bytes_downloaded: 11000000000, started_at: "2026-02-02T06:00:00.000Z" });
  expect(marker.processing_phase.progress_by_file[fileOf("artists")]).toMatchObject({
    records_extracted: 9000000,
    batches_sent: 0,
    source_checksum: null,
  });
});

test("generation B's fields are all kept", () => {
  const { deadwax, ...upstream } = read(fixture("upstream-b"));
  expect(upstream).toEqual(JSON.parse(fixture("upstream-b")));
  expect(deadwax).toEqual({ markerVersion: 1, active: null, runs: {} });
});

test("placeholders for times and checksums in upstream's part are unknown values", () => {
  const text = fixture("upstream-b")
    .replaceAll(/"20\d\d-[^"]+"/g, '"..."')
    .replaceAll(/"[0-9a-f]{64}"/g, '"<sha256 hex or null>"');
  const marker = activateRun(read(text), TOPIC, NOW);
  expect(pendingFiles(marker, FILES)).toEqual(FILES.slice(1));
  readAsUpstream(serialiseMarker(marker));
});

const nested = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
test.each([
  ["nothing", ""],
  ["white space", " \n"],
  ["no JSON", "x"],
  ["null", "null"],
  ["a list", "[]"],
  ["an empty object", "{}"],
  ["a count that is a word", '{"current_version":"20260101","download_phase":{"files_total":"four"}}'],
  ["an unknown status", '{"current_version":"20260101","summary":{"overall_status":"done"}}'],
  ["a negative count", '{"current_version":"20260101","download_phase":{"files_total":-1}}'],
  ["another version", '{"current_version":"20260201"}'],
  ["deep nesting", nested],
  ["deep nesting in our part", `{"current_version":"20260101","deadwax":{"markerVersion":1,"x":${nested}}}`],
  ["our part is null", '{"current_version":"20260101","deadwax":null}'],
  ["our part is of version 0", '{"current_version":"20260101","deadwax":{"markerVersion":0}}'],
  ["our part is of version 1.5", '{"current_version":"20260101","deadwax":{"markerVersion":1.5}}'],
  ["our part has no checksum", '{"current_version":"20260101","deadwax":{"markerVersion":1,"active":null,"runs":{}}}'],
  ["our part has another name", '{"current_version":"20260101","deadway":{"markerVersion":1,"active":null,"runs":{}}}'],
])("starts afresh on %s", (_, text) => {
  const result = readMarker(bytesOf(text), VERSION, NOW);
  expect(result).toEqual({
    kind: "fresh",
    reason: expect.stringMatching(/^it.{1,300}$|^the.{1,300}$/),
    keepAs: ".extraction_status_20260101.json.corrupt-20260301T010203004Z",
  });
});

test("a right checksum over an invalid part is not enough", () => {
  const json = JSON.parse(serialiseMarker(realisticMarker())) as { deadwax: Record<string, unknown> };
  const { checksum: _, ...own } = json.deadwax;
  const unsigned = { ...json, deadwax: { ...own, active: "another" } };
  const text = JSON.stringify({ ...unsigned, deadwax: { ...unsigned.deadwax, checksum: checksumOf(unsigned) } });
  expect(readMarker(bytesOf(text), VERSION, NOW)).toMatchObject({ kind: "fresh", reason: expect.stringContaining("active names no run") });
});

test("starts afresh on bytes that are not UTF-8 and on too many of them", () => {
  expect(readMarker(new Uint8Array([0x7b, 0xff, 0x7d]), VERSION, NOW).kind).toBe("fresh");
  expect(readMarker(new Uint8Array(MARKER_BYTES_MAX + 1).fill(0x20), VERSION, NOW)).toMatchObject({ reason: expect.stringContaining("larger") });
});

test.each([2, 99])("refuses markerVersion %d, whatever else it says", (version) => {
  const newer = serialiseMarker(realisticMarker()).replace('"markerVersion": 1', `"markerVersion": ${version}`);
  expect(readMarker(bytesOf(newer), VERSION, NOW)).toEqual({ kind: "too-new", markerVersion: version });
  const unlike = `{"deadwax":{"markerVersion":${version}}}`;
  expect(readMarker(bytesOf(unlike), VERSION, NOW)).toEqual({ kind: "too-new", markerVersion: version });
});

test("does not write what it could not read", () => {
  const marker = realisticMarker();
  const broken = { ...marker, download_phase: { ...marker.download_phase, files_total: Number.NaN } };
  expect(() => serialiseMarker(broken)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
});

test("upstream's rewrite of our marker, which drops our part, is adopted", () => {
  const { deadwax: _, ...upstream } = JSON.parse(serialiseMarker(realisticMarker())) as Record<string, unknown>;
  const marker = activateRun(read(JSON.stringify(upstream)), TOPIC, NOW);
  expect(pendingFiles(marker, FILES)).toEqual(FILES.slice(1));
  const changed = source("artists", { sha256: hex("other bytes") });
  expect(resumeInfo(marker, fileOf("artists"), changed).kind).toBe("fresh");
});

test("any bytes and any JSON give a result", () => {
  const kinds = ["marker", "fresh", "too-new"];
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => kinds.includes(readMarker(bytes, VERSION, NOW).kind)));
  const phase = fc.oneof(
    fc.jsonValue(),
    fc.record({ status: fc.jsonValue(), progress_by_file: fc.dictionary(fc.string(), fc.jsonValue()) }, { requiredKeys: [] }),
  );
  const marker = fc.record(
    {
      current_version: fc.constant(VERSION),
      download_phase: phase,
      processing_phase: phase,
      summary: phase,
      deadwax: fc.oneof(fc.jsonValue(), fc.record({ markerVersion: fc.jsonValue() })),
    },
    { requiredKeys: [] },
  );
  fc.assert(fc.property(marker, (json) => kinds.includes(readMarker(bytesOf(JSON.stringify(json)), VERSION, NOW).kind)));
});

test("keeps what rules have skipped and flagged", () => {
  const saved = checkpoint(5000);
  const flagged = { ...saved, counts: { ...saved.counts, written: saved.counts.written - 7, skipped: 7 }, flaggedBytes: { violations: 0, skips: 99 } };
  const marker = play(opened(), [...begun(), startOf("labels"), { type: "progress", file: fileOf("labels"), checkpoint: flagged, batches: 50 }]);
  expect(read(serialiseMarker(marker))).toStrictEqual(marker);
});
