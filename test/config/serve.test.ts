import { availableParallelism } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { ACCEPTED_AND_IGNORED } from "../../src/config/ignored.ts";
import { variableNames } from "../../src/config/option.ts";
import type { ServeConfig } from "../../src/config/serve.ts";
import { SERVE_KEYS, SERVE_OPTIONS } from "../../src/config/serve-options.ts";
import { resolveConfig } from "../../src/config.ts";
import { folderOfTest } from "../support/folder.ts";
import { FANOUT, refused, serve, setting, TOPIC, urlOf } from "./resolved.ts";

/** What a variable's text becomes; undefined: not set. */
const READ: readonly (readonly [variable: string, text: string | undefined, key: keyof ServeConfig, value: unknown])[] = [
  ["DISCOGS_ROOT", undefined, "root", "/discogs-data"],
  ["DISCOGS_ROOT", "", "root", "/discogs-data"],
  ["DISCOGS_ROOT", "/data", "root", "/data"],
  ["PERIODIC_CHECK_DAYS", undefined, "periodicCheckDays", 15],
  ["PERIODIC_CHECK_DAYS", "3", "periodicCheckDays", 3],
  ["PERIODIC_CHECK_DAYS", "+7", "periodicCheckDays", 7],
  ["PERIODIC_CHECK_DAYS", "0", "periodicCheckDays", 1],
  ["PERIODIC_CHECK_DAYS", " 3", "periodicCheckDays", 15],
  ["PERIODIC_CHECK_DAYS", "-3", "periodicCheckDays", 15],
  ["PERIODIC_CHECK_DAYS", "1_0", "periodicCheckDays", 15],
  ["PERIODIC_CHECK_DAYS", "junk", "periodicCheckDays", 15],
  ["PERIODIC_CHECK_DAYS", "18446744073709551615", "periodicCheckDays", 36_500],
  ["PERIODIC_CHECK_DAYS", "18446744073709551616", "periodicCheckDays", 15],
  ["MAX_WORKERS", undefined, "threads", availableParallelism()],
  ["MAX_WORKERS", "3", "threads", 3],
  ["MAX_WORKERS", "0", "threads", 1],
  ["MAX_WORKERS", "300", "threads", 256],
  ["MAX_WORKERS", "junk", "threads", availableParallelism()],
  ["STATE_SAVE_INTERVAL", undefined, "checkpointRecords", 5000],
  ["STATE_SAVE_INTERVAL", "10", "checkpointRecords", 10],
  ["STATE_SAVE_INTERVAL", "0", "checkpointRecords", 1],
  ["STATE_SAVE_INTERVAL", "junk", "checkpointRecords", 5000],
  ["HEALTH_PORT", undefined, "healthPort", 8000],
  ["HEALTH_PORT", "9000", "healthPort", 9000],
  ["HEALTH_PORT", "0", "healthPort", 0],
  ["HEALTH_PORT", "65535", "healthPort", 65_535],
  ["HEALTH_PORT", "65536", "healthPort", 8000],
  ["HEALTH_PORT", "junk", "healthPort", 8000],
  ["LOG_LEVEL", undefined, "logLevel", "info"],
  ["LOG_LEVEL", "DEBUG", "logLevel", "debug"],
  ["LOG_LEVEL", "Info", "logLevel", "info"],
  ["LOG_LEVEL", "WARNING", "logLevel", "warn"],
  ["LOG_LEVEL", "warn", "logLevel", "warn"],
  ["LOG_LEVEL", "ERROR", "logLevel", "error"],
  ["LOG_LEVEL", "CRITICAL", "logLevel", "error"],
  ["LOG_LEVEL", "TRACE", "logLevel", "info"],
  ["LOG_LEVEL", "junk", "logLevel", "info"],
  ["FORCE_REPROCESS", undefined, "forceReprocess", false],
  ...["y", "Yes", "t", "TRUE", "on", "1"].map((text) => ["FORCE_REPROCESS", text, "forceReprocess", true] as const),
  ...["n", "No", "f", "FALSE", "off", "0"].map((text) => ["FORCE_REPROCESS", text, "forceReprocess", false] as const),
  ["STARTUP_DELAY", undefined, "startupDelaySeconds", 0],
  ["STARTUP_DELAY", "10", "startupDelaySeconds", 10],
  ["STARTUP_DELAY", "junk", "startupDelaySeconds", 0],
  ["FAILURE_COOLDOWN_SECS", undefined, "failureCooldownSeconds", 600],
  ["FAILURE_COOLDOWN_SECS", "5", "failureCooldownSeconds", 5],
  ["FAILURE_COOLDOWN_SECS", "0", "failureCooldownSeconds", 0],
  ["FAILURE_COOLDOWN_SECS", "junk", "failureCooldownSeconds", 600],
  ["DATA_QUALITY_RULES", undefined, "dataQualityRules", null],
  ["DATA_QUALITY_RULES", "/rules.yaml", "dataQualityRules", "/rules.yaml"],
  ["DISCOGS_EXCHANGE_PREFIX", undefined, "exchangePrefix", "discogsography-discogs"],
  ["DISCOGS_EXCHANGE_PREFIX", "mine", "exchangePrefix", "mine"],
  ["AMQP_EXCHANGE_PREFIX", "older", "exchangePrefix", "older"],
  ["DEADWAX_SOURCE_URL", undefined, "sourceUrl", "https://data.discogs.com/"],
  ["DEADWAX_SOURCE_URL", "http://mirror:81/dumps", "sourceUrl", "http://mirror:81/dumps/"],
  ["DEADWAX_ALLOW_PRIVATE_SOURCES", undefined, "allowPrivateSources", false],
  ["DEADWAX_ALLOW_PRIVATE_SOURCES", "true", "allowPrivateSources", true],
  ["DEADWAX_HEALTH_HOST", undefined, "healthHost", "0.0.0.0"],
  ["DEADWAX_HEALTH_HOST", "127.0.0.1", "healthHost", "127.0.0.1"],
  ["DEADWAX_KEEP_VERSIONS", undefined, "keepVersions", null],
  ["DEADWAX_KEEP_VERSIONS", "2", "keepVersions", 2],
  ["DEADWAX_METRICS_FORMAT", undefined, "metricsFormat", "json"],
  ["DEADWAX_METRICS_FORMAT", "prometheus", "metricsFormat", "prometheus"],
  ["DEADWAX_STALL_SECONDS", undefined, "stallSeconds", 120],
  ["DEADWAX_GAP_MS", undefined, "gapMs", 5000],
  ["DEADWAX_QUEUE_TYPE", undefined, "queueType", "classic"],
  ["DEADWAX_QUEUE_TYPE", "quorum", "queueType", "quorum"],
  ["DEADWAX_DRAIN_TIMEOUT_MS", undefined, "drainTimeoutMs", 7000],
  ["EXTRACTOR_SOURCE", undefined, "mode", "normal"],
  ["EXTRACTOR_SOURCE", "Discogs", "mode", "normal"],
];

describe("variables", () => {
  it.each(READ)("%s=%s gives %s %j", (variable, text, key, value) => {
    expect(serve(text === undefined ? {} : { [variable]: text })[key]).toEqual(value);
  });

  it.each([
    ["FORCE_REPROCESS", "maybe", 2],
    ["FORCE_REPROCESS", "", 2],
    ["EXTRACTOR_SOURCE", "musicbrainz", 2],
    ["EXTRACTOR_SOURCE", "MusicBrainz", 2],
    ["EXTRACTOR_SOURCE", "spotify", 2],
    ["EXTRACTOR_SOURCE", "", 2],
    ["DATA_QUALITY_RULES", "", 1],
    ["RABBITMQ_PORT", "junk", 1],
    ["RABBITMQ_PORT", "65536", 1],
    ["RABBITMQ_HOST", "a b", 1],
    ["DISCOGS_EXCHANGE_PREFIX", "a b", 1],
    ["DEADWAX_QUEUE_TYPE", "stream", 1],
    ["DEADWAX_METRICS_FORMAT", "xml", 1],
    ["DEADWAX_SOURCE_URL", "ftp://host/", 1],
    ["DEADWAX_SOURCE_URL", "junk", 1],
    ["DEADWAX_TRIGGER_TOKEN", "short", 1],
    ["DEADWAX_SINK", "-", 1],
    ["DEADWAX_SINK", "junk:", 1],
    ["DEADWAX_CHUNK", "1", 1],
    ["DEADWAX_TYPO", "1", 1],
    ["HTTP_PROXY", "socks5://host", 1],
  ])("%s=%s is refused by name, with exit %s %i", (variable, text, exit) => {
    const { message, ...ended } = refused({ ...FANOUT, [variable]: text });
    expect(message).toMatch(new RegExp(`^${variable}\\b[^\\n]*$`));
    expect(ended).toEqual({ exit });
  });

  it("of the older name give way to the newer, and those of upstream to ours", () => {
    expect(serve({ DISCOGS_EXCHANGE_PREFIX: "new", AMQP_EXCHANGE_PREFIX: "old" }).exchangePrefix).toBe("new");
    expect(serve({ DEADWAX_ROOT: "ours", DISCOGS_ROOT: "theirs" }).root).toBe("ours");
    expect(serve({ DEADWAX_LOG_LEVEL: "debug", LOG_LEVEL: "ERROR" }).logLevel).toBe("debug");
    expect(serve({ DEADWAX_CHECKPOINT_RECORDS: "7", STATE_SAVE_INTERVAL: "9" }).checkpointRecords).toBe(7);
  });

  it("of proxies are read in both cases", () => {
    const { proxies } = serve({ http_proxy: "proxy:3128", HTTPS_PROXY: "http://proxy:3129", no_proxy: "a,b" });
    expect([proxies.http?.reveal(), proxies.https?.reveal(), proxies.no]).toEqual(["http://proxy:3128", "http://proxy:3129", "a,b"]);
    expect(serve().proxies).toEqual({ http: null, https: null, no: null });
  });

  it("of the other command are known, in both", () => {
    expect(serve({ DEADWAX_LIMIT: "3", DEADWAX_TYPE: "labels" }).mode).toBe("normal");
    expect(resolveConfig({ flags: {}, env: { DEADWAX_QUEUE_TYPE: "quorum", DEADWAX_TRIGGER_TOKEN_FILE: "x" } }).sink).toEqual(["file:out"]);
  });
});

describe("flags", () => {
  it.each([
    [{ root: "flag" }, { DISCOGS_ROOT: "env" }, "root", "flag"],
    [{ healthPort: "1" }, { HEALTH_PORT: "2" }, "healthPort", 1],
    [{ dataQualityRules: "flag" }, { DATA_QUALITY_RULES: "" }, "dataQualityRules", "flag"],
    [{ forceReprocess: true }, { FORCE_REPROCESS: "junk" }, "forceReprocess", true],
    [{ source: "discogs" }, { EXTRACTOR_SOURCE: "musicbrainz" }, "mode", "normal"],
  ] as const)("%j win over %j", (flags, env, key, value) => {
    expect(serve(env, flags)[key]).toBe(value);
  });

  it.each([
    { source: "musicbrainz" },
    { source: "junk" },
    { healthPort: "junk" },
    { healthPort: "65536" },
    { periodicCheckDays: "0" },
    { logLevel: "critical" },
    { contract: "x" },
    { dataQualityRules: "" },
  ])("%j is bad usage", (flags) => {
    expect(refused(FANOUT, flags)).toEqual({ exit: 2, message: expect.stringMatching(/^--[a-z-]+ /) });
  });

  it("say in one clear line that MusicBrainz is not extracted", () => {
    expect(refused(FANOUT, { source: "musicbrainz" }).message).toMatch(/^--source musicbrainz: MusicBrainz dumps are not extracted by this version; [^\n]+$/);
  });
});

describe("problems", () => {
  it("come in one report, and usage decides how the process ends", () => {
    const { message, exit } = refused({ FORCE_REPROCESS: "x", DEADWAX_TYPO: "1", DEADWAX_CHUNK: "1", RUST_EXTRACTOR_CONFIG: "/nowhere" }, {});
    expect(message).toMatch(/^5 problems: /);
    for (const part of ["FORCE_REPROCESS=x:", "DEADWAX_TYPO:", "DEADWAX_CHUNK=1:", "/nowhere: there is no such file", "AMQP_CONNECTION"]) {
      expect(message).toContain(part);
    }
    expect(exit).toBe(2);
    expect(refused({ DEADWAX_TYPO: "1", DEADWAX_CHUNK: "1", ...FANOUT }).exit).toBe(1);
  });

  it("follow from no other problem", () => {
    expect(refused({ ...FANOUT, RABBITMQ_PORT: "junk" }).message).not.toContain("problems");
    expect(refused({ ...FANOUT, DEADWAX_CONTRACT: "junk" }).message).not.toContain("problems");
    expect(refused({ AMQP_CONNECTION: "junk" }).message).not.toContain("problems");
  });
});

describe("rules", () => {
  it("are refused with the topic contract", () => {
    expect(refused({ ...TOPIC, DATA_QUALITY_RULES: "r.yaml" })).toEqual({ exit: 1, message: expect.stringMatching(/^DATA_QUALITY_RULES: .*fanout/) });
  });
});

describe("what is accepted and ignored", () => {
  it.each(ACCEPTED_AND_IGNORED.flatMap(({ variable }) => variable ?? []))("%s has a warning when it is set, and no other effect", (variable) => {
    const { warnings, settings } = serve({ [variable]: "1000" });
    expect(warnings).toEqual([expect.stringContaining(`${variable} has no effect: `)]);
    // The size of a batch is a setting, of incremental mode.
    expect(settings.filter(({ key }) => key !== "batchSize")).toEqual(serve().settings.filter(({ key }) => key !== "batchSize"));
    expect(serve({ [variable]: "" }).warnings).toEqual([]);
  });

  it("BATCH_SIZE has an effect in incremental mode, and no warning", () => {
    const { warnings, batchSize } = serve({ BATCH_SIZE: "1000", DEADWAX_MODE: "incremental" });
    expect([warnings, batchSize]).toEqual([[], 1000]);
  });

  it("POSTGRES_* is where the state is, if all of it is there", () => {
    const database = { POSTGRES_HOST: "db", POSTGRES_USERNAME: "me", POSTGRES_PASSWORD: "canary", POSTGRES_DATABASE: "discogs" };
    const { stateUrl } = serve({ ...database, DEADWAX_MODE: "incremental" });
    expect(stateUrl?.reveal()).toBe("postgres://me:canary@db:5432/discogs?schema=public&sslmode=disable");
    expect(JSON.stringify(serve({ ...database, DEADWAX_MODE: "incremental" }))).not.toContain("canary");
    expect(serve(database).stateUrl).not.toBeNull(); // what it delivers has to be known there too
    expect(serve({ ...database, POSTGRES_DATABASE: "" }).stateUrl).toBeNull();
    expect(serve({ DEADWAX_MODE: "incremental" }).stateUrl).toBeNull();
    const { message, exit } = refused({ ...FANOUT, ...database, POSTGRES_DATABASE: "", DEADWAX_MODE: "incremental" });
    expect([message, exit]).toEqual(["not set: POSTGRES_DATABASE; give them all, or none to keep the state in the root", 1]);
  });

  it("a broker's URL has one warning for its settings without effect", () => {
    const config = serve({ RABBITMQ_HOST: "", AMQP_CONNECTION: "amqp://user:canary@h?frame_max=9&heartbeat=5&auth_mechanism=plain" });
    expect(config.warnings).toEqual([expect.stringMatching(/^frame_max, auth_mechanism have no effect: /)]);
    expect(config.warnings.join()).not.toContain("canary");
    expect(urlOf(config)).toContain("heartbeat=5");
  });

  it("together with what works is all that upstream reads", () => {
    const upstream = [
      ...["AMQP_CONNECTION", "RABBITMQ_USERNAME", "RABBITMQ_USERNAME_FILE", "RABBITMQ_PASSWORD", "RABBITMQ_PASSWORD_FILE", "RABBITMQ_HOST"],
      ...["RABBITMQ_PORT", "DISCOGS_ROOT", "PERIODIC_CHECK_DAYS", "MAX_WORKERS", "BATCH_SIZE", "QUEUE_SIZE", "PROGRESS_LOG_INTERVAL"],
      ...["STATE_SAVE_INTERVAL", "HEALTH_PORT", "LOG_LEVEL", "FORCE_REPROCESS", "RUST_EXTRACTOR_CONFIG", "STARTUP_DELAY", "ENVIRONMENT"],
      ...["DATA_QUALITY_RULES", "EXTRACTOR_SOURCE", "DISCOGS_EXCHANGE_PREFIX", "MUSICBRAINZ_EXCHANGE_PREFIX", "MUSICBRAINZ_ROOT"],
      ...["MUSICBRAINZ_DUMP_URL", "DISCOGS_HEALTH_URL", "FAILURE_COOLDOWN_SECS"],
    ];
    const known = new Set([...variableNames(SERVE_OPTIONS), ...ACCEPTED_AND_IGNORED.map(({ variable }) => variable)]);
    expect(upstream.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe("resolved settings", () => {
  it("are frozen, and every one is shown with what gave it", () => {
    const config = serve({ DISCOGS_ROOT: "/data", HEALTH_PORT: "1" }, { healthPort: "2" });
    expect(Object.isFrozen(config)).toBe(true);
    expect(config.settings.map(({ key }) => key)).toEqual(SERVE_KEYS);
    expect(setting(config, "root")).toEqual({ key: "root", value: "/data", from: "env", name: "DISCOGS_ROOT" });
    expect(setting(config, "healthPort")).toEqual({ key: "healthPort", value: 2, from: "flag", name: "--health-port" });
    expect(setting(config, "chunk")).toEqual({ key: "chunk", value: 2_097_152, from: "default", name: "default" });
    expect(setting(config, "contract")).toEqual({ key: "contract", value: "fanout", from: "env", name: "RABBITMQ_HOST" });
  });

  it("hold nothing that is only a part of another", () => {
    expect(Object.keys(serve()).filter((key) => /amqp|rabbitmq|^window|^caFile|^config$|Proxy$/.test(key))).toEqual([]);
  });

  it("show a log file in a folder by its name", () => {
    const folder = folderOfTest("log");
    expect(serve({ DEADWAX_LOG_FILE: folder }).logFile).toBe(join(folder, "extractor.log"));
    expect(serve({ DEADWAX_LOG_FILE: "/nowhere/logs/" }).logFile).toBe("/nowhere/logs/extractor.log");
    expect(serve({ DEADWAX_LOG_FILE: join(folder, "mine.log") }).logFile).toBe(join(folder, "mine.log"));
  });

  it("hide their secrets however they are printed", () => {
    const token = "trigger-canary";
    const config = serve({ RABBITMQ_PASSWORD: "word-canary", DEADWAX_TRIGGER_TOKEN: token, HTTP_PROXY: "http://u:proxy-canary@h" });
    expect(config.triggerToken?.reveal()).toBe(token);
    expect(urlOf(config)).toContain("word-canary");
    for (const shown of [JSON.stringify(config), inspect(config, { depth: 9, showHidden: true }), `${config.sinkUrls}${config.triggerToken}`]) {
      expect(shown).toContain("***");
      expect(shown).not.toContain("canary");
    }
  });
});
