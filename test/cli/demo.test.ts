import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "deadwax-demo-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function deadwax(...args: string[]) {
  // A variable that is meant for real runs must not lead the demo elsewhere.
  const env = { PATH: process.env["PATH"], DEADWAX_SINK: "file:elsewhere", DEADWAX_CONTRACT: "fanout" };
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd, env, encoding: "utf8", input: "" });
  return { status, stdout, stderr };
}

it("the demo extracts what it makes, says where the records are, and can be run again", () => {
  for (const _ of ["once", "again"]) {
    const { status, stdout } = deadwax("demo");
    expect(status).toBe(0);
    const path = /head -n 1 (\S+)/.exec(stdout)?.[1] ?? "";
    const records = readFileSync(join(cwd, path), "utf8").trimEnd().split("\n");
    expect(records).toHaveLength(20_000);
    expect(JSON.parse(records[0] ?? "")).toMatchObject({ type: "data", "@id": expect.any(String) });
  }
});

it("the demo leaves a folder alone that it did not make", async () => {
  await mkdir(join(cwd, "deadwax-demo"));
  writeFileSync(join(cwd, "deadwax-demo/mine.txt"), "mine");
  expect(deadwax("demo")).toMatchObject({ status: 5, stdout: "", stderr: expect.stringMatching(/^deadwax: SINK_UNAVAILABLE: deadwax-demo: [^\n]*\n$/) });
});

it("shows, checks and resets the state that a run has left", () => {
  deadwax("demo");
  const shown = deadwax("state", "show", "--root", "deadwax-demo/dump");
  expect(shown).toMatchObject({ status: 0, stdout: expect.stringContaining("discogs_20260801_releases.xml.gz: completed, 20000 written, 0 rejected") });
  const [line = ""] = deadwax("state", "show", "--root", "deadwax-demo/dump", "--output", "json").stdout.split("\n");
  expect(JSON.parse(line)).toMatchObject({ version: "20260801", fault: null, marker: { summary: { overall_status: "completed" } } });
  expect(deadwax("state", "check", "--root", "deadwax-demo/dump")).toMatchObject({ status: 0, stdout: expect.stringContaining(": sound\n") });
  expect(deadwax("state", "reset", "20260801", "--root", "deadwax-demo/dump")).toMatchObject({ status: 0, stdout: expect.stringContaining("is kept as") });
  expect(deadwax("state", "show", "--root", "deadwax-demo/dump").stdout).toBe("no state in deadwax-demo/dump\n");
});

it("says verbosely what the native core was built from", () => {
  const { status, stdout } = deadwax("--version", "--verbose");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^deadwax \d+\.\d+\.\d+\nnative core .*\ninflate: .*zlib-ng \d.*zlib-rs .*\nCPU features: .+\nNode\.js \d/);
});
