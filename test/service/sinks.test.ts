import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Broker } from "../services/rabbitmq.ts";
import { type Folder, makeDump, temporaryFolder, VERSION } from "../system/support/dumps.ts";
import { assertSound, untilSaved } from "../system/support/marker.ts";
import { filesIn } from "../system/support/output.ts";
import { healthUrl } from "./installation.ts";
import { Scene } from "./scene.ts";

const SIZES = { artists: 30, labels: 30, masters: 30, releases: 4_000 };
const SLOWLY = { MAX_WORKERS: "1", DEADWAX_WINDOW_MESSAGES: "20", DEADWAX_CHECKPOINT_RECORDS: "200", DEADWAX_CHUNK: "65536" };

let broker: Broker;
let folder: Folder;
beforeAll(async () => {
  broker = await Broker.start();
  folder = await temporaryFolder();
  await makeDump(join(folder.path, "dumps"), SIZES);
}, 180_000);
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

/** Hash of each record of a type in a folder, by its id. */
async function table(out: string, type: string): Promise<Map<string, string>> {
  const lines = (await readFile(join(out, VERSION, `${type}.ndjson`), "utf8")).trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const { id, sha256 } = JSON.parse(line) as { id: string; sha256: string };
      return [id, sha256];
    }),
  );
}

test("a service brings every record to the broker of its variables and into a folder beside it, also through an outage", { timeout: 180_000 }, async () => {
  await using scene = await Scene.open(broker, "fanout", join(folder.path, "dumps"));
  const out = join(folder.path, "out");
  const running = scene.serve({ ...SLOWLY, DEADWAX_SINK: `file:${out} broker:` });
  const url = await healthUrl(running);
  await running.logs(/🚀 Starting extraction of releases/);
  await untilSaved(running, scene.root, 4);
  const ready = async () => (await fetch(`${url}/ready`)).status;
  expect(await ready()).toBe(200);
  await broker.stop();
  await running.logs(/🔌 Lost the connection to the sink amqp:/);
  expect(await ready()).toBe(503); // though nothing is wrong with the folder
  await broker.restart();
  await running.logs(/⏰ Waiting/);
  expect(await ready()).toBe(200);
  await expect.poll(() => scene.consumer?.deliveries.size, { timeout: 60_000 }).toBe(Object.values(SIZES).reduce((sum, size) => sum + size));
  await scene.consumer?.drained();
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
  for (const [type, size] of Object.entries(SIZES)) {
    const written = await table(out, type);
    expect(written.size).toBe(size);
    expect(scene.consumer?.tables.get(type)).toEqual(written);
  }
  expect(scene.controls("extraction_complete").length).toBeGreaterThan(0);
  await assertSound(scene.root);
  // Everything is done in both, so that the next start does nothing; nor does it with the sinks in another order.
  const before = scene.received;
  expect(await scene.once({ DEADWAX_SINK: `broker: file:${out}` })).not.toContain("Starting extraction");
  expect(scene.received).toEqual(before);
  expect(await filesIn(out)).toEqual(Object.keys(SIZES).map((type) => `${VERSION}/${type}.ndjson`));
});
