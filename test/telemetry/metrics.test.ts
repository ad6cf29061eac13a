import { beforeEach, describe, expect, it } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { ALL_METRICS, METRICS, type MetricKey } from "../../src/telemetry/metric-names.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Telemetry } from "../../src/telemetry.ts";
import { FakeClock } from "./fake-clock.ts";
import { samples } from "./samples.ts";

const reject = { offset: 77, id: null, kind: "end-tag-mismatch", message: "at byte 80", raw: "<artist>" };
const file = { name: "f", dataType: null, size: 1000 };
const run = { version: "20260801", mode: "normal", contract: "topic", sink: "file:out", threads: 2, files: [file] };
const batch = {
  dataType: "artists",
  read: 5,
  written: 2,
  empty: 1,
  unknownIds: 1,
  skipped: 1,
  rejects: [reject],
  xmlBytes: 500,
  compressedBytes: 100,
} as const;

let clock: FakeClock;
let metrics: Metrics;
let telemetry: Telemetry;
let lines: string[];

beforeEach(() => {
  clock = new FakeClock();
  metrics = new Metrics();
  lines = [];
  telemetry = new Telemetry({ level: "debug", format: "text", output: { write: (text) => lines.push(text) }, bar: false, clock, metrics });
});

/** The samples of the metric whose value is not 0. */
async function shown(key: MetricKey): Promise<Record<string, number>> {
  const all = samples(await metrics.render());
  return Object.fromEntries([...all].filter(([series, value]) => series.replace(/\{.*/, "") === ALL_METRICS[key].name && value !== 0));
}

describe("counts", () => {
  it("equal what was read, batch by batch", async () => {
    telemetry.runStarted(run);
    telemetry.fileStarted("f", null, { ordinal: 3, offset: 10, compressedBytes: 40 });
    telemetry.batchWritten("f", batch);
    telemetry.batchWritten("f", { ...batch, compressedBytes: 300 });
    telemetry.checkpointSaved("f", { ordinal: 3, offset: 600 });
    telemetry.fileCompleted("f", 2);
    const type = '{type="artists"}';
    expect(await shown("recordsRead")).toEqual({ [`deadwax_records_read_total${type}`]: 10 });
    expect(await shown("recordsWritten")).toEqual({ [`deadwax_records_written_total${type}`]: 4 });
    expect(await shown("recordsEmpty")).toEqual({ [`deadwax_records_empty_total${type}`]: 2 });
    expect(await shown("recordsSkipped")).toEqual({ [`deadwax_records_skipped_total${type}`]: 2 });
    expect(await shown("recordsRejected")).toEqual({ [`deadwax_records_rejected_total${type}`]: 2 });
    expect(await shown("unknownIds")).toEqual({ [`deadwax_records_unknown_ids_total${type}`]: 2 });
    expect(await shown("xmlBytes")).toEqual({ [`deadwax_xml_bytes_total${type}`]: 1000 });
    expect(await shown("compressedBytes")).toEqual({ [`deadwax_compressed_bytes_total${type}`]: 960 }); // not the 40 before the checkpoint
    expect(await shown("checkpoints")).toEqual({ [`deadwax_checkpoints_total${type}`]: 1 });
    expect(await shown("filesCompleted")).toEqual({ [`deadwax_files_completed_total${type}`]: 1 });
    expect(telemetry.snapshot).toMatchObject({ progress: { artists: 10, labels: 0 }, fraction: 1, completedFiles: 1, active: [], errors: 0 });
  });

  it("start at 0 for every value that a label can have, and gauges that nothing is known of are absent", async () => {
    const all = samples(await metrics.render());
    expect([...all.keys()].filter((series) => series.startsWith("deadwax_records_read_total"))).toHaveLength(4);
    expect(all.get('deadwax_errors_total{code="SINK_FULL"}')).toBe(0);
    expect(all.get('deadwax_http_requests_total{path="/health",answer="5xx"}')).toBe(0);
    for (const { name, late } of Object.values(METRICS)) {
      expect(
        [...all.keys()].some((series) => series.replace(/\{.*/, "") === name),
        name,
      ).toBe(!late);
    }
  });

  it("of the sink follow its events", async () => {
    const sinkEvents = telemetry.sinkEvents.of("amqp://h");
    sinkEvents.connected();
    sinkEvents.lost("gone");
    expect(await shown("sinkConnected")).toEqual({});
    expect(telemetry.sinkEvents.isLost).toBe(true);
    sinkEvents.connected();
    expect(telemetry.sinkEvents.isLost).toBe(false);
    sinkEvents.blocked("memory alarm");
    sinkEvents.resent(7, "nacked");
    sinkEvents.confirmed(2000, 1_000_000);
    expect(await shown("sinkConnected")).toEqual({ deadwax_sink_connected: 1 });
    expect(await shown("sinkBlocked")).toEqual({ deadwax_sink_blocked: 1 });
    expect(await shown("messagesResent")).toEqual({ 'deadwax_messages_resent_total{reason="nacked"}': 7 });
    expect(await shown("messagesConfirmed")).toEqual({ deadwax_messages_confirmed_total: 2000 });
    expect(await shown("confirmedBytes")).toEqual({ deadwax_confirmed_bytes_total: 1_000_000 });
    sinkEvents.reconnecting("gone", 1, 500);
    expect(await shown("sinkConnected")).toEqual({});
    expect(await shown("reconnects")).toEqual({ deadwax_sink_reconnect_attempts_total: 1 });
    sinkEvents.unblocked();
    expect(await shown("sinkBlocked")).toEqual({});
    telemetry.runEnded("complete");
    expect(await metrics.render()).not.toMatch(/^deadwax_sink_connected /m);
  });

  it("of several sinks do not let one speak for another", async () => {
    const one = telemetry.sinkEvents.of("amqp://one");
    const other = telemetry.sinkEvents.of("amqp://other");
    telemetry.sinkEvents.of("file:/out"); // has no connection, and tells nothing
    one.connected();
    other.connected();
    expect(await shown("sinkConnected")).toEqual({ deadwax_sink_connected: 1 });
    one.lost("gone");
    other.connected();
    expect(await metrics.render()).toMatch(/^deadwax_sink_connected 0$/m);
    expect(telemetry.snapshot.isSinkLost).toBe(true);
    one.connected();
    expect(await shown("sinkConnected")).toEqual({ deadwax_sink_connected: 1 });
    expect(telemetry.snapshot.isSinkLost).toBe(false);
    one.blocked("memory alarm");
    other.blocked("disk alarm");
    other.unblocked();
    expect(await shown("sinkBlocked")).toEqual({ deadwax_sink_blocked: 1 });
    one.unblocked();
    expect(await shown("sinkBlocked")).toEqual({});
    other.lost("gone");
    telemetry.sinkEvents.closed();
    other.reconnecting("gone", 1, 500); // what it tells while it is closed
    expect(telemetry.snapshot.isSinkLost).toBe(false);
    expect(await metrics.render()).not.toMatch(/^deadwax_sink_connected /m);
  });

  it("count a failure once, by its code, however often it is told", async () => {
    const error = new DumpError("SINK_FULL", "no space\nleft");
    telemetry.service.runBegan("initial");
    telemetry.fileFailed("f", error);
    telemetry.service.runEnded("failed", error);
    expect(await shown("errors")).toEqual({ 'deadwax_errors_total{code="SINK_FULL"}': 1 });
    expect(telemetry.snapshot.errors).toBe(1);
    telemetry.service.runBegan("periodic");
    expect(telemetry.snapshot.errors).toBe(0);
    telemetry.service.runEnded("failed", new Error("a defect"));
    expect(await shown("errors")).toMatchObject({ 'deadwax_errors_total{code="INTERNAL"}': 1 });
    expect(lines.filter((line) => line.startsWith("❌"))).toEqual([
      "❌ f: no space left\n",
      "❌ The run failed after 0.0 s: no space left\n",
      "❌ The run failed after 0.0 s: a defect\n",
    ]);
  });

  it("of runs say how they ended, how long they took, and when one last succeeded", async () => {
    telemetry.service.started({ version: "0.2.0", contract: "fanout", threads: 4 });
    expect(await shown("info")).toEqual({ [`deadwax_build_info{version="0.2.0",contract="fanout",node="${process.version}"}`]: 1 });
    expect(await shown("threads")).toEqual({ deadwax_pool_threads: 4 });
    expect(await shown("status")).toEqual({ 'deadwax_run_status{status="idle"}': 1 });
    telemetry.service.runBegan("initial");
    expect(await shown("status")).toEqual({ 'deadwax_run_status{status="running"}': 1 });
    clock.advance(90_000);
    const before = Date.now() / 1000;
    telemetry.service.runEnded("complete");
    expect(await shown("status")).toEqual({ 'deadwax_run_status{status="completed"}': 1 });
    expect(await shown("runs")).toEqual({ 'deadwax_runs_total{outcome="complete"}': 1 });
    expect(await shown("runSeconds")).toEqual({ deadwax_last_run_duration_seconds: 90 });
    const { deadwax_last_success_timestamp_seconds: last } = await shown("lastSuccess");
    expect(last).toBeGreaterThanOrEqual(before);
    telemetry.service.statusChanged("waiting");
    telemetry.service.runBegan("trigger");
    telemetry.service.runEnded("failed", new DumpError("SOURCE_MISSING", "none"));
    expect(await shown("status")).toEqual({ 'deadwax_run_status{status="failed"}': 1 });
    expect((await shown("lastSuccess"))["deadwax_last_success_timestamp_seconds"]).toBe(last);
  });

  it("of downloads count what came, also behind a resume", async () => {
    const { siteEvents } = telemetry;
    siteEvents.downloadStarted("f", 1000);
    siteEvents.downloadProgressed("f", 300, 1000);
    siteEvents.retrying("f", 1, 2, "cut");
    siteEvents.downloadResumed("f", 300, 1000);
    siteEvents.downloadProgressed("f", 600, 1000);
    siteEvents.downloadFinished("f", 1000, 700, 3);
    siteEvents.waiting("rate-limited", 30);
    siteEvents.waiting("gap", 5);
    expect(await shown("downloadBytes")).toEqual({ deadwax_download_bytes_total: 1000 });
    expect(await shown("downloadRetries")).toEqual({ deadwax_download_retries_total: 1 });
    expect(await shown("rateLimited")).toEqual({ deadwax_rate_limited_waits_total: 1 });
    expect(await shown("rateLimitedSeconds")).toEqual({ deadwax_rate_limited_seconds_total: 30 });
  });
});

describe("a stall", () => {
  it("is told once after two silent minutes, shows in the gauge, and ends with the next record", async () => {
    telemetry.runStarted({ ...run, files: [file, { ...file, name: "g" }] });
    telemetry.fileStarted("f", "artists", null);
    telemetry.fileStarted("g", "labels", null); // has produced nothing, and so cannot stall
    telemetry.batchWritten("f", batch);
    clock.advance(119_000);
    expect(lines.filter((line) => line.includes("Stalled"))).toEqual([]);
    expect(telemetry.snapshot.secondsSinceRecord).toMatchObject({ artists: 119, labels: null });
    clock.advance(6_000);
    expect(lines.filter((line) => line.includes("Stalled"))).toEqual(['⚠️ Stalled extractors detected: ["artists"]\n']);
    expect(await shown("stalled")).toEqual({ 'deadwax_stalled{type="artists"}': 1 });
    expect(await shown("sinceRecord")).toEqual({ 'deadwax_since_last_record_seconds{type="artists"}': 125 });
    clock.advance(600_000);
    expect(lines.filter((line) => line.includes("Stalled"))).toHaveLength(1);
    telemetry.batchWritten("f", batch);
    expect(await shown("stalled")).toEqual({});
    expect(lines).toContain("🔄 Records of artists come again after 12:05\n");
    clock.advance(125_000);
    expect(lines.filter((line) => line.includes("Stalled"))).toHaveLength(2);
  });

  it("comes after as long as is asked for", () => {
    const patient = new Telemetry({
      level: "debug",
      format: "text",
      output: { write: (text) => lines.push(text) },
      bar: false,
      clock,
      metrics,
      stallAfterMs: 5_000,
    });
    patient.runStarted(run);
    patient.batchWritten("f", batch);
    clock.advance(4_000);
    expect(patient.snapshot.stalled).toEqual([]);
    clock.advance(2_000);
    expect(patient.snapshot.stalled).toEqual(["artists"]);
    patient.runEnded("stopped");
    expect(patient.snapshot.stalled).toEqual([]);
  });

  it("is none of a file that has ended, nor of a run that has", async () => {
    telemetry.runStarted(run);
    telemetry.batchWritten("f", batch);
    telemetry.fileCompleted("f", 1);
    clock.advance(300_000);
    telemetry.runEnded("complete");
    telemetry.runStarted(run);
    telemetry.batchWritten("f", batch);
    telemetry.runEnded("stopped");
    clock.advance(300_000);
    expect(lines.filter((line) => line.includes("Stalled"))).toEqual([]);
    expect(await shown("stalled")).toEqual({});
    expect(clock.waiting).toBe(0);
  });
});

it("begins a run afresh: files of the one before count no more", () => {
  telemetry.runStarted(run);
  telemetry.batchWritten("f", batch);
  telemetry.fileFailed("f", new DumpError("SOURCE_CORRUPT", "cut"));
  expect(telemetry.snapshot).toMatchObject({ completedFiles: 0, errors: 1 });
  telemetry.runEnded("failed");
  telemetry.runStarted({ ...run, version: "20260901", files: [{ ...file, name: "g" }] });
  expect(telemetry.totals.map(({ name }) => name)).toEqual(["g"]);
  expect(telemetry.snapshot).toMatchObject({ progress: { artists: 0 }, secondsSinceRecord: { artists: null }, fraction: 0 });
});
