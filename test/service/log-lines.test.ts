import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Broker } from "../services/rabbitmq.ts";
import { healthUrl } from "./installation.ts";
import { Scene } from "./scene.ts";

const SIZES = { artists: 3_000, labels: 3_000, masters: 3_000, releases: 3_000 };
/** One file after the other and few messages at a time: when the first file is complete, there is much left to do. */
const SLOWLY = { MAX_WORKERS: "1", DEADWAX_WINDOW_MESSAGES: "50", DEADWAX_CHUNK: "65536" };
const EMOJI = ["🚀", "📥", "📊", "✅", "⚠️", "❌", "🛑", "🎉"];

let broker: Broker;
beforeAll(async () => {
  broker = await Broker.start();
}, 180_000);
afterAll(() => broker[Symbol.asyncDispose]());

test("all that the service writes, from its start to a signal, is one JSON object a line, with upstream's eight emoji", { timeout: 120_000 }, async () => {
  await using scene = await Scene.open(broker, "fanout", null);
  const { published } = scene.installation;
  await scene.installation.publish(SIZES);
  // A setting without effect makes a warning at the start.
  const running = scene.serve({ ...SLOWLY, BATCH_SIZE: "100" });
  const url = await healthUrl(running);
  // A broker that hangs holds the run up until it is long enough to tell its progress, after 10 s.
  await running.logs(/🎉/u);
  broker.hang(true);
  try {
    await running.logs(/📊 Extraction Progress/u);
  } finally {
    broker.hang(false);
  }
  await running.logs(/⏰ Waiting/u);
  // A site that lists nothing any more makes a run that fails.
  for (const name of await readdir(published)) await rm(join(published, name));
  expect((await fetch(`${url}/trigger`, { method: "POST" })).status).toBe(202);
  await running.logs(/❌/u);
  await running.logs(/⏰ Waiting[\s\S]*⏰ Waiting/u);
  running.kill("SIGTERM");
  const { code, stdout, stderr } = await running.ended;
  expect([code, stderr]).toEqual([0, ""]);

  const text = stdout.toString();
  expect(text.endsWith("\n")).toBe(true);
  const lines = text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const form = { level: expect.stringMatching(/^(error|warn|info)$/), time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/), message: expect.any(String) };
  for (const line of lines) expect(line).toMatchObject(form);
  const seen = new Set(lines.map(({ message }) => String(message).split(" ")[0]));
  expect(EMOJI.filter((emoji) => !seen.has(emoji))).toEqual([]);
  expect(String(lines[0]?.["message"])).toMatch(/^🚀 /u);
  expect(String(lines.at(-1)?.["message"])).toMatch(/^🛑 /u);
});
