import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FILE_KEYS, readSettingsFile } from "../../src/config/settings-file.ts";
import { folderOfFile } from "../support/folder.ts";
import { FANOUT, refused, serve, setting, urlOf } from "./resolved.ts";

const FOLDER = folderOfFile("settings");
let files = 0;

function write(text: string): string {
  const path = join(FOLDER, `${files++}.toml`);
  writeFileSync(path, text);
  return path;
}

/** All keys that upstream's example has. */
const ALL = `
amqp_connection = "amqp://user:word@broker:5672/%2F"
discogs_root = "/data"
max_temp_size = 1_000_000_000
periodic_check_days = 3
health_port = 9000
max_workers = 2
batch_size = 100
queue_size = 5000
progress_log_interval = 1000
s3_bucket = "discogs-data-dumps"
s3_region = "us-west-2"
`;

describe("the settings file", () => {
  it("gives all keys of upstream's", () => {
    const config = serve({ RABBITMQ_HOST: "" }, { config: write(ALL) });
    expect(config).toMatchObject({ contract: "topic", root: "/data", periodicCheckDays: 3, healthPort: 9000, threads: 2 });
    expect(urlOf(config)).toMatch(/^amqp:\/\/user:word@broker:5672\/%2F\?/);
    expect(setting(config, "root")).toMatchObject({ value: "/data", from: "file", name: expect.stringMatching(/\.toml: discogs_root$/) });
    expect(setting(config, "contract")).toMatchObject({ value: "topic", from: "file", name: expect.stringMatching(/\.toml: amqp_connection$/) });
  });

  it("warns of every key that has no effect, once for each reason", () => {
    const { warnings } = serve({ RABBITMQ_HOST: "" }, { config: write(ALL) });
    const names = warnings.map((warning) => warning.split(/ ha(?:s|ve) no effect: /)[0]);
    expect(names.sort()).toEqual(["batch_size", "max_temp_size", "progress_log_interval", "queue_size", "s3_bucket, s3_region"]);
  });

  it("stands between environment and defaults", () => {
    const config = write("discogs_root = 'file'\nhealth_port = 1\nperiodic_check_days = 2\n");
    const env = { ...FANOUT, RUST_EXTRACTOR_CONFIG: config, DISCOGS_ROOT: "env", HEALTH_PORT: "2", PERIODIC_CHECK_DAYS: "junk" };
    expect(serve(env, { root: "flag" })).toMatchObject({ root: "flag", healthPort: 2, periodicCheckDays: 2, stallSeconds: 120 });
  });

  it("is the one of the flag before the one of the variable", () => {
    expect(serve({ ...FANOUT, RUST_EXTRACTOR_CONFIG: write("discogs_root = 'env'") }, { config: write("discogs_root = 'flag'") }).root).toBe("flag");
  });

  it("names a broker as the environment does: both contracts are one too many", () => {
    expect(refused(FANOUT, { config: write("amqp_connection = 'amqp://h'") })).toEqual({
      exit: 1,
      message: expect.stringMatching(/^both .*amqp_connection, /),
    });
  });

  it("may be missing where nobody has named it", () => {
    expect(readSettingsFile(join(FOLDER, "config.toml"), false)).toEqual({ values: {}, ignored: [], problems: [] });
    for (const raw of [refused(FANOUT, { config: "/nowhere.toml" }), refused({ ...FANOUT, RUST_EXTRACTOR_CONFIG: "/nowhere.toml" })]) {
      expect(raw).toEqual({ exit: 1, message: "/nowhere.toml: there is no such file; correct --config or RUST_EXTRACTOR_CONFIG" });
    }
  });

  it.each([
    ["unknown = 1", /: unknown: there is no such key$/],
    ["[extractor]\nhealth_port = 1", /: extractor: there is no such key$/],
    ["s3_buckett = 'x'", /: s3_buckett: there is no such key$/],
    ["health_port = 65536", /: health_port = 65536: give a whole number from 0 to 65535$/],
    ["health_port = true", /: health_port: give a text or a whole number$/],
    ["health_port = 1.5", /: health_port: give a text or a whole number$/],
    ["periodic_check_days = 0", /: periodic_check_days = 0: give a whole number/],
    ["discogs_root = ''", /: discogs_root = : give a value that is not empty$/],
    ["discogs_root = 'a'\ndiscogs_root = 'b'", /\.toml:2:1: [^\n]+$/],
    ["\n\nhealth_port = \n", /\.toml:3:\d+: [^\n]+$/],
    ["amqp_connection = amqp://user:canary@h", /\.toml:1:\d+: [^\n]+$/],
    ["amqp_connection = 'user:canary@h'", /: amqp_connection: give amqp:/],
  ])("that says %j is refused, with its place and without a secret", (text, message) => {
    const ended = refused(FANOUT, { config: write(text) });
    expect(ended).toEqual({ exit: 1, message: expect.stringMatching(message) });
    expect(ended.message).not.toContain("canary");
  });

  it("that is a folder is refused", () => {
    expect(refused(FANOUT, { config: FOLDER })).toEqual({ exit: 1, message: `${FOLDER}: cannot be read (EISDIR); make it a readable file` });
  });

  it("takes numbers as text too", () => {
    expect(serve(FANOUT, { config: write("health_port = '9000'") }).healthPort).toBe(9000);
  });

  it("has the keys of upstream's that mean something here", () => {
    expect(Object.keys(FILE_KEYS)).toEqual(["amqp_connection", "discogs_root", "periodic_check_days", "health_port", "max_workers"]);
  });
});
