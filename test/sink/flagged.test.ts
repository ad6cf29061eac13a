import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Flagged } from "../../src/model.ts";
import { FlaggedLog, type FlaggedPlace } from "../../src/sink/flagged.ts";
import { isPositionLost } from "../../src/sink/sink-errors.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const RULES = [
  { name: "z-last", severity: "info" },
  { name: "a-first", severity: "warning" },
  { name: "bad", severity: "error" },
] as const;

function place(folder: string, bytes: FlaggedPlace["bytes"] = null): FlaggedPlace {
  return { folder, version: "20260801", dataType: "labels", rules: RULES, bytes };
}

/** As the core makes it: violations of rules by number, and skipped ids. */
function found(hits: readonly number[], skipped: readonly string[] = [], files: readonly string[] = []): Flagged {
  const violations = RULES.flatMap(({ name, severity }, rule) => Array.from({ length: hits[rule] ?? 0 }, () => JSON.stringify({ rule: name, severity })));
  const skips = skipped.map((id) => JSON.stringify({ reason: "junk\u2028", record_id: id }));
  return {
    skipped: skipped.length,
    violations: Buffer.from(violations.map((line) => `${line}\n`).join("")),
    skips: Buffer.from(skips.map((line) => `${line}\n`).join("")),
    files: files.map((name) => ({ name, xml: `<label>${name}</label>`, json: `"${name}"` })),
    hits,
  };
}

const REPORT = [
  "📊 Data Quality Report for discogs_20260801:",
  "  ⏭️ Skipped records:",
  "    labels: 3 (junk\u2028: 1, 2, 3)",
  "  labels: 1 errors, 4 warnings (of 77 records)",
  "    a-first: 4 warnings",
  "    bad: 1 errors",
  "    z-last: 2 info",
  "",
].join("\n");

describe("FlaggedLog", () => {
  test("has nothing but a report where nothing was found", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "flagged", "20260801", "labels");
    await using log = await FlaggedLog.open(place(path));
    expect(await log.sync()).toEqual({ violations: 0, skips: 0 });
    expect(existsSync(path)).toBe(false);
    const text = "📊 Data Quality Report for discogs_20260801: No data quality violations found.";
    expect(await log.finish(5)).toEqual({ isClean: true, text });
    expect(await readdir(path)).toEqual(["report.txt"]);
    expect(await readFile(join(path, "report.txt"), "utf8")).toBe(`${text}\n`);
  });

  test("keeps lines, records and a report", async () => {
    await using folder = await temporaryFolder();
    await using log = await FlaggedLog.open(place(folder.path));
    await log.append(found([1, 2], ["1"], ["1", "9"]));
    await log.append({ ...found([1, 2, 1], ["2", "3"], ["2", "9"]), hits: null }); // of a piece that was cut
    const report = await log.finish(77);
    expect(report).toEqual({ isClean: false, text: REPORT.trimEnd() });
    expect(await readFile(join(folder.path, "report.txt"), "utf8")).toBe(REPORT);
    const names = await readdir(folder.path);
    expect(names.sort()).toEqual(["1.json", "1.xml", "2.json", "2.xml", "9.json", "9.xml", "report.txt", "skipped.jsonl", "violations.jsonl"]);
    expect(await readFile(join(folder.path, "2.xml"), "utf8")).toBe("<label>2</label>");
    expect((await readFile(join(folder.path, "violations.jsonl"), "utf8")).split("\n")).toHaveLength(8);
  });

  test("goes on behind the checkpoint, with each line once in logs and report", async () => {
    await using folder = await temporaryFolder();
    const first = await FlaggedLog.open(place(folder.path));
    await first.append(found([2, 1], ["1"]));
    const bytes = await first.sync();
    await first.append(found([0, 3, 1], ["2", "3"])); // lost: behind the checkpoint
    await first[Symbol.asyncDispose]();
    await using second = await FlaggedLog.open(place(folder.path, bytes));
    await second.append(found([0, 3, 1], ["2", "3"]));
    await second.finish(77);
    expect(await readFile(join(folder.path, "report.txt"), "utf8")).toBe(REPORT);
    expect((await readFile(join(folder.path, "violations.jsonl"), "utf8")).split("\n")).toHaveLength(8);
    expect((await readFile(join(folder.path, "skipped.jsonl"), "utf8")).split("\n")).toHaveLength(4);
  });

  test.each(["violations.jsonl", "skipped.jsonl"])("says that its place is lost where %s is shorter than the checkpoint", async (name) => {
    await using folder = await temporaryFolder();
    const first = await FlaggedLog.open(place(folder.path));
    await first.append(found([2, 1], ["1"]));
    const bytes = await first.sync();
    await first[Symbol.asyncDispose]();
    await truncate(join(folder.path, name), 10);
    await expect(FlaggedLog.open(place(folder.path, bytes))).rejects.toSatisfy(isPositionLost);
  });

  test("starts afresh by removing what an earlier run left, and nothing else", async () => {
    await using folder = await temporaryFolder();
    for (const name of ["1.xml", "1.json", "violations.jsonl", "skipped.jsonl", "report.txt", "notes.md"]) await writeFile(join(folder.path, name), "x");
    await mkdir(join(folder.path, "sub"));
    await using _log = await FlaggedLog.open(place(folder.path));
    expect((await readdir(folder.path)).sort()).toEqual(["notes.md", "sub"]);
  });

  test("names some of many skipped records in the log, and all in the report", async () => {
    await using folder = await temporaryFolder();
    await using log = await FlaggedLog.open(place(folder.path));
    await log.append(
      found(
        [],
        Array.from({ length: 50 }, (_, i) => String(i)),
      ),
    );
    const { text } = await log.finish(50);
    expect(text).toContain("    labels: 50 (junk\u2028: 0, 1, 2,");
    expect(text).toContain("18, 19; and 30 more)");
    expect(await readFile(join(folder.path, "report.txt"), "utf8")).toContain("48, 49)\n");
  });
});
