import { expect, test } from "vitest";
import { decide, pendingFiles, resumeInfo } from "../../src/state/decide.ts";
import type { StateEvent } from "../../src/state/events.ts";
import { PHASE_ERRORS_MAX, RUNS_MAX } from "../../src/state/marker.ts";
import { activateRun, fileState } from "../../src/state/runs.ts";
import { begun, checkpoint, FANOUT, FILES, fileOf, hex, opened, play, source, startOf, TOPIC, wholeFile } from "./samples.ts";

const LABELS = fileOf("labels");
const at = (second: number) => new Date(Date.parse("2026-02-01T00:00:00Z") + second * 1000).toISOString();
const progress = (ordinal: number): StateEvent => ({ type: "progress", file: LABELS, checkpoint: checkpoint(ordinal), batches: ordinal / 100 });

test("download start clears what is known of downloads, and nothing else", () => {
  const before = play(opened(), [...begun(), ...wholeFile("artists"), { type: "phase-failed", phase: "download", error: "no route" }]);
  const marker = play(before, [{ type: "download-started", filesTotal: 4 }]);
  expect(marker.download_phase).toEqual({
    status: "in_progress",
    started_at: at(0),
    completed_at: null,
    files_downloaded: 0,
    files_total: 4,
    bytes_downloaded: 0,
    downloads_by_file: {},
    errors: before.download_phase.errors,
  });
  expect(marker.processing_phase).toEqual(before.processing_phase);
  expect(marker.deadwax).toEqual(before.deadwax);
});

test("a file is fetched, found good and counted once", () => {
  const present: StateEvent = { type: "file-present", file: LABELS, dataType: "labels", source: source("labels", { size: 90 }) };
  const fetching = play(opened(), [
    { type: "download-started", filesTotal: 4 },
    { type: "file-download-started", file: LABELS },
  ]);
  expect(fetching.download_phase.downloads_by_file[LABELS]).toMatchObject({ status: "in_progress", started_at: at(1), completed_at: null });
  const { download_phase: phase } = play(fetching, [present, present, { type: "download-completed" }], at(2));
  expect(phase).toMatchObject({ status: "completed", completed_at: at(4), files_downloaded: 1, bytes_downloaded: 90 });
  expect(phase.downloads_by_file[LABELS]).toEqual({
    status: "completed",
    bytes_downloaded: 90,
    started_at: at(1),
    completed_at: at(3),
    checksum: hex("labels"),
  });
});

test("processing starts once; going on keeps its start and its counters", () => {
  const first = play(opened(), begun());
  expect(first.processing_phase).toMatchObject({ status: "in_progress", started_at: at(6), files_total: 4, files_processed: 0 });
  expect(first.summary.overall_status).toBe("in_progress");
  const later = play(play(first, wholeFile("artists"), at(7)), [{ type: "processing-started", filesTotal: 5 }], at(99));
  expect(later.processing_phase).toMatchObject({ started_at: at(6), files_total: 5, files_processed: 1, records_extracted: 900 });
});

test("a started file has a fresh entry with its source's checksum", () => {
  const marker = play(opened(), [...begun(), startOf("labels")]);
  expect(marker.processing_phase.current_file).toBe(LABELS);
  expect(marker.processing_phase.progress_by_file[LABELS]).toEqual({
    status: "in_progress",
    records_extracted: 0,
    messages_published: 0,
    batches_sent: 0,
    started_at: at(7),
    completed_at: null,
    source_checksum: hex("labels"),
  });
  expect(marker.summary.files_by_type).toEqual({ labels: "in_progress" });
  expect(fileState(marker, LABELS)).toMatchObject({ status: "in_progress", checkpoint: null });
});

test("progress counts what the sink has, totals over all files, and beats", () => {
  const marker = play(opened(), [...begun(), ...wholeFile("artists"), startOf("labels"), progress(5000)]);
  expect(marker.processing_phase.progress_by_file[LABELS]).toMatchObject({ records_extracted: 4995, messages_published: 4995, batches_sent: 50 });
  expect(marker.processing_phase.records_extracted).toBe(5895);
  expect(marker.publishing_phase).toEqual({
    status: "in_progress",
    messages_published: 5895,
    batches_sent: 59,
    errors: [],
    last_amqp_heartbeat: at(10),
  });
  expect(fileState(marker, LABELS)).toMatchObject({ checkpoint: checkpoint(5000), counts: checkpoint(5000).counts, digest: checkpoint(5000).digest });
});

test("a checkpoint never goes back, and only a started file makes progress", () => {
  const marker = play(opened(), [...begun(), startOf("labels"), progress(5000)]);
  expect(() => play(marker, [progress(4999)])).toThrow("went back from record 5000 to 4999");
  expect(() => play(opened(), [...begun(), progress(1)])).toThrow("was not started");
  expect(() => play(opened(), [...begun(), startOf("labels", true)])).toThrow("without a checkpoint");
});

test("a resumed file goes on with its counts, a restarted one begins with none", () => {
  const stopped = play(opened(), [...begun(), startOf("labels"), progress(5000)]);
  const resumed = play(stopped, [startOf("labels", true)], at(60));
  expect(resumed.processing_phase.progress_by_file[LABELS]).toEqual(stopped.processing_phase.progress_by_file[LABELS]);
  expect(fileState(resumed, LABELS)).toEqual(fileState(stopped, LABELS));
  const restarted = play(stopped, [startOf("labels")], at(60));
  expect(restarted.processing_phase.progress_by_file[LABELS]).toMatchObject({ records_extracted: 0, started_at: at(60) });
  expect(fileState(restarted, LABELS)).toMatchObject({ checkpoint: null, counts: { written: 0 } });
  expect(restarted.processing_phase.records_extracted).toBe(0);
});

test("a completed file has its final counts and no checkpoint", () => {
  const counts = { read: 6001, written: 6000, rejected: 0, empty: 1, skipped: 0, unchanged: 0, unknownIds: 2 };
  const marker = play(opened(), [
    ...begun(),
    startOf("masters"),
    startOf("labels"),
    progress(5000),
    { type: "file-completed", file: LABELS, counts, digest: hex("all"), ledger: null, batches: 61 },
  ]);
  expect(marker.processing_phase.progress_by_file[LABELS]).toMatchObject({
    status: "completed",
    records_extracted: 6000,
    messages_published: 6000,
    batches_sent: 61,
    completed_at: at(10),
  });
  expect(marker.processing_phase).toMatchObject({ files_processed: 1, records_extracted: 6000, current_file: fileOf("masters") });
  expect(marker.summary.files_by_type).toEqual({ masters: "in_progress", labels: "completed" });
  expect(fileState(marker, LABELS)).toEqual({
    dataType: "labels",
    source: source("labels"),
    status: "completed",
    checkpoint: null,
    counts,
    digest: hex("all"),
    ledger: null,
    deletions: null,
  });
});

test("a version ends completed, with the whole seconds from download start to processing end", () => {
  const types = ["artists", "labels", "masters", "releases"] as const;
  const processed = play(opened(), [...begun(), ...types.flatMap((type) => wholeFile(type)), { type: "processing-completed" }]);
  expect(processed.processing_phase).toMatchObject({ status: "completed", completed_at: at(15), current_file: null, files_processed: 4 });
  expect(processed.summary.overall_status).toBe("in_progress");
  const done = play(processed, [{ type: "publishing-completed" }], at(99));
  expect(done.publishing_phase.status).toBe("completed");
  expect(done.summary).toEqual({
    overall_status: "completed",
    total_duration_seconds: 15,
    files_by_type: { artists: "completed", labels: "completed", masters: "completed", releases: "completed" },
  });
  expect(done.last_updated).toBe(at(99));
  expect(decide(done, { force: false })).toBe("skip");
});

test.each(["download", "processing", "publishing"] as const)("a failed %s phase records time and text, and can go on", (phase) => {
  const before = play(opened(), [...begun(), startOf("labels"), progress(5000)]);
  const failed = play(before, [{ type: "phase-failed", phase, error: `no space\nleft on ${"x".repeat(1000)}`, file: LABELS }], at(50));
  const part = failed[`${phase}_phase`];
  expect(part.status).toBe("failed");
  expect(part.errors).toEqual([expect.stringMatching(/^2026-02-01T00:00:50\.000Z no space left on x{400,500}…$/)]);
  expect(failed.summary.overall_status).toBe("failed");
  expect(decide(failed, { force: false })).toBe("continue");
  expect(resumeInfo(failed, LABELS, source("labels")).kind).toBe("resume");
  const again = play(failed, [...begun(), startOf("labels", true)], at(60));
  expect([again.download_phase.status, again.processing_phase.status]).toEqual(["completed", "in_progress"]);
  expect(again.publishing_phase.status).toBe("in_progress");
  expect(again.summary.overall_status).toBe("in_progress");
  expect(again[`${phase}_phase`].errors).toEqual(part.errors);
});

test("a file that fails is failed in its entry and type, and is pending", () => {
  const marker = play(opened(), [...begun(), startOf("labels"), { type: "phase-failed", phase: "processing", error: "x", file: LABELS }]);
  expect(marker.processing_phase.progress_by_file[LABELS]?.status).toBe("failed");
  expect(marker.summary.files_by_type).toEqual({ labels: "failed" });
  expect(fileState(marker, LABELS)?.status).toBe("failed");
  expect(pendingFiles(marker, FILES)).toEqual(FILES);
  const unstarted = play(opened(), [...begun(), { type: "phase-failed", phase: "processing", error: "x", file: LABELS }]);
  expect(unstarted.processing_phase).toMatchObject({ status: "failed", progress_by_file: {} });
  const download = play(opened(), [
    { type: "download-started", filesTotal: 1 },
    { type: "file-download-started", file: LABELS },
    { type: "phase-failed", phase: "download", error: "reset", file: LABELS },
  ]);
  expect(download.download_phase.downloads_by_file[LABELS]?.status).toBe("failed");
});

test("only the latest errors are kept", () => {
  const failures = Array.from({ length: PHASE_ERRORS_MAX + 5 }, (_, n): StateEvent => ({ type: "phase-failed", phase: "publishing", error: `e${n}` }));
  const { errors } = play(opened(), failures).publishing_phase;
  expect(errors).toHaveLength(PHASE_ERRORS_MAX);
  expect(errors.at(-1)).toContain(`e${PHASE_ERRORS_MAX + 4}`);
});

test("a completed file whose bytes are others is pending again (provenance)", () => {
  const types = ["artists", "labels"] as const;
  const done = play(opened(), [...begun(), ...types.flatMap((type) => wholeFile(type)), { type: "processing-completed" }, { type: "publishing-completed" }]);
  const present = (changes: Parameters<typeof source>[1]): StateEvent => ({
    type: "file-present",
    file: LABELS,
    dataType: "labels",
    source: source("labels", changes),
  });
  const marker = play(done, [present({ sha256: hex("other") })]);
  expect(marker.processing_phase.progress_by_file).not.toHaveProperty([LABELS]);
  expect(marker.processing_phase).toMatchObject({ status: "in_progress", completed_at: null, files_processed: 1, records_extracted: 900 });
  expect(marker.summary).toMatchObject({ overall_status: "in_progress", files_by_type: { artists: "completed", labels: "pending" } });
  expect(fileState(marker, LABELS)).toMatchObject({ status: "pending", digest: null });
  for (const harmless of [{}, { sha256: null }, { inode: "5" }, { sha256: null, inode: "5" }]) {
    expect(play(done, [present(harmless)]).processing_phase).toEqual(done.processing_phase);
  }
  for (const other of [{ size: 5 }, { mtimeNs: "5" }]) {
    expect(play(done, [present({ sha256: null, ...other })]).processing_phase.files_processed).toBe(1);
  }
});

test("a checkpoint made of other bytes is gone once they are present", () => {
  const before = play(opened(), [...begun(), startOf("labels"), progress(5000)]);
  const other = source("labels", { sha256: null, inode: "5" });
  const marker = play(before, [{ type: "file-present", file: LABELS, dataType: "labels", source: other }]);
  expect(fileState(marker, LABELS)).toMatchObject({ status: "pending", checkpoint: null, source: other });
  expect(resumeInfo(marker, LABELS, other)).toEqual({ kind: "fresh", reason: null });
  expect(marker.processing_phase.records_extracted).toBe(0);
});

test("what is known of a file is not forgotten when it is seen again", () => {
  const marker = play(opened(), [
    ...begun(),
    { type: "file-present", file: LABELS, dataType: "labels", source: source("labels", { sha256: null, verified: false }) },
  ]);
  expect(fileState(marker, LABELS)?.source).toEqual(source("labels"));
});

test("reprocess begins the active run again and keeps what was verified", () => {
  const other = play(opened(FANOUT), [...begun(), ...wholeFile("artists")]);
  const before = play(activateRun(other, TOPIC, new Date(at(50))), [...begun(), ...wholeFile("artists"), startOf("labels"), progress(5000)]);
  const marker = play(before, [{ type: "reprocess" }]);
  expect(marker.download_phase.status).toBe("pending");
  expect(marker.summary).toEqual({ overall_status: "pending", total_duration_seconds: null, files_by_type: {} });
  expect(pendingFiles(marker, FILES)).toEqual(FILES);
  expect(fileState(marker, LABELS)).toMatchObject({ status: "pending", checkpoint: null, source: { verified: true } });
  const back = activateRun(marker, FANOUT, new Date(at(60)));
  expect(pendingFiles(back, FILES)).toEqual(FILES.slice(1));
});

test("another sink or contract starts afresh and the first one finds its place again", () => {
  const first = play(opened(), [...begun(), ...wholeFile("artists"), startOf("labels"), progress(5000)]);
  for (const change of [{ sink: "file:elsewhere" }, { contract: "fanout" as const }]) {
    const second = activateRun(first, { ...TOPIC, ...change }, new Date(at(70)));
    expect(pendingFiles(second, FILES)).toEqual(FILES);
    expect(resumeInfo(second, LABELS, source("labels"))).toEqual({ kind: "fresh", reason: null });
    expect(second.processing_phase.progress_by_file).toEqual({});
    const back = activateRun(play(second, wholeFile("masters"), at(71)), TOPIC, new Date(at(80)));
    const { processing_phase, publishing_phase, summary } = first;
    expect(back).toMatchObject({ processing_phase, publishing_phase, summary });
    expect(resumeInfo(back, LABELS, source("labels"))).toMatchObject({ kind: "resume", checkpoint: { ordinal: 5000 } });
    expect(activateRun(back, TOPIC, new Date(at(90))).processing_phase).toEqual(back.processing_phase);
  }
});

test("the runs that were not used for the longest time are forgotten", () => {
  let marker = opened();
  for (let n = 0; n < RUNS_MAX + 3; n++) marker = activateRun(marker, { ...TOPIC, sink: `file:${n}` }, new Date(at(n)));
  expect(Object.keys(marker.deadwax.runs)).toHaveLength(RUNS_MAX);
  expect(marker.deadwax.runs).not.toHaveProperty(["topic no-rules file:0"]);
  expect(marker.deadwax.runs).toHaveProperty([marker.deadwax.active ?? ""]);
  const setBack = activateRun(marker, { ...TOPIC, sink: "file:late" }, new Date(0));
  expect(setBack.deadwax.runs).toHaveProperty([setBack.deadwax.active ?? ""]);
});

test("other rules into the same sink forget what the earlier ones delivered, and keep what was verified", () => {
  const rules = (n: string) => ({ ...FANOUT, rulesDigest: hex(n) });
  const first = play(opened(FANOUT), [...begun(), ...wholeFile("artists"), startOf("labels"), progress(5000)]);
  const second = activateRun(first, rules("a"), new Date(at(60)));
  expect(Object.values(second.deadwax.runs)).toHaveLength(1);
  expect(decide(second, { force: false })).toBe("continue");
  expect(pendingFiles(second, FILES)).toEqual(FILES);
  expect(fileState(second, LABELS)).toMatchObject({ status: "pending", checkpoint: null, source: source("labels") });
  expect(resumeInfo(second, LABELS, source("labels"))).toEqual({ kind: "fresh", reason: null });
  // Back to the first: nothing of it is believed, since the sink holds what the second has delivered.
  const back = activateRun(play(second, wholeFile("artists")), FANOUT, new Date(at(90)));
  expect(pendingFiles(back, FILES)).toEqual(FILES);
  // Another sink is another matter.
  const elsewhere = { ...rules("b"), sink: "file:elsewhere" };
  expect(Object.values(activateRun(first, elsewhere, new Date(at(60))).deadwax.runs)).toHaveLength(2);
  // But not one of several among which the same is.
  const together = { ...rules("b"), sink: "amqp://h + file:out" };
  const both = activateRun(first, together, new Date(at(60)));
  expect(Object.values(both.deadwax.runs)).toEqual([expect.objectContaining(together)]);
  expect(Object.values(activateRun(both, FANOUT, new Date(at(90))).deadwax.runs)).toHaveLength(1);
  const same = { ...FANOUT, sink: "amqp://h + file:out" };
  expect(Object.values(activateRun(first, same, new Date(at(60))).deadwax.runs)).toHaveLength(2);
});
