import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { ServeFlags } from "../../src/config/serve.ts";
import { resolveServeConfig } from "../../src/config.ts";
import { DumpError } from "../../src/errors.ts";
import { folderOfFile } from "../support/folder.ts";

const FOLDER = folderOfFile("canary");
/** Passwords that begin alike, so that one search finds them all. */
const CANARIES = ["canary", "canary/p@ss", "canary:#?&x=1", "canary%zz", "canary\ncanary", " canary ", "canary'\"{}"];

/** Environments and flags that hold a password somewhere, soundly or not. */
function holders(canary: string): [name: string, env: Record<string, string>, flags: ServeFlags][] {
  const file = join(FOLDER, String(CANARIES.indexOf(canary)));
  writeFileSync(file, canary);
  const fanout = { RABBITMQ_HOST: "h" };
  return [
    ["AMQP_CONNECTION", { AMQP_CONNECTION: `amqp://user:${canary}@h/` }, {}],
    ["AMQP_CONNECTION, encoded", { AMQP_CONNECTION: `amqp://user:${encodeURIComponent(canary)}@h/` }, {}],
    ["AMQP_CONNECTION without a host", { AMQP_CONNECTION: `amqp://user:${canary}` }, {}],
    ["AMQP_CONNECTION without a scheme", { AMQP_CONNECTION: `user:${canary}@h` }, {}],
    ["AMQP_CONNECTION that is the password", { AMQP_CONNECTION: canary }, {}],
    ["AMQP_CONNECTION beside the other contract", { AMQP_CONNECTION: `amqp://user:${encodeURIComponent(canary)}@h/`, ...fanout }, {}],
    ["AMQP_CONNECTION beside a wrong flag", { AMQP_CONNECTION: `amqp://user:${encodeURIComponent(canary)}@h/` }, { healthPort: "x" }],
    ["RABBITMQ_PASSWORD", { RABBITMQ_PASSWORD: canary }, {}],
    ["RABBITMQ_PASSWORD beside a wrong port", { RABBITMQ_PASSWORD: canary, RABBITMQ_PORT: "x" }, {}],
    ["RABBITMQ_PASSWORD_FILE", { RABBITMQ_PASSWORD_FILE: file }, {}],
    ["RABBITMQ_PASSWORD_FILE that is the password", { RABBITMQ_PASSWORD_FILE: canary }, {}],
    ["RABBITMQ_HOST with the URL", { RABBITMQ_HOST: `amqp://user:${canary}@h` }, {}],
    ["RABBITMQ_PORT with half a URL", { RABBITMQ_PORT: `5672@user:${canary}` }, {}],
    ["DEADWAX_TRIGGER_TOKEN", { ...fanout, DEADWAX_TRIGGER_TOKEN: `${canary}-long-enough` }, {}],
    ["DEADWAX_TRIGGER_TOKEN that is too short", { ...fanout, DEADWAX_TRIGGER_TOKEN: canary.slice(0, 7) }, {}],
    ["DEADWAX_TRIGGER_TOKEN_FILE", { ...fanout, DEADWAX_TRIGGER_TOKEN_FILE: file }, {}],
    ["HTTP_PROXY", { ...fanout, HTTP_PROXY: `http://user:${encodeURIComponent(canary)}@h` }, {}],
    ["HTTPS_PROXY that is no URL", { ...fanout, HTTPS_PROXY: `socks5://user:${canary}@h` }, {}],
    ["http_proxy without a scheme", { ...fanout, http_proxy: `user:${canary}@h` }, {}],
    ["DEADWAX_SOURCE_URL", { ...fanout, DEADWAX_SOURCE_URL: `https://user:${canary}@h/` }, {}],
    ["DEADWAX_SINK", { ...fanout, DEADWAX_SINK: `amqp://user:${canary}@h/` }, {}],
    ["DEADWAX_SINK among others", { ...fanout, DEADWAX_SINK: `broker: amqp://user:${canary}@h/ file:out` }, {}],
    ["DEADWAX_SINK twice", { ...fanout, DEADWAX_SINK: `amqp://user:${canary}@h/ amqp://other:${canary}@h/` }, {}],
    ["DEADWAX_SINK without a host among others", { ...fanout, DEADWAX_SINK: `null: amqp://user:${canary} file:out` }, {}],
    ["DEADWAX_SINK without a host", { ...fanout, DEADWAX_SINK: `amqp://user:${canary}` }, {}],
    ["--sink several times", fanout, { sink: ["broker:", `amqps://user:${canary}@h/?token=${canary}`, `amqp://user:${canary}`] }],
    ["--sink", fanout, { sink: `amqps://user:${canary}@h/?token=${canary}` }],
  ];
}

const CASES = CANARIES.flatMap((canary) => holders(canary).map(([name, env, flags]) => ({ name, canary, env, flags })));

/** All that could reach a log or a screen: what validate prints, or the error with all it carries. */
function shown(env: Record<string, string>, flags: ServeFlags): string {
  const texts: string[] = [];
  try {
    const config = resolveServeConfig({ flags, env });
    texts.push(JSON.stringify(config), inspect(config, { depth: 9, showHidden: true }), String(config.sinkUrls), config.warnings.join());
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    texts.push(error.message, inspect(error, { depth: 9 }), JSON.stringify(error));
  }
  return texts.join("\n");
}

describe("a password is in nothing that is printed", () => {
  it("is asked of many combinations", () => {
    expect(CASES.length).toBeGreaterThan(40);
  });

  it.each(CASES)("$name: $canary", ({ env, flags }) => {
    const text = shown(env, flags);
    expect(text).not.toBe("");
    expect(text.toLowerCase()).not.toContain("canary");
  });
});
