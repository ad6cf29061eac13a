import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { folderOfTest } from "../support/folder.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
/** Nobody listens there. */
const CLOSED = "127.0.0.1:1";

/** The service while it fails, and everything that can be seen of it from outside. */
async function watch(env: Record<string, string>) {
  const root = folderOfTest("canary");
  const settings = { DISCOGS_ROOT: root, DEADWAX_LOG_FILE: `${root}/`, LOG_LEVEL: "DEBUG", HEALTH_PORT: "0", DEADWAX_HEALTH_HOST: "127.0.0.1" };
  const service = spawn(process.execPath, [CLI, "serve"], { cwd: root, env: { PATH: process.env["PATH"], ...settings, ...env } });
  const closed = once(service, "close");
  onTestFinished(() => void service.kill("SIGKILL"));
  const seen: string[] = [];
  const port = new Promise<string>((resolve, reject) => {
    const look = (chunk: Buffer) => {
      seen.push(chunk.toString());
      const [, found] = /listening on [\d.]+:(\d+)/.exec(seen.join("")) ?? [];
      if (found !== undefined) resolve(found);
    };
    service.stdout.on("data", look);
    service.stderr.on("data", look);
    closed.then(() => reject(new Error(`ended before it listened: ${seen.join("")}`)));
  });
  const url = `http://127.0.0.1:${await port}`;
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(url + path, init);
    const text = await response.text();
    seen.push(JSON.stringify([...response.headers]), text);
    return { status: response.status, text };
  };
  await vi.waitFor(async () => expect((await ask("/health")).text).toContain('"error_message"'), { timeout: 60_000, interval: 100 });
  for (const accept of ["text/plain", "application/json"]) await ask("/metrics", { headers: { accept } });
  await ask("/ready");
  expect((await ask("/trigger", { method: "POST", headers: { authorization: "Bearer wrong" } })).status).toBe(401);
  seen.push(execFileSync("ps", ["-ww", "-o", "args=", "-p", String(service.pid)], { encoding: "utf8" }));
  service.kill("SIGTERM");
  const [status] = await closed;
  const files = readdirSync(root, { recursive: true, encoding: "utf8" });
  for (const file of files) seen.push(file, readFileSync(join(root, file), "utf8"));
  return { status, files, seen: seen.join("\n") };
}

describe.skipIf(!existsSync(CLI))("the passwords of a service that fails", () => {
  it.each([
    ["at its broker", { AMQP_CONNECTION: `amqp://user:canary@${CLOSED}/` }, "SINK_UNAVAILABLE"],
    ["at its broker, by upstream's newer variables", { RABBITMQ_HOST: "127.0.0.1", RABBITMQ_PORT: "1", RABBITMQ_PASSWORD: "canary" }, "SINK_UNAVAILABLE"],
    [
      "at one of its sinks",
      { AMQP_CONNECTION: `amqp://user:canary@${CLOSED}/`, DEADWAX_SINK: `null: broker: amqp://user:canary@${CLOSED}/other` },
      "SINK_UNAVAILABLE",
    ],
    [
      "at its proxy",
      { DEADWAX_SINK: "null:", DEADWAX_CONTRACT: "topic", DEADWAX_GAP_MS: "0", HTTPS_PROXY: `http://user:canary@${CLOSED}`, https_proxy: "http://u:canary@h" },
      "SOURCE_UNAVAILABLE",
    ],
  ])("%s are in nothing that can be seen of it", async (_, env, code) => {
    const { status, files, seen } = await watch({ ...env, DEADWAX_TRIGGER_TOKEN: "canary-canary" });
    expect(status).toBe(0);
    expect(files).toContain("extractor.log");
    for (const part of [code, "deadwax_", '"error_message"', "cli.js serve"]) expect(seen).toContain(part);
    expect(seen.toLowerCase()).not.toContain("canary");
    expect(seen).not.toContain(Buffer.from("user:canary").toString("base64"));
  });
});
