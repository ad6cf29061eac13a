import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { logFormatFor } from "../../src/telemetry/log.ts";
import { Telemetry } from "../../src/telemetry.ts";
import { FakeClock } from "./fake-clock.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "deadwax-log-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(path: string | null, level: "error" | "warn" | "info" | "debug" = "info") {
  const clock = new FakeClock();
  const lines: string[] = [];
  const output = { write: (text: string) => lines.push(text) };
  return { clock, lines, telemetry: new Telemetry({ level, format: "text", output, bar: false, clock, file: path }) };
}

describe("levels", () => {
  it.each([
    ["debug", ["💾", "✅", "⚠️", "❌"]],
    ["info", ["✅", "⚠️", "❌"]],
    ["warn", ["⚠️", "❌"]],
    ["error", ["❌"]],
  ] as const)("%s shows its lines and those above", (level, expected) => {
    const { lines, telemetry } = open(null, level);
    telemetry.checkpointSaved("f", { ordinal: 1, offset: 2 });
    telemetry.verifySkipped("f");
    telemetry.warned("beware");
    telemetry.fileFailed("f", new DumpError("SINK_FULL", "full"));
    expect(lines.map((line) => line.split(" ")[0])).toEqual(expected);
  });
});

it("names the file that failed once, though the failure names it too", () => {
  const { lines, telemetry } = open(null, "error");
  for (const text of ["f: no closing root tag", "full"]) telemetry.fileFailed("f", new DumpError("SOURCE_MALFORMED", text));
  expect(lines).toEqual(["❌ f: no closing root tag\n", "❌ f: full\n"]);
});

it("is text on a terminal and JSON everywhere else", () => {
  const write = () => true;
  expect([logFormatFor({ write, isTTY: true }), logFormatFor({ write, isTTY: false }), logFormatFor({ write })]).toEqual(["text", "json", "json"]);
});

describe("a log file", () => {
  it("gets every line as JSON behind what it held, in a folder that is made for it", async () => {
    const path = join(folder, "logs", "extractor.log");
    mkdirSync(join(folder, "logs"));
    writeFileSync(path, "old\n");
    const { lines, telemetry } = open(path);
    telemetry.warned("one");
    telemetry.warned("two");
    await vi.waitFor(() => expect(readFileSync(path, "utf8").split("\n")).toHaveLength(4));
    const [old, ...entries] = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(old).toBe("old");
    expect(entries.map((line) => JSON.parse(line))).toMatchObject([{ level: "warn", time: expect.any(String), message: "⚠️ one" }, { message: "⚠️ two" }]);
    expect(lines).toEqual(["⚠️ one\n", "⚠️ two\n"]);
    const fresh = join(folder, "new", "deep", "extractor.log");
    open(fresh).telemetry.warned("three");
    await vi.waitFor(() => expect(readFileSync(fresh, "utf8")).toContain("three"));
  });

  it("that cannot be written is told once and stops nothing; it goes on when it can be written again", async () => {
    const path = join(folder, "logs", "extractor.log");
    writeFileSync(join(folder, "logs"), "a file where the folder should be");
    const { clock, lines, telemetry } = open(path);
    telemetry.warned("one");
    await vi.waitFor(() => expect(lines.join("")).toContain("going on without it"));
    telemetry.warned("two");
    clock.advance(61_000);
    telemetry.warned("three"); // tried again, in vain
    await vi.waitFor(() => expect(lines).toContain("⚠️ three\n"));
    expect(lines.filter((line) => line.includes("going on without it"))).toHaveLength(1);
    expect(existsSync(path)).toBe(false);
    rmSync(join(folder, "logs"));
    await vi.waitFor(() => {
      clock.advance(61_000);
      telemetry.warned("again");
      expect(lines.join("")).toMatch(/🔄 Log file .* is written again; \d+ lines are missing in it/);
    });
    expect(readFileSync(path, "utf8")).toContain('"message":"⚠️ again"');
  });

  it("on a full disk is told once and stops nothing", async () => {
    const { lines, telemetry } = open("/dev/full");
    telemetry.warned("one");
    telemetry.warned("two");
    await vi.waitFor(() => expect(lines.filter((line) => line.includes("ENOSPC"))).toHaveLength(1));
    telemetry.warned("three");
    expect(lines.at(-1)).toBe("⚠️ three\n");
  });
});
