import { execFile, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { flagOf } from "../../src/config/option.ts";
import { SERVE_OPTIONS } from "../../src/config/serve-options.ts";
import { ScriptedServer, targets, yearPage, yearsPage } from "../source/discogs/scripted-server.ts";
import { folderOfTest } from "../support/folder.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const FANOUT = { RABBITMQ_HOST: "broker" };

interface How {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly program?: string;
}

function run(args: readonly string[], { env = {}, cwd, program = CLI }: How = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: cwd ?? folderOfTest("serve"),
    env: { PATH: process.env["PATH"], ...env },
    encoding: "utf8",
    input: "",
  });
  return { status, stdout, stderr };
}

/** The program under another name, as an image has it on its path. */
function linked(name: string): string {
  const path = join(folderOfTest("serve"), name);
  symlinkSync(CLI, path);
  return path;
}

describe.skipIf(!existsSync(CLI))("deadwax serve", () => {
  it.each([
    [1, "no broker", ["serve"], {}, "AMQP_CONNECTION"],
    [1, "two contracts", ["serve"], { ...FANOUT, AMQP_CONNECTION: "amqp://h" }, "DEADWAX_CONTRACT"],
    [1, "a variable that is not ours", ["serve"], { ...FANOUT, DEADWAX_TYPO: "1" }, "DEADWAX_TYPO"],
    [1, "a settings file that is not there", ["serve", "-c", "x.toml"], FANOUT, "x.toml"],
    [1, "a secret that cannot be read", ["serve"], { RABBITMQ_PASSWORD_FILE: "/nowhere" }, "RABBITMQ_PASSWORD_FILE"],
    [1, "rules that are named by nothing", ["serve"], { ...FANOUT, DATA_QUALITY_RULES: "" }, "DATA_QUALITY_RULES"],
    [2, "a bad value of a flag", ["serve", "--health-port", "x"], FANOUT, "--health-port x"],
    [2, "a bad FORCE_REPROCESS", ["serve"], { ...FANOUT, FORCE_REPROCESS: "x" }, "FORCE_REPROCESS=x"],
    [2, "a bad EXTRACTOR_SOURCE", ["serve"], { ...FANOUT, EXTRACTOR_SOURCE: "x" }, "EXTRACTOR_SOURCE=x"],
    [2, "MusicBrainz", ["serve", "--source", "musicbrainz"], FANOUT, "MusicBrainz"],
    [1, "rules that are not there", ["serve"], { ...FANOUT, DATA_QUALITY_RULES: "/nowhere.yaml" }, "/nowhere.yaml"],
  ])("ends with %i, one line, and the same in the log, for %s", (exit, _, args, env, part) => {
    const { status, stdout, stderr } = run(args, { env });
    expect(status).toBe(exit);
    const [, reason = ""] = /^deadwax: CONFIG_INVALID: ([^\n]*)\n$/.exec(stderr) ?? [];
    expect(reason).toContain(part);
    expect(stdout.split("\n")).toHaveLength(2);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(JSON.parse(stdout)).toEqual({ level: "error", time, code: "CONFIG_INVALID", message: `❌ Configuration error: ${reason}` });
  });

  it("leaves standard output alone where the log is to be text", () => {
    for (const asText of [run(["serve", "--output", "text"]), run(["serve"], { env: { DEADWAX_OUTPUT: "text" } })]) {
      expect(asText).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("AMQP_CONNECTION") });
    }
  });

  it.each([
    ["an unknown flag", ["serve", "--unknown"], "--unknown"],
    ["an argument", ["serve", "x"], "too many arguments"],
  ])("ends with 2 and one line for %s", (_, args, part) => {
    const { status, stdout, stderr } = run(args, { env: FANOUT });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^deadwax: CONFIG_INVALID: [^\n]*\n$/);
    expect(stderr).toContain(part);
  });

  it("shows no password where its settings are refused", () => {
    const { stdout, stderr } = run(["serve"], { env: { AMQP_CONNECTION: "amqp://user:canary@h?windows=1" } });
    expect(JSON.parse(stdout).message).toContain('"windows"');
    expect(stdout + stderr).not.toContain("canary");
  });

  it("lists every flag in its help, and nothing that is a secret", () => {
    const help = run(["serve", "--help"]).stdout;
    for (const [key, option] of Object.entries(SERVE_OPTIONS)) expect(help.includes(` ${flagOf(key)} `), key).toBe(!("flagless" in option));
    expect(help).toContain(" -c, --config <PATH> ");
    expect(help).toContain(" -f, --force-reprocess ");
  });

  it.each(["extractor", "rustextractor"])("is what runs under the name %s, with upstream's flags", (name) => {
    const program = linked(name);
    expect(run(["--version"], { program })).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    expect(run(["-V"], { program }).stdout).toBe(`${version}\n`);
    expect(run(["-h"], { program })).toMatchObject({ status: 0, stdout: expect.stringContaining("Usage: deadwax serve") });
    expect(run([], { program })).toMatchObject({ status: 1, stderr: expect.stringContaining("AMQP_CONNECTION") });
    expect(run(["--source", "musicbrainz", "-f", "--data-quality-rules", "r"], { program, env: FANOUT })).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^deadwax: CONFIG_INVALID: --source musicbrainz: [^;]*;[^;]*\n$/),
    });
    expect(run(["-c", "nowhere.toml"], { program, env: FANOUT })).toMatchObject({ status: 1, stderr: expect.stringContaining("nowhere.toml") });
  });
});

describe.skipIf(!existsSync(CLI))("deadwax validate --serve", () => {
  it("shows the settings of the service with what gave them, and no password", () => {
    const env = { AMQP_CONNECTION: "amqp://user:canary@h//", DEADWAX_TRIGGER_TOKEN: "canary-canary", DISCOGS_ROOT: "/data", BATCH_SIZE: "10" };
    const text = run(["validate", "--serve"], { env });
    expect(text.status).toBe(0);
    expect(text.stdout).toMatch(/^--root +\/data {2}\[DISCOGS_ROOT\]\n/m);
    expect(text.stdout).toMatch(/^--contract +topic {2}\[AMQP_CONNECTION\]\n/m);
    expect(text.stdout).toMatch(/^--sink +amqp:\/\/user:\*\*\*@h\/%2F\?queue_type=classic&.* {2}\[AMQP_CONNECTION\]\n/m);
    expect(text.stdout).toMatch(/^DEADWAX_TRIGGER_TOKEN +\*\*\* {2}\[DEADWAX_TRIGGER_TOKEN\]\n/m);
    expect(text.stderr).toContain("BATCH_SIZE has no effect: ");
    const json = run(["validate", "--serve", "--output", "json"], { env });
    expect(JSON.parse(json.stdout)).toMatchObject({
      root: { value: "/data", from: "env", name: "DISCOGS_ROOT" },
      triggerToken: { value: "***" },
      output: { value: "json", from: "flag", name: "--output" },
    });
    expect(text.stdout + text.stderr + json.stdout + json.stderr).not.toContain("canary");
  });

  it("resolves a settings file, over which the environment wins; a flag of serve is enough to mean serve", () => {
    const cwd = folderOfTest("serve");
    writeFileSync(join(cwd, "config.toml"), "amqp_connection = 'amqp://h'\ndiscogs_root = '/file'\nhealth_port = 9000\ns3_bucket = 'b'\ns3_region = 'r'\n");
    for (const args of [["--config", "config.toml"], ["-c", "config.toml"], ["--serve"]]) {
      const { status, stdout, stderr } = run(["validate", ...args], { cwd, env: { DISCOGS_ROOT: "/env" } });
      expect(status).toBe(0);
      expect(stdout).toMatch(/^--root +\/env {2}\[DISCOGS_ROOT\]\n/m);
      expect(stdout).toMatch(/^--health-port +9000 {2}\[config\.toml: health_port\]\n/m);
      expect(stderr.split("\n").filter((line) => line.includes("s3_"))).toEqual([expect.stringContaining("s3_bucket, s3_region have no effect: ")]);
    }
  });

  it("ends as the service would", () => {
    expect(run(["validate", "--serve"])).toMatchObject({ status: 1, stdout: "" });
    expect(run(["validate", "--serve", "--source", "x"], { env: FANOUT })).toMatchObject({ status: 2, stdout: "" });
  });

  it("refuses flags of the other command", () => {
    expect(run(["validate", "--serve", "--limit", "3"], { env: FANOUT })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--limit: serve has no"),
    });
  });
});

describe.skipIf(!existsSync(CLI))("deadwax check", () => {
  /** Runs beside us, since a server of ours answers it; no gap, and nothing is asked of the network. */
  async function check(root: string, sink: string, sourceUrl: string, args: readonly string[] = []) {
    const env = { DISCOGS_ROOT: root, DEADWAX_SINK: sink, DEADWAX_CONTRACT: "topic", DEADWAX_SOURCE_URL: sourceUrl, DEADWAX_GAP_MS: "0" };
    const options = { cwd: folderOfTest("serve"), env: { PATH: process.env["PATH"], ...env, DEADWAX_ALLOW_PRIVATE_SOURCES: "true" } };
    return new Promise<{ status: unknown; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, [CLI, "check", ...args], options, (error, stdout, stderr) => resolve({ status: error?.code ?? 0, stdout, stderr }));
    });
  }

  /** A site that lists one dump, or nothing at all. */
  async function site(works: boolean) {
    const server = await ScriptedServer.start();
    if (works) server.script(targets.years, { body: yearsPage(["2026"]) });
    if (works) server.script(targets.year("2026"), { body: yearPage("2026", ["discogs_20260801_labels.xml.gz"]) });
    return server;
  }

  it("tells every part in one line and creates nothing", async () => {
    await using server = await site(true);
    const root = folderOfTest("serve");
    const { status, stdout, stderr } = await check(root, `file:${root}/out`, server.baseUrl);
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: `✅ root: ${root}\n✅ sink: file:${root}/out\n✅ source: ${server.baseUrl}\n`,
      stderr: "",
    });
    expect(readdirSync(root)).toEqual([]);
  });

  it("gives cause and remedy of each that fails, all of them, and the code of the first", async () => {
    await using server = await site(false);
    const file = join(folderOfTest("serve"), "file");
    writeFileSync(file, "");
    const { status, stdout } = await check("/nowhere", `file:${file}/out`, server.baseUrl);
    const [root, sink, source, ...rest] = stdout.split("\n");
    expect(status).toBe(6);
    expect(root).toMatch(/^❌ root: STATE_UNWRITABLE: \/nowhere: there is no such folder; create it/);
    expect(sink).toMatch(/^❌ sink: SINK_UNAVAILABLE: \S+out: .*; /);
    expect(source).toMatch(/^❌ source: SOURCE_[A-Z]+: .*404.*; /);
    expect(rest).toEqual([""]);
  });

  it("tells a broker that is not there, without the password", async () => {
    await using server = await site(true);
    const { status, stdout } = await check(folderOfTest("serve"), "amqp://user:canary@127.0.0.1:1/", server.baseUrl);
    expect(status).toBe(5);
    expect(stdout).toMatch(/\n❌ sink: SINK_UNAVAILABLE: sink amqp:\/\/127\.0\.0\.1:1\/[^\n]*refused[^\n]*; [^\n]*\n✅ source: /);
    expect(stdout).not.toContain("canary");
  });

  it("tells it as JSON too", async () => {
    await using server = await site(true);
    const file = join(folderOfTest("serve"), "file");
    writeFileSync(file, "");
    const { stdout } = await check(file, "null:", server.baseUrl, ["--output", "json"]);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { part: "root", place: file, ok: false, code: "STATE_UNWRITABLE", message: `${file}: is no folder; name another with DISCOGS_ROOT or --root` },
      { part: "sink", place: "null:", ok: true },
      { part: "source", place: server.baseUrl, ok: true },
    ]);
  });

  it("ends as the service would where the settings are not sound", () => {
    expect(run(["check"])).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("AMQP_CONNECTION") });
  });
});
