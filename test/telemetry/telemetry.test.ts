import { describe, expect, it } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { silentTelemetry, Telemetry, type TelemetryOptions, type WrittenBatch } from "../../src/telemetry.ts";
import { FakeClock } from "./fake-clock.ts";

const run = { version: "20260801", mode: "normal", contract: "topic", sink: "file:out", threads: 2, files: [{ name: "f", dataType: null, size: 1000 }] };
const reject = { offset: 77, id: null, kind: "end-tag-mismatch", message: "at byte 80", raw: "<artist>" };
const batch: WrittenBatch = { dataType: "artists", read: 3, written: 1, empty: 1, unknownIds: 1, rejects: [reject], xmlBytes: 500, compressedBytes: 100 };

function open(options: Partial<TelemetryOptions> = {}) {
  const clock = new FakeClock();
  const written: string[] = [];
  const output = { write: (text: string) => written.push(text), columns: 80 };
  const telemetry = new Telemetry({ level: "info", format: "text", output, bar: false, clock, ...options });
  return { clock, telemetry, written };
}

describe("events", () => {
  it("are logged as text and counted", () => {
    const { telemetry, written } = open();
    telemetry.runStarted(run);
    telemetry.verifyStarted("f", "a full pass");
    telemetry.verified("f", 0.5);
    telemetry.fileStarted("f", null, null);
    telemetry.batchWritten("f", batch);
    telemetry.checkpointSaved("f", { ordinal: 3, offset: 600 });
    telemetry.fileCompleted("f", 2);
    telemetry.runEnded("complete");
    expect(written.join("")).toMatchInlineSnapshot(`
      "🚀 Extracting version 20260801 (topic) into file:out with 2 threads
      🔐 Verifying f: a full pass
      ✅ Verified f in 0.5 s
      🚀 Starting extraction of records from f
      🎉 File processing complete for artists! Total records processed: 3 (2.0 s, 0.0 MB/s)
      ⚠️ f: 1 malformed record rejected
      🏁 Extraction complete
      "
    `);
    expect(telemetry.totals).toMatchObject([
      { name: "f", dataType: "artists", records: 3, written: 1, empty: 1, unknownIds: 1, rejected: 1, checkpoints: 1, state: "done", compressedBytes: 1000 },
    ]);
  });

  it("are JSON objects for machines", () => {
    const { telemetry, written } = open({ format: "json" });
    telemetry.fileStarted("f", "labels", { ordinal: 5000, offset: 123, compressedBytes: 40 });
    expect(written).toHaveLength(1);
    expect(JSON.parse(written[0] ?? "")).toMatchObject({ level: "info", file: "f", ordinal: 5000, message: expect.stringMatching(/^🔄 Resuming f/) });
    expect(telemetry.totals[0]).toMatchObject({ skippedBytes: 40, compressedBytes: 40 });
  });

  it("about single records are for debugging only", () => {
    const quiet = open();
    quiet.telemetry.batchWritten("f", batch);
    expect(quiet.written).toEqual([]);
    const { telemetry, written } = open({ level: "debug" });
    telemetry.batchWritten("f", batch);
    expect(written).toEqual(["⏭️ f: record without id at byte 77 rejected (end-tag-mismatch): at byte 80\n"]);
  });

  it("below the level are not logged", () => {
    const { telemetry, written } = open({ level: "warn" });
    telemetry.runStarted(run);
    telemetry.fileFailed("f", new DumpError("SOURCE_CORRUPT", "cut short"));
    telemetry.runEnded("complete");
    expect(written).toEqual(["❌ f: cut short\n"]);
  });

  it("of a skipped file take it out of what is to be done", () => {
    const { telemetry } = open();
    telemetry.runStarted(run);
    telemetry.fileSkipped("f");
    expect(telemetry.totals).toEqual([]);
  });

  it("can be counted without a word", () => {
    const telemetry = silentTelemetry();
    telemetry.batchWritten("f", batch);
    expect(telemetry.totals[0]?.records).toBe(3);
  });
});

describe("progress", () => {
  it("is logged on schedule until the run ends", () => {
    const { clock, telemetry, written } = open();
    telemetry.runStarted(run);
    clock.advance(61_000);
    expect(written.filter((line) => line.startsWith("📊 Extraction Progress"))).toHaveLength(4);
    telemetry.runEnded("stopped");
    clock.advance(100_000);
    expect(written.filter((line) => line.startsWith("📊"))).toHaveLength(4);
    expect(clock.waiting).toBe(0);
  });

  it("is a bar that log lines push down and the end removes", () => {
    const { clock, telemetry, written } = open({ bar: true });
    telemetry.runStarted(run);
    telemetry.fileStarted("f", "labels", null);
    written.length = 0;
    clock.advance(200);
    expect(written[0]).toMatch(/^\r\u001b\[K📊 labels /);
    telemetry.warned("beware");
    expect(written[1]).toMatch(/^\r\u001b\[K⚠️ beware\n📊 labels /);
    telemetry[Symbol.dispose]();
    telemetry[Symbol.dispose]();
    expect(written.slice(2)).toEqual(["\r\u001b[K"]);
  });
});
