import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Broker } from "../services/rabbitmq.ts";
import { type Folder, makeDump, temporaryFolder } from "../system/support/dumps.ts";
import { untilSaved } from "../system/support/marker.ts";
import { residentBytes } from "../system/support/procfs.ts";
import { FULL, figure, timeoutMs } from "../system/support/scale.ts";
import { healthUrl } from "./installation.ts";
import { Scene } from "./scene.ts";

const MIB = 2 ** 20;
/** So many that the alarm comes long before the end of the file, though the window and the batches are those of any installation. */
const SIZES = { artists: 10, labels: 10, masters: 10, releases: FULL ? 120_000 : 60_000 };
const TOTAL = Object.values(SIZES).reduce((sum, size) => sum + size);
const ALARM_MS = FULL ? 60_000 : 10_000;
const GROWTH_BYTES_MAX = 50 * MIB;
const LOOK_MS = 100;

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

async function residentOf(pid: number): Promise<number> {
  const memory = await residentBytes(pid);
  if (memory === null) throw new Error("the service has ended");
  return memory.now;
}

test("a memory alarm pauses the parser: memory stays where it was, /health answers, and nothing is lost or sent twice", {
  timeout: timeoutMs(180_000, 300_000),
}, async () => {
  await using scene = await Scene.open(broker, "topic", dumps.path);
  const running = scene.serve();
  const url = await healthUrl(running);
  await running.logs(/🚀 Starting extraction of releases/u);
  await untilSaved(running, scene.root, 4);
  broker.ctl("set_vm_memory_high_watermark", "absolute", "1");
  await running.logs(/memory alarm|low on memory/u);
  const before = await residentOf(running.pid);
  const received = scene.consumer?.deliveries.size ?? 0;
  expect(received).toBeLessThan(TOTAL / 2);
  let peak = before;
  for (const started = performance.now(); performance.now() - started < ALARM_MS; await sleep(LOOK_MS)) {
    peak = Math.max(peak, await residentOf(running.pid));
    expect((await fetch(`${url}/health`)).status).toBe(200);
  }
  const heldBack = TOTAL - (scene.consumer?.deliveries.size ?? 0);
  figure("memory alarm", { seconds: ALARM_MS / 1000, beforeMiB: Math.round(before / MIB), grownMiB: Math.round((peak - before) / MIB), heldBack });
  expect(heldBack).toBeGreaterThan(0);
  expect(peak - before).toBeLessThan(GROWTH_BYTES_MAX);
  broker.ctl("set_vm_memory_high_watermark", "0.4");
  await running.logs(/⏰ Waiting/u);
  await scene.consumer?.drained();
  expect([scene.consumer?.deliveries.size, scene.consumer?.duplicates]).toEqual([TOTAL, 0]);
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
});
