import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { type RawConfig, resolveConfig, resolveExtractConfig, wantsJson } from "../../src/config.ts";
import { DumpError } from "../../src/errors.ts";

function problemsOf(raw: RawConfig, resolve = resolveConfig): string {
  try {
    resolve({ env: {}, ...raw });
  } catch (error) {
    if (error instanceof DumpError && error.code === "CONFIG_INVALID") return error.message;
    throw error;
  }
  throw new Error("nothing was wrong");
}

describe("precedence", () => {
  it("takes the flag over the environment over the default", () => {
    const env = { DEADWAX_CONTRACT: "fanout", DEADWAX_MAX_DEPTH: "10" };
    const config = resolveConfig({ flags: { contract: "topic" }, env });
    expect(config).toMatchObject({ contract: "topic", maxDepth: 10, maxAttributes: 256 });
    expect(config.origins).toMatchObject({ contract: "flag", maxDepth: "env", maxAttributes: "default" });
  });

  it("does not let a wrong variable fail a run that overrides it", () => {
    expect(resolveConfig({ flags: { contract: "topic" }, env: { DEADWAX_CONTRACT: "nonsense" } }).contract).toBe("topic");
  });

  it("treats a variable set to nothing as not set", () => {
    expect(resolveConfig({ flags: {}, env: { DEADWAX_SINK: "", DEADWAX_LIMIT: "" } })).toMatchObject({ sink: ["file:out"], limit: null });
  });

  it("reads switches from both sides", () => {
    expect(resolveConfig({ flags: { force: true }, env: { DEADWAX_FORCE: "false" } }).force).toBe(true);
    expect(resolveConfig({ flags: {}, env: { DEADWAX_FORCE: "yes" } }).force).toBe(true);
    expect(problemsOf({ flags: {}, env: { DEADWAX_FORCE: "maybe" } })).toBe("DEADWAX_FORCE=maybe: give true or false");
  });

  it("freezes what it resolved", () => {
    expect(Object.isFrozen(resolveConfig({ flags: {}, env: {} }))).toBe(true);
  });
});

describe("the sinks", () => {
  const sinks = (flags: RawConfig["flags"], env = {}) => resolveConfig({ flags, env }).sink;

  it("that are brokers are told what consumers hear of changes, unless they say it themselves", () => {
    const env = { CHANGE_NOTIFICATIONS: "summary", CHANGE_TYPE_IN_BODY: "true" };
    expect(sinks({ sink: ["file:a", "amqp://h", "amqps://h/v?change_notifications=off"] }, env)).toEqual([
      "file:a",
      "amqp://h/%2F?change_notifications=summary&change_type_in_body=true",
      "amqps://h/v?change_notifications=off&change_type_in_body=true",
    ]);
    expect(sinks({ sink: ["amqp://h"], changeNotifications: "each" }, { ...env, CHANGE_TYPE_IN_BODY: "" })).toEqual(["amqp://h"]);
    expect(problemsOf({ flags: {}, env: { CHANGE_NOTIFICATIONS: "some" } })).toMatch(/^CHANGE_NOTIFICATIONS=some: .*each, summary/);
  });

  it("come from flags, one each, as they are", () => {
    expect(sinks({ sink: ["file:a", "-", "amqp://h"] })).toEqual(["file:a", "-", "amqp://h"]);
    expect(sinks({ sink: ["file:a null: b"] })).toEqual(["file:a null: b"]);
    expect(sinks({ sink: "file:a b" }, { DEADWAX_SINK: "null:" })).toEqual(["file:a b"]);
  });

  it.each([
    ["file:a null:", ["file:a", "null:"]],
    ["\tfile:a\n  amqps://h\n", ["file:a", "amqps://h"]],
    ["- file:-", ["-", "file:-"]],
    ["file:a -", ["file:a", "-"]],
    // White space belongs to a path unless a sink follows it.
    ["file:/a b/c -d  file:e", ["file:/a b/c -d", "file:e"]],
  ])("come from the variable, separated by white space: %j", (DEADWAX_SINK, expected) => {
    expect(sinks({}, { DEADWAX_SINK })).toEqual(expected);
  });

  it("are refused one by one, and together where one comes twice, without a password", () => {
    const env = { DEADWAX_SINK: "file: amqp://u:canary@h?a=1 null:" };
    expect(problemsOf({ flags: {}, env })).toMatch(/^2 problems: DEADWAX_SINK=file:: sink .*; DEADWAX_SINK=amqp:\/\/u:\*\*\*@h\?a=1: /);
    expect(problemsOf({ flags: { sink: ["file:a", "file:./a/"] } })).toMatch(/^sink file:\/.*\/a is given twice; leave one of them out$/);
    const twice = problemsOf({ flags: { sink: ["amqp://u:canary@h", "amqp://other:canary@h/%2F"] } });
    expect(twice).toMatch(/^sink amqp:\/\/h\S* is given twice/);
    expect(twice).not.toContain("canary");
  });
});

describe("MAX_WORKERS", () => {
  it.each([
    ["3", 3],
    ["+2", 2],
    ["0", 1],
    ["256", 256],
    ["300", 256],
    ["18446744073709551615", 256],
    ["junk", availableParallelism()],
    [" 3", availableParallelism()],
    ["-1", availableParallelism()],
    ["1_0", availableParallelism()],
    ["18446744073709551616", availableParallelism()],
    ["", availableParallelism()],
  ])("%j gives %i threads", (MAX_WORKERS, threads) => {
    expect(resolveConfig({ flags: {}, env: { MAX_WORKERS } }).threads).toBe(threads);
  });

  it("is strict as a flag", () => {
    expect(problemsOf({ flags: { threads: "0" } })).toContain("--threads 0:");
    expect(problemsOf({ flags: { threads: "300" } })).toContain("--threads 300: give a whole number from 1 to 256");
    expect(problemsOf({ flags: { threads: "junk" } })).toContain("--threads junk:");
  });
});

describe("sizes", () => {
  it.each([
    ["4096", 4096],
    ["4K", 4096],
    ["64KiB", 65_536],
    ["2M", 2_097_152],
    ["64MiB", 67_108_864],
  ])("--chunk %s is %i bytes", (chunk, bytes) => {
    expect(resolveConfig({ flags: { chunk }, env: {} }).chunk).toBe(bytes);
  });

  it.each(["4095", "65MiB", "64KB", "2 MiB", "1.5M", "-1", "", "K"])("--chunk %j is refused", (chunk) => {
    expect(problemsOf({ flags: { chunk } })).toContain("4 KiB to 64 MiB");
  });
});

describe("problems", () => {
  it("come in one report", () => {
    const message = problemsOf({ flags: { contract: "x", threads: "0" }, env: { DEADWAX_CHUNK: "1", DEADWAX_TYPO: "1" }, files: [] }, resolveExtractConfig);
    expect(message).toMatch(/^5 problems: /);
    for (const part of ["--contract x:", "--threads 0:", "DEADWAX_CHUNK=1:", "DEADWAX_TYPO:", "nothing to extract"]) expect(message).toContain(part);
  });

  it("show no password", () => {
    const message = problemsOf({ flags: { sink: "amqp://user:se/cr@et@host/?token=hidden" } });
    expect(message).toContain("amqp://user:***@host/?token=***");
    expect(message).not.toMatch(/cr@et|hidden/);
  });

  it("do not stop at variables of others", () => {
    expect(() => resolveConfig({ flags: {}, env: { PATH: "/bin", SINK: "x" } })).not.toThrow();
  });
});

describe("inputs", () => {
  const extract = (files: string[], flags = {}, env = {}) => resolveExtractConfig({ files, flags, env });

  it("are files, a folder or standard input", () => {
    expect(extract(["a.xml"]).files).toEqual(["a.xml"]);
    expect(extract([], { root: "d" }).root).toBe("d");
    expect(extract(["-"], { type: "labels" }).files).toEqual(["-"]);
  });

  it("named as files override the folder of the environment", () => {
    expect(extract(["a.xml"], {}, { DEADWAX_ROOT: "d" }).root).toBeNull();
  });

  it.each([
    [["a.xml"], { root: "d" }, "--root and files"],
    [["-", "a.xml"], {}, "standard input cannot"],
    [["-"], { verify: "full" }, "--verify full"],
    [["a.xml", "b.xml"], { type: "labels" }, "--type: only for one file"],
    [[], {}, "nothing to extract"],
  ])("%j with %j is refused", (files, flags, part) => {
    expect(problemsOf({ files, flags }, resolveExtractConfig)).toContain(part);
  });
});

it("knows whether machines read the output before anything is checked", () => {
  expect(wantsJson({ output: "json" }, {})).toBe(true);
  expect(wantsJson({}, { DEADWAX_OUTPUT: "json" })).toBe(true);
  expect(wantsJson({ output: "text" }, { DEADWAX_OUTPUT: "json" })).toBe(false);
});

describe("the state", () => {
  const flags = { root: "dumps", state: "postgres://me:hunter2@db/discogs" };

  it("may be a database, of which the password is not shown", () => {
    const { state, stateUrl } = resolveExtractConfig({ flags: { ...flags, mode: "incremental" }, env: {} });
    expect([state, stateUrl?.reveal(), String(stateUrl)]).toEqual([null, flags.state, "postgres://me:***@db/discogs"]);
    expect(resolveExtractConfig({ flags: { root: "dumps", state: "folder" }, env: {} })).toMatchObject({ state: "folder", stateUrl: null });
  });

  it("is no database whose URL cannot be read", () => {
    const message = problemsOf({ flags: { ...flags, state: "postgres://db" }, env: {} }, resolveExtractConfig);
    expect(message).toBe("state postgres://db:5432/?schema=public: the user is missing; the database is missing");
  });
});
