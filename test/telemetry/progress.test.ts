import { describe, expect, it } from "vitest";
import { onSchedule } from "../../src/telemetry/clock.ts";
import { formatBytes, formatDuration, formatElapsed, formatSpeed } from "../../src/telemetry/format.ts";
import { type FileProgress, logMomentMs, Progress, type ProgressView, progressMessage, renderBar } from "../../src/telemetry/progress.ts";
import { FakeClock } from "./fake-clock.ts";

const view: ProgressView = {
  label: "releases",
  verifying: false,
  doneBytes: 5.05e9,
  totalBytes: 12e9,
  recordsByType: { artists: 0, labels: 0, masters: 0, releases: 312_345 },
  records: 312_345,
  recordsPerSecond: 98_765.4,
  bytesPerSecond: 401.4e6,
  etaSeconds: 77,
};

function fileOf(part: Partial<FileProgress>): FileProgress {
  return {
    name: "f",
    dataType: "releases",
    size: 1000,
    verifiedBytes: 0,
    skippedBytes: 0,
    compressedBytes: 0,
    xmlBytes: 0,
    records: 0,
    state: "extracting",
    ...part,
  };
}

describe("the log", () => {
  it("tells progress after 10, 20 and 30 seconds, then every 30", () => {
    const clock = new FakeClock();
    const moments: number[] = [];
    const cancel = onSchedule(clock, logMomentMs, () => moments.push(clock.now() / 1000));
    clock.advance(130_000);
    expect(moments).toEqual([10, 20, 30, 60, 90, 120]);
    cancel();
    clock.advance(1_000_000);
    expect(moments).toHaveLength(6);
    expect(clock.waiting).toBe(0);
  });

  it("does not drift when a report is late", () => {
    const clock = new FakeClock();
    const moments: number[] = [];
    onSchedule(clock, logMomentMs, () => {
      moments.push(clock.now());
      if (moments.length === 1) clock.advance(0);
    });
    clock.advance(21_000);
    expect(moments).toEqual([10_000, 20_000]);
  });

  it("counts by type, and measures by bytes", () => {
    expect(progressMessage(view)).toMatchInlineSnapshot(
      `"📊 Extraction Progress: 312345 total records (Artists: 0, Labels: 0, Masters: 0, Releases: 312345), 98,765 records/s, 401 MB/s, 42.0 % of 12.0 GB, ETA 1:17"`,
    );
  });

  it("gives no part and no end of a pipe", () => {
    expect(progressMessage({ ...view, totalBytes: null, etaSeconds: null })).toMatch(/401 MB\/s, 5\.0 GB read$/);
  });

  it("tells verification apart", () => {
    expect(progressMessage({ ...view, verifying: true })).toMatchInlineSnapshot(`"🔐 Verifying: 42.0 % of 12.0 GB, 401 MB/s, ETA 1:17"`);
  });
});

describe("the bar", () => {
  it("fits the terminal", () => {
    expect([120, 100, 80, 40].map((columns) => renderBar(view, columns))).toMatchInlineSnapshot(`
      [
        "📊 releases  ████████████████░░░░░░░░░░░░░░░░░░░░░░░░  42.0 %  5.0 GB of 12.0 GB  98,765 records/s  401 MB/s  ETA 1:17",
        "📊 releases  ████████░░░░░░░░░░░░░  42.0 %  5.0 GB of 12.0 GB  98,765 records/s  401 MB/s  ETA 1:17",
        "📊 releases  42.0 %  5.0 GB of 12.0 GB  98,765 records/s  401 MB/s  ETA 1:17",
        "📊 releases  42.0 %  5.0 GB of 12.0 GB ",
      ]
    `);
    for (let columns = 0; columns < 200; columns++) expect(renderBar(view, columns).length).toBeLessThan(Math.max(columns, 1));
  });

  it("shows what was read where no end is known", () => {
    expect(renderBar({ ...view, label: "labels", totalBytes: null, etaSeconds: null, doneBytes: 12.34e6 }, 100)).toMatchInlineSnapshot(
      `"📊 labels  12.3 MB  98,765 records/s  401 MB/s"`,
    );
  });

  it("says 100 % only at the end", () => {
    expect(renderBar({ ...view, doneBytes: 12e9 - 1 }, 120)).toContain("99.9 %");
    expect(renderBar({ ...view, doneBytes: 12e9 }, 120)).toContain("100.0 %");
    expect(renderBar({ ...view, doneBytes: 0, totalBytes: 0 }, 120)).toContain("100.0 %");
  });
});

describe("speeds", () => {
  it("are those of the last ten seconds, however often they are asked for", () => {
    const clock = new FakeClock();
    const progress = new Progress(clock);
    const file = fileOf({ size: 100_000 });
    progress.view([file]);
    for (let second = 1; second <= 60; second++) {
      clock.advance(1000);
      const perSecond = second <= 40 ? 1000 : 100;
      file.compressedBytes += perSecond;
      file.xmlBytes += perSecond * 5;
      file.records += perSecond / 10;
      const { bytesPerSecond, recordsPerSecond, etaSeconds } = progress.view([file]);
      if (second === 40) expect([bytesPerSecond, recordsPerSecond, etaSeconds]).toEqual([5000, 100, 60]);
      if (second === 60) expect([bytesPerSecond, recordsPerSecond, etaSeconds]).toEqual([500, 10, 580]);
    }
  });

  it("leave out what lay before the point of resuming", () => {
    const clock = new FakeClock();
    const progress = new Progress(clock);
    const file = fileOf({ state: "waiting" });
    progress.view([file]);
    Object.assign(file, { state: "extracting", skippedBytes: 500, compressedBytes: 500 });
    clock.advance(1000);
    file.compressedBytes = 600;
    expect(progress.view([file])).toMatchObject({ doneBytes: 600, totalBytes: 1000, etaSeconds: 4 });
  });

  it("start afresh after verification", () => {
    const clock = new FakeClock();
    const progress = new Progress(clock);
    const file = fileOf({ state: "verifying" });
    progress.view([file]);
    clock.advance(1000);
    file.verifiedBytes = 900;
    expect(progress.view([file])).toMatchObject({ verifying: true, doneBytes: 900, bytesPerSecond: 900 });
    file.state = "extracting";
    clock.advance(1000);
    expect(progress.view([file])).toMatchObject({ verifying: false, doneBytes: 0, bytesPerSecond: 0, etaSeconds: null });
  });

  it("count all files, and one without a size leaves the end open", () => {
    const progress = new Progress(new FakeClock());
    const files = [fileOf({ state: "done", compressedBytes: 1000, records: 3 }), fileOf({ dataType: "labels", records: 4 })];
    expect(progress.view(files)).toMatchObject({ label: "1 of 2 files", totalBytes: 2000, doneBytes: 1000, recordsByType: { releases: 3, labels: 4 } });
    expect(progress.view([...files, fileOf({ size: null })]).totalBytes).toBeNull();
  });
});

it("formats numbers for people", () => {
  expect([0, 999, 1000, 999_950, 11.2e9, 5e15].map(formatBytes)).toEqual(["0 bytes", "999 bytes", "1.0 kB", "1.0 MB", "11.2 GB", "5000.0 TB"]);
  expect([0, 1.25e6, 401.4e6].map(formatSpeed)).toEqual(["0.0 MB/s", "1.3 MB/s", "401 MB/s"]);
  expect([0, 42.4, 725, 3723].map(formatDuration)).toEqual(["0:00", "0:42", "12:05", "1:02:03"]);
  expect([0.24, 59.9, 60].map(formatElapsed)).toEqual(["0.2 s", "59.9 s", "1:00"]);
});
