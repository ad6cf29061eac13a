import { afterAll, beforeAll, expect, test } from "vitest";
import { Broker } from "../services/rabbitmq.ts";
import type { Running } from "../system/support/deadwax.ts";
import { type Folder, makeDump, temporaryFolder, VERSION } from "../system/support/dumps.ts";
import { assertSound, fileState, untilSaved } from "../system/support/marker.ts";
import { figure } from "../system/support/scale.ts";
import { healthUrl } from "./installation.ts";
import { Scene } from "./scene.ts";

const SIZES = { artists: 10, labels: 10, masters: 10, releases: 6_000 };
const TOTAL = Object.values(SIZES).reduce((sum, size) => sum + size);
const RELEASES = `discogs_${VERSION}_releases.xml.gz`;
const WINDOW = 20;
/** A small window, so that the broker goes away long before the file ends. */
const SLOWLY = { MAX_WORKERS: "1", DEADWAX_WINDOW_MESSAGES: String(WINDOW), DEADWAX_CHECKPOINT_RECORDS: "200", DEADWAX_CHUNK: "65536" };
const OUTAGE_MS = 12_000;
const DRAIN_MS = 3_000;
const LIMIT = { timeout: 120_000 };

let broker: Broker;
let dumps: Folder;
beforeAll(async () => {
  broker = await Broker.start();
  dumps = await temporaryFolder();
  await makeDump(dumps.path, SIZES);
}, 180_000);
afterAll(async () => {
  await dumps[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

async function ready(url: string): Promise<[number, string]> {
  const answer = await fetch(`${url}/ready`);
  return [answer.status, await answer.text()];
}

/** Starts the service and waits until records of the large file flow and checkpoints are saved. */
async function inTheMiddle(scene: Scene, env: Record<string, string> = {}): Promise<{ running: Running; url: string }> {
  const running = scene.serve({ ...SLOWLY, ...env });
  const url = await healthUrl(running);
  await running.logs(/🚀 Starting extraction of releases/);
  await untilSaved(running, scene.root, 4);
  return { running, url };
}

/** Ordinals of the large file that no consumer got. */
function missing(scene: Scene): number {
  let count = 0;
  for (let ordinal = 0; ordinal < SIZES.releases; ordinal += 1) if (scene.consumer?.deliveries.has(`${VERSION}/releases/${ordinal}`) !== true) count += 1;
  return count;
}

test("a broker that stops in the middle of a file and comes back loses nothing, and /ready tells meanwhile", LIMIT, async () => {
  await using scene = await Scene.open(broker, "fanout", dumps.path);
  const { running, url } = await inTheMiddle(scene);
  expect((await ready(url))[0]).toBe(200);
  const during = (await (await fetch(`${url}/health`)).json()) as Record<string, unknown>;
  expect(during).toMatchObject({ extraction_status: "running", current_task: "Processing releases" });
  const stoppedMs = performance.now();
  await broker.stop();
  await running.logs(/🔄 Connecting again[^\n]*attempt 4\)/u);
  expect(await ready(url)).toEqual([503, JSON.stringify({ reason: "the connection to the sink is lost" })]);
  expect((await (await fetch(`${url}/health`)).json()) as object).toMatchObject({ status: "healthy", extraction_status: "running" });
  await expect.poll(() => performance.now() - stoppedMs, { timeout: 2 * OUTAGE_MS, interval: 200 }).toBeGreaterThan(OUTAGE_MS);
  expect((await ready(url))[0]).toBe(503);
  await broker.restart();
  await running.logs(/Connecting again[\s\S]*🔗 Connected/u);
  await expect.poll(async () => (await ready(url))[0]).toBe(200);
  await running.logs(/⏰ Waiting/);
  await expect.poll(() => scene.consumer?.deliveries.size, { timeout: 30_000 }).toBe(TOTAL);
  await scene.consumer?.drained();
  const repeated = [...(scene.consumer?.deliveries.values() ?? [])].filter((times) => times > 1).length;
  expect(missing(scene)).toBe(0);
  const sentTwice = repeated - (scene.consumer?.redelivered ?? 0); // the broker gives what was not acknowledged once more
  figure("outage", { lost: missing(scene), repeated, sentTwice, window: WINDOW });
  expect(sentTwice).toBeLessThanOrEqual(WINDOW);
  const waits = [...running.log.matchAll(/"waitMs":(\d+)/g)].map(([, ms]) => Number(ms));
  expect(waits.length).toBeGreaterThanOrEqual(4);
  expect(Math.max(...waits)).toBeGreaterThan(4 * (waits[0] ?? 0));
  expect(Math.max(...waits)).toBeLessThanOrEqual(5_000);
  expect(scene.controls("extraction_complete").map(({ body }) => body["record_counts"])).toContainEqual(SIZES);
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
});

test("a signal while the broker is away: the second one ends at once, and nothing is lost", LIMIT, async () => {
  await using scene = await Scene.open(broker, "topic", dumps.path);
  const { running, url } = await inTheMiddle(scene);
  await broker.crash();
  await running.logs(/🔄 Connecting again/);
  expect((await ready(url))[0]).toBe(503);
  running.kill("SIGTERM");
  await running.logs(/🛑 SIGTERM: stopping/u);
  const started = performance.now();
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(0); // as after any signal
  expect(performance.now() - started).toBeLessThan(5_000);
  await assertSound(scene.root);
  const before = await fileState(scene.root, RELEASES);
  expect(before?.checkpoint?.ordinal).toBeGreaterThan(0);
  await broker.restart();
  const again = scene.serve(SLOWLY);
  await again.logs(/🔄 Resuming/u);
  await again.logs(/⏰ Waiting/);
  await expect.poll(() => scene.consumer?.deliveries.size, { timeout: 30_000 }).toBe(TOTAL);
  expect(missing(scene)).toBe(0);
  again.kill("SIGTERM");
  expect((await again.ended).code).toBe(0);
});

test("one signal while the broker is away: ends within the time to drain, with a state to go on from", LIMIT, async () => {
  await using scene = await Scene.open(broker, "topic", dumps.path);
  const { running } = await inTheMiddle(scene, { DEADWAX_DRAIN_TIMEOUT_MS: String(DRAIN_MS) });
  await broker.crash();
  await running.logs(/🔄 Connecting again/);
  const started = performance.now();
  running.kill("SIGTERM");
  const { code } = await running.ended;
  expect(code).toBe(0);
  expect(performance.now() - started).toBeLessThan(DRAIN_MS + 5_000);
  await assertSound(scene.root);
  expect((await fileState(scene.root, RELEASES))?.checkpoint?.ordinal).toBeGreaterThan(0);
  await broker.restart();
});

test("a broker that takes nothing stalls the file: /ready tells, and no longer once records flow again", LIMIT, async () => {
  await using scene = await Scene.open(broker, "fanout", dumps.path);
  // Slower yet: rabbitmqctl starts a virtual machine, which takes ten seconds on a busy one, and the file must not have ended by then.
  const { running, url } = await inTheMiddle(scene, { DEADWAX_STALL_SECONDS: "1", DEADWAX_WINDOW_MESSAGES: "1" });
  broker.ctl("set_vm_memory_high_watermark", "absolute", "1");
  expect(running.log).not.toMatch(/⏰ Waiting/u);
  await running.logs(/⚠️ Stalled extractors detected: \[\\"releases\\"\]/u);
  expect(await ready(url)).toEqual([503, JSON.stringify({ reason: "no new record for a long time: releases" })]);
  broker.ctl("set_vm_memory_high_watermark", "0.4");
  await running.logs(/🔄 Records of releases come again/u);
  await expect.poll(async () => (await ready(url))[0]).toBe(200);
  await running.logs(/⏰ Waiting/);
  await scene.consumer?.drained();
  expect([missing(scene), scene.consumer?.duplicates]).toEqual([0, 0]);
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
});
