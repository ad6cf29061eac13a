import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { GENERATE_OPTIONS } from "../../src/commands/generate.ts";
import { flagOf } from "../../src/config/option.ts";
import { OPTION_KEYS } from "../../src/config/options.ts";
import { folderOf } from "../source/folder.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

function deadwax(args: string[], { env = {}, cwd = "." }: { env?: Record<string, string>; cwd?: string } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd,
    env: { PATH: process.env["PATH"], ...env },
    encoding: "utf8",
    input: "",
  });
  return { status, stdout, stderr };
}

describe.skipIf(!existsSync(CLI))("deadwax", () => {
  it.each([
    ["an unknown command", ["unknown"], "unknown command 'unknown'"],
    ["an unknown option", ["extract", "--unknown"], "unknown option '--unknown'"],
    ["an option without its value", ["extract", "--sink"], "--sink"],
    ["opposite options", ["extract", "-q", "-v", "x"], "cannot be used with"],
    ["an extra argument", ["validate", "x"], "too many arguments"],
    ["nothing to extract", ["extract"], "nothing to extract"],
    ["a wrong value", ["extract", "x", "--contract", "x"], "--contract x"],
    ["a generator without a folder", ["generate"], "--out"],
    ["a reset of nothing", ["state", "reset"], "versions"],
  ])("ends with 2 and one line for %s", (_, args, part) => {
    const { status, stdout, stderr } = deadwax(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^deadwax: CONFIG_INVALID: [^\n]*\n$/);
    expect(stderr).toContain(part);
  });

  it("tells all problems at once, and no password", () => {
    const { status, stderr } = deadwax(["extract", "x", "--threads", "0", "--sink", "amqp://u:secret@h?nonsense=1"], {
      env: { DEADWAX_CHUNK: "1", DEADWAX_NONSENSE: "1" },
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(/4 problems: .*DEADWAX_NONSENSE.*--sink.*--threads 0.*DEADWAX_CHUNK=1/);
    expect(stderr).not.toContain("secret");
  });

  it.each([
    [["extract", "--output", "json", "--unknown"], {}],
    [["extract", "--output=json", "nowhere.xml"], {}],
    [["extract", "nowhere.xml"], { DEADWAX_OUTPUT: "json" }],
  ])("tells errors as JSON: %j", (args, env) => {
    const { stderr } = deadwax(args, { env });
    expect(JSON.parse(stderr)).toEqual({ error: { code: expect.stringMatching(/^[A-Z_]+$/), message: expect.any(String) } });
  });

  it("prints help and ends with 2 without a command, with 0 if help was asked for", () => {
    expect(deadwax([])).toMatchObject({ status: 2, stdout: "", stderr: expect.stringContaining("Usage: deadwax") });
    expect(deadwax(["--help"])).toMatchObject({ status: 0, stderr: "", stdout: expect.stringContaining("Usage: deadwax") });
  });

  it("lists every option in the help", () => {
    const extract = deadwax(["extract", "--help"]).stdout;
    for (const key of OPTION_KEYS) expect(extract).toContain(`  ${flagOf(key)}`);
    const generate = deadwax(["generate", "--help"]).stdout;
    for (const key of Object.keys(GENERATE_OPTIONS)) expect(generate).toContain(`  --${key} <`);
  });

  it.each([["--version"], ["-V"], ["version"]])("%s prints the version", (argument) => {
    expect(deadwax([argument])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("ends with 4 and names a dump that is not there", () => {
    expect(deadwax(["extract", "nowhere.xml.gz"])).toMatchObject({ status: 4, stderr: expect.stringMatching(/^deadwax: SOURCE_MISSING: nowhere\.xml\.gz: /) });
  });

  it("validates: shows settings, their origin and no password", () => {
    const env = { DEADWAX_CONTRACT: "fanout", MAX_WORKERS: "3" };
    const { status, stdout } = deadwax(["validate", "--sink", "null:", "--output", "json"], { env });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      contract: { value: "fanout", from: "env" },
      threads: { value: 3, from: "env" },
      sink: { value: "null:", from: "flag" },
      chunk: { value: 2_097_152, from: "default" },
    });
    expect(deadwax(["validate"], { env }).stdout).toMatch(/--threads +3 {2}\[MAX_WORKERS\]\n/);
  });

  it("shows, checks and resets state", async () => {
    const cwd = await folderOf({ ".extraction_status_20260801.json": "torn" });
    expect(deadwax(["state", "show"], { cwd })).toMatchObject({ status: 0, stdout: expect.stringContaining("20260801: ") });
    expect(deadwax(["state", "check", "--root", "."], { cwd })).toMatchObject({ status: 6, stdout: expect.stringContaining("❌") });
    expect(deadwax(["state", "reset", "20990101", "--state", "."], { cwd })).toMatchObject({ status: 2, stderr: expect.stringContaining("20260801") });
    const empty = await folderOf({});
    expect(deadwax(["state", "check"], { cwd: empty })).toMatchObject({ status: 0, stdout: "no state in .\n" });
  });
});
