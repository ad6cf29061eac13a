import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Broker } from "../services/rabbitmq.ts";
import { targets } from "../source/discogs/scripted-server.ts";
import { extract } from "../system/support/deadwax.ts";
import { dumpPath, VERSION } from "../system/support/dumps.ts";
import { markerPath, readMarker } from "../system/support/marker.ts";
import { healthUrl, Installation } from "./installation.ts";
import { Scene, TYPES } from "./scene.ts";
import { tableDigest, UpstreamConsumer } from "./upstream-consumer.ts";

const SIZES = { artists: 300, labels: 400, masters: 200, releases: 500 };
/** So many that a run can be broken off. */
const MORE = { artists: 3_000, labels: 3_000, masters: 3_000, releases: 3_000 };
const NEXT_VERSION = "20260901";
/** Records of each type that the next version does not have any more. */
const LACKING = 3;

let broker: Broker;
beforeAll(async () => {
  broker = await Broker.start();
}, 180_000);
afterAll(() => broker[Symbol.asyncDispose]());

describe.each(["topic", "fanout"] as const)("%s", (contract) => {
  test("an upstream installation's consumers are filled, told, and left alone when nothing is new", { timeout: 180_000 }, async () => {
    await using installation = await Installation.create(broker);
    await installation.publish(SIZES);
    await installation.freshRoot(contract);
    await using consumer = await UpstreamConsumer.start(`${broker.address.amqp}/%2F`, contract);
    const running = installation.serve(contract);
    const url = await healthUrl(running);
    await running.logs(/⏰ Waiting 15 days/);
    await consumer.drained();

    expect(consumer.deadLetters).toEqual([]);
    expect(consumer.duplicates).toBe(0);
    for (const type of TYPES) expect([type, consumer.tables.get(type)?.size]).toEqual([type, SIZES[type]]);
    const completed = consumer.controls.filter(({ type }) => type === "file_complete").map(({ body }) => [body["data_type"], body["total_processed"]]);
    expect(completed.sort()).toEqual(TYPES.map((type) => [type, SIZES[type]]));
    const announced = consumer.controls.filter(({ type }) => type === "extraction_complete");
    expect(announced.map(({ from }) => from).sort()).toEqual(contract === "topic" ? [] : [...TYPES]);
    const marker = await readMarker(installation.root);
    for (const { body } of announced) {
      expect(body).toMatchObject({ version: VERSION, record_counts: SIZES, started_at: marker.processing_phase.started_at });
    }
    expect(marker.summary).toMatchObject({ overall_status: "completed", files_by_type: Object.fromEntries(TYPES.map((type) => [type, "completed"])) });
    const health = (await (await fetch(`${url}/health`)).json()) as { status: string };
    expect(health.status).toBe("healthy");
    expect((await fetch(`${url}/ready`)).status).toBe(200);

    const served = installation.site.bytesServed();
    expect((await fetch(`${url}/trigger`, { method: "POST" })).status).toBe(202);
    await running.logs(/✅ Version 20260801 is complete already/);
    await consumer.drained();
    expect(consumer.duplicates).toBe(0);
    expect(installation.site.bytesServed() - served).toBeLessThan(10_000); // pages only

    running.kill("SIGTERM");
    expect((await running.ended).code).toBe(0);
  });
});

test("records that a new version lacks, and no others, are deleted by consumers, though its run was broken off", { timeout: 180_000 }, async () => {
  await using scene = await Scene.open(broker, "fanout", null);
  const { installation, consumer } = scene;
  if (consumer === null) throw new Error("the scene has no consumers");
  await installation.publish(MORE);
  await scene.once();
  const before = new Map(TYPES.map((type) => [type, [...(consumer.tables.get(type)?.keys() ?? [])]]));
  expect([...consumer.purged.values()].flat()).toEqual([]);

  const fewer = Object.fromEntries(TYPES.map((type) => [type, MORE[type] - LACKING]));
  await installation.publish({ ...fewer, version: NEXT_VERSION });
  const brokenOff = scene.serve({ MAX_WORKERS: "1", DEADWAX_WINDOW_MESSAGES: "50", DEADWAX_CHUNK: "65536" });
  await brokenOff.logs(/🎉/u);
  brokenOff.kill("SIGTERM");
  expect((await brokenOff.ended).code).toBe(0);
  expect(brokenOff.log).not.toContain("🏁");
  // What came before the break is as much of this version as what comes after it: `started_at` is that of the first start.
  await scene.once();
  expect(consumer.vetoes).toEqual([]);
  for (const type of TYPES) {
    const ids = before.get(type) ?? [];
    expect([type, consumer.purged.get(type)]).toEqual([type, ids.slice(-LACKING)]);
    expect([...(consumer.tables.get(type)?.keys() ?? [])]).toEqual(ids.slice(0, -LACKING));
  }
});

test("what is published equals what the file sink writes", { timeout: 180_000 }, async () => {
  await using installation = await Installation.create(broker);
  await installation.publish(SIZES);
  await installation.freshRoot("equal");
  await using consumer = await UpstreamConsumer.start(`${broker.address.amqp}/%2F`, "topic");
  const running = installation.serve("topic");
  await running.logs(/⏰ Waiting 15 days/);
  await consumer.drained();
  const files = TYPES.map((type) => dumpPath(installation.published, type));
  const { report } = await extract([...files, "--sink", "null:"]);
  const own = (await readMarker(installation.root)).deadwax;
  for (const type of TYPES) {
    const file = `discogs_${VERSION}_${type}.xml.gz`;
    expect([type, own.runs[own.active ?? ""]?.files[file]?.digest]).toEqual([type, report.types[type]?.digest]);
    expect(tableDigest(consumer.tables.get(type) ?? new Map())).toMatch(/^[0-9a-f]{64}$/);
  }
  expect(markerPath(installation.root)).toContain(VERSION);
});

test("where the CHECKSUM cannot be had, a restart keeps the dumps and goes on", { timeout: 180_000 }, async () => {
  await using installation = await Installation.create(broker);
  await installation.publish(SIZES);
  await installation.freshRoot("no-checksum");
  const name = `discogs_${VERSION}_CHECKSUM.txt`;
  installation.site.script(targets.file(name), { status: 404, body: "gone" });
  await using consumer = await UpstreamConsumer.start(`${broker.address.amqp}/%2F`, "topic");
  const first = installation.serve("topic", { FAULT_PLAN: "file-announced kill 1" }, ["--conditions=deadwax-faults"]);
  expect((await first.ended).signal).toBe("SIGKILL");
  const isDump = ({ target }: { target: string }) => target.includes(".xml.gz");
  const served = installation.site.bytesServed(isDump);
  expect(served).toBeGreaterThan(0);
  for (let start = 0; start < 2; start += 1) {
    const running = installation.serve("topic");
    await running.logs(/⏰ Waiting/);
    expect(running.log).not.toContain("removed and downloaded again");
    running.kill("SIGTERM");
    expect((await running.ended).code).toBe(0);
  }
  expect(installation.site.bytesServed(isDump)).toBe(served);
  await consumer.drained();
  for (const type of TYPES) expect([type, consumer.tables.get(type)?.size]).toEqual([type, SIZES[type]]);
});
