import { expect, test } from "vitest";
import { decide, outcome, pendingFiles, rejectedRecords, resumeInfo } from "../../src/state/decide.ts";
import type { StateEvent } from "../../src/state/events.ts";
import { verifiedSource } from "../../src/state/identity.ts";
import type { Marker, Status } from "../../src/state/marker.ts";
import { begun, checkpoint, FILES, fileOf, hex, opened, play, realisticMarker, source, startOf, wholeFile } from "./samples.ts";

function withStatuses(marker: Marker, download: Status, processing: Status, overall: Status): Marker {
  return {
    ...marker,
    download_phase: { ...marker.download_phase, status: download },
    processing_phase: { ...marker.processing_phase, status: processing },
    summary: { ...marker.summary, overall_status: overall },
  };
}

const nothing = play(opened(), begun());
const oneDone = play(opened(), [...begun(), ...wholeFile("artists")]);
const oneFailed = play(opened(), [...begun(), startOf("labels"), { type: "phase-failed", phase: "processing", error: "x", file: fileOf("labels") }]);
const oneBegun = play(opened(), [...begun(), startOf("labels"), progress(5000)]);

function progress(ordinal: number): StateEvent {
  return { type: "progress", file: fileOf("labels"), checkpoint: checkpoint(ordinal), batches: 5 };
}

test.each<[string, Marker, Status, Status, Status, ReturnType<typeof decide>]>([
  ["1: download failed, nothing done", nothing, "failed", "completed", "completed", "reprocess"],
  ["1: download failed, a file failed", oneFailed, "failed", "failed", "failed", "reprocess"],
  ["1: download failed, a file done", oneDone, "failed", "pending", "failed", "continue"],
  ["1: download failed, a file at a checkpoint", oneBegun, "failed", "in_progress", "failed", "continue"],
  ["2: download in progress, nothing done", nothing, "in_progress", "pending", "pending", "reprocess"],
  ["2: download in progress, a file done", oneDone, "in_progress", "in_progress", "in_progress", "continue"],
  ["2: download in progress, a file at a checkpoint", oneBegun, "in_progress", "in_progress", "in_progress", "continue"],
  ["3: processing failed", nothing, "completed", "failed", "completed", "continue"],
  ["4: processing in progress", nothing, "completed", "in_progress", "completed", "continue"],
  ["5: overall completed", oneDone, "completed", "completed", "completed", "skip"],
  ["5: overall completed, download pending", oneDone, "pending", "pending", "completed", "skip"],
  ["6: everything pending", opened(), "pending", "pending", "pending", "continue"],
  ["6: processed, not announced", oneDone, "completed", "completed", "in_progress", "continue"],
  ["6: processed, announcing failed", oneDone, "completed", "completed", "failed", "continue"],
])("row %s", (_, marker, download, processing, overall, decision) => {
  const stage = withStatuses(marker, download, processing, overall);
  expect(decide(stage, { force: false })).toBe(decision);
  expect(decide(stage, { force: true })).toBe("reprocess");
});

test("a version completed for some files is not skipped for the others", () => {
  const done = withStatuses(oneDone, "completed", "completed", "completed");
  expect(decide(done, { force: false, files: [fileOf("artists")] })).toBe("skip");
  expect(decide(done, { force: false, files: FILES })).toBe("continue");
  expect(play(done, [{ type: "processing-started", filesTotal: 4 }]).summary.overall_status).toBe("in_progress");
});

test("pending are the files that are not completed, in the order asked for", () => {
  expect(pendingFiles(oneDone, [...FILES].reverse())).toEqual([...FILES].reverse().slice(0, 3));
  expect(pendingFiles(oneFailed, FILES)).toEqual(FILES);
  expect(pendingFiles(oneDone, ["constructor", "__proto__"])).toEqual(["constructor", "__proto__"]);
});

test("a version with rejects is done, yet not complete", () => {
  const files = ["artists", "labels"].map((type) => fileOf(type as "artists"));
  const rejects: StateEvent[] = [
    startOf("labels"),
    { type: "file-completed", file: fileOf("labels"), counts: checkpoint(2000).counts, digest: hex("d"), ledger: null, batches: 1 },
  ];
  const open = play(oneDone, [startOf("labels")]);
  expect([outcome(oneDone, files), outcome(open, files)]).toEqual(["open", "open"]);
  const done = play(oneDone, [...rejects, { type: "processing-completed" }]);
  expect(outcome(done, files)).toBe("complete-with-rejects");
  expect(rejectedRecords(done)).toBe(2);
  expect(done.summary.overall_status).toBe("in_progress");
  expect(() => play(done, [{ type: "publishing-completed" }])).toThrow("must not be announced");
  // A restart verifies, finds nothing to publish and ends here again.
  expect(decide(done, { force: false })).toBe("continue");
  expect(pendingFiles(play(done, begun()), files)).toEqual([]);
  expect(outcome(play(done, begun()), files)).toBe("complete-with-rejects");
  expect(outcome(play(oneDone, wholeFile("labels")), files)).toBe("complete");
});

test.each<[string, ReturnType<typeof source>, "resume" | "fresh"]>([
  ["the same file", source("labels"), "resume"],
  ["the same file, hash unknown now", source("labels", { sha256: null }), "resume"],
  ["a copy with the same hash", source("labels", { inode: "7", mtimeNs: "8", ctimeNs: "9" }), "resume"],
  ["another hash", source("labels", { sha256: hex("other") }), "fresh"],
  ["a copy without a hash", source("labels", { sha256: null, inode: "7" }), "fresh"],
  ["another size", source("labels", { sha256: null, size: 1 }), "fresh"],
  ["another change time, no hash", source("labels", { sha256: null, ctimeNs: "1" }), "fresh"],
])("a checkpoint for %s", (_, now, kind) => {
  const info = resumeInfo(oneBegun, fileOf("labels"), now);
  expect(info.kind).toBe(kind);
  if (info.kind === "resume") expect(info).toEqual({ kind: "resume", checkpoint: checkpoint(5000), batches: 5 });
  else expect(info).toMatchObject({ reason: expect.stringMatching(/./) });
});

test("a file of which nothing is known begins without a warning, a completed one is done", () => {
  expect(resumeInfo(oneBegun, "unheard.xml", source("labels"))).toEqual({ kind: "fresh", reason: null });
  expect(resumeInfo(oneBegun, fileOf("masters"), source("masters"))).toEqual({ kind: "fresh", reason: null });
  expect(resumeInfo(oneDone, fileOf("artists"), source("artists"))).toEqual({ kind: "done" });
});

test("what was verified in any run is not verified again while it is that file", () => {
  const marker = realisticMarker();
  expect(verifiedSource(marker, fileOf("releases"), source("releases"))).toEqual(source("releases"));
  for (const change of [{ device: "1" }, { inode: "1" }, { size: 1 }, { mtimeNs: "1" }, { ctimeNs: "1" }]) {
    expect(verifiedSource(marker, fileOf("releases"), source("releases", change))).toBeNull();
  }
  const unverified = play(opened(), [{ type: "file-present", file: "x", dataType: "labels", source: source("labels", { verified: false }) }]);
  expect(verifiedSource(unverified, "x", source("labels"))).toBeNull();
  expect(verifiedSource(unverified, "y", source("labels"))).toBeNull();
});
