import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { BATCH_SIZE_MAX, prefetchOf } from "../../src/consume/prefetch.ts";
import { CONTRACTS, type Contract, DATA_TYPES } from "../../src/model.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { until } from "../sink/sink-events.ts";
import { ids, namesOf, publish, RunningConsumer, records } from "./scene.ts";

const START_MS = 300_000;
const EVERY_MS = 60_000;
const EXTRACTION = { type: "extraction_complete", version: "20260801", timestamp: "2026-08-02T00:00:00Z", started_at: "2026-08-01T00:00:00Z" };
const COUNTS = { artists: 25, labels: 0, masters: 0, releases: 0 };

let host: VirtualHost;
beforeAll(async () => {
  host = await VirtualHost.create(await sharedBroker());
}, START_MS);
afterEach(() => host.empty());
afterAll(() => host[Symbol.asyncDispose]());

async function start(contract: Contract, options: ConstructorParameters<typeof RunningConsumer>[2] = {}, settings = {}): Promise<RunningConsumer> {
  const consumer = new RunningConsumer(host.url(settings), contract, options);
  await until(() => consumer.events.count("subscribed") === DATA_TYPES.length);
  return consumer;
}

/** Resolves once so many messages of a queue are with nobody: a queue takes back what a channel leaves in its own time. */
async function holds(name: string, messages: number): Promise<void> {
  await until(async () => (await host.depth(name)) === messages);
}

interface Queue {
  readonly name: string;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
}

/** What the management API knows of a queue; it is seconds behind. */
async function queue(name: string): Promise<Queue> {
  return await host.api<Queue>("GET", `queues/${host.name}/${name}`);
}

describe("prefetch", () => {
  test.each([
    [1, 200],
    [100, 200],
    [101, 202],
    [500, 1000],
    [BATCH_SIZE_MAX, 65_534],
  ])("for batches of %i is %i", (batchSize, prefetch) => expect(prefetchOf(batchSize)).toBe(prefetch));

  test.each([0, BATCH_SIZE_MAX + 1])("for batches of %i there is none", (batchSize) => expect(() => prefetchOf(batchSize)).toThrow("no prefetch"));

  test("is what may be unacknowledged of a queue: nothing more is held in memory", { timeout: EVERY_MS }, async () => {
    await using consumer = await start("topic", { batchSize: 150, flushIntervalMs: EVERY_MS });
    consumer.target.isDown = true;
    await publish(host, "topic", "artists", records(0, 1050));
    const { queue: name } = namesOf("topic", "artists");
    await until(() => consumer.events.messages === prefetchOf(150));
    await until(async () => (await queue(name)).messages_unacknowledged === 300);
    expect(await host.depth(name)).toBe(750);
    expect(consumer.target.held).toBe(150);
    consumer.target.isDown = false;
    await until(() => consumer.target.ids("artists").length === 1050);
    expect(consumer.target.duplicates).toBe(0);
    expect(consumer.events.messages).toBe(1050);
  });
});

describe.each(CONTRACTS)("%s", (contract) => {
  test("commits every record once, in order, in batches, and acknowledges them", async () => {
    await using consumer = await start(contract);
    for (const type of DATA_TYPES) await publish(host, contract, type, records(0, 95));
    await until(() => DATA_TYPES.every((type) => consumer.target.ids(type).length === 95));
    for (const type of DATA_TYPES) expect(consumer.target.ids(type)).toEqual(ids(0, 95));
    expect(consumer.target.duplicates).toBe(0);
    expect(consumer.target.held).toBe(10);
    await consumer.stop();
    for (const type of DATA_TYPES) await holds(namesOf(contract, type).queue, 0);
  });

  test("commits what is there when the interval is over, in one batch", async () => {
    await using consumer = await start(contract, { batchSize: 100, flushIntervalMs: 300 });
    const started = performance.now();
    await publish(host, contract, "labels", records(0, 7));
    await until(() => consumer.target.calls.length > 0);
    expect(performance.now() - started).toBeGreaterThanOrEqual(290);
    expect(consumer.target.calls).toEqual([`labels commit ${ids(0, 7).join(" ")}`]);
  });

  test("handles control messages once everything before them is committed, and acknowledges them then", async () => {
    await using consumer = await start(contract, { batchSize: 10, flushIntervalMs: 60_000 });
    let open = () => {};
    consumer.target.gate = new Promise((resolve) => {
      open = resolve;
    });
    const end = { type: "file_complete", data_type: "artists", timestamp: "2026-08-01T10:00:00Z", total_processed: 25, file: "a.xml.gz" };
    await publish(host, contract, "artists", [...records(0, 25), end, { ...EXTRACTION, record_counts: COUNTS }, ...records(25, 3)]);
    await until(() => consumer.events.messages === 30);
    expect(consumer.target.calls).toEqual([]);
    open();
    consumer.target.gate = null;
    await until(() => consumer.target.extractions.length === 1);
    expect(consumer.target.calls).toEqual([
      `artists commit ${ids(0, 10).join(" ")}`,
      `artists commit ${ids(10, 10).join(" ")}`,
      `artists commit ${ids(20, 5).join(" ")}`,
      "artists file_complete a.xml.gz",
      "artists extraction_complete 20260801",
    ]);
    const message = { version: "20260801", startedAt: "2026-08-01T00:00:00Z", recordCounts: COUNTS };
    expect(consumer.target.extractions).toEqual([{ dataType: "artists", message, deadLettered: false }]);
    await consumer.stop();
    await holds(namesOf(contract, "artists").queue, 3); // those behind wait for the interval
  });

  test.each([true, false])("gives the poison record alone to the dead letters, and commits its neighbours once; named: %s", async (names) => {
    await using consumer = await start(contract, { batchSize: 50 });
    consumer.target.names = names;
    for (const id of ["0", "17", "18", "49", "120"]) consumer.target.poison.add(id);
    const { queue: name } = namesOf(contract, "releases");
    await publish(host, contract, "releases", [...records(0, 130), { ...EXTRACTION, record_counts: COUNTS }, { ...EXTRACTION, record_counts: COUNTS }]);
    await until(() => consumer.target.extractions.length === 2);
    expect([...consumer.target.ids("releases")].sort()).toEqual(
      ids(0, 130)
        .filter((id) => !consumer.target.poison.has(id))
        .sort(),
    );
    expect(consumer.target.duplicates).toBe(0);
    expect(consumer.target.extractions.map(({ deadLettered }) => deadLettered)).toEqual([true, false]);
    await holds(`${name}.dlq`, 5);
    const letters = await host.drain(`${name}.dlq`);
    expect(letters.map(({ messageId, body }) => [messageId, JSON.parse(body.toString()).id])).toEqual(
      ["0", "17", "18", "49", "120"].map((id) => [`20260801/releases/${id}`, id]),
    );
    expect(consumer.events.deadLetters.map(({ messageId, queue: from }) => [messageId, from])).toEqual(letters.map(({ messageId }) => [messageId, name]));
    const reasons = consumer.events.deadLetters.map(({ reason }) => reason);
    expect(reasons).toEqual(names ? ["0", "17", "18", "49", "120"].map((id) => `${id} is poison`) : Array(5).fill("poison"));
    if (contract === "topic") expect(letters.map(({ headers }) => headers?.["x-deadwax-reason"])).toEqual(reasons);
    await consumer.stop();
    await holds(name, 0);
  });

  test.each([
    ["no JSON", "{", "the body is not JSON"],
    ["an array", "[]", "the body is not a JSON object"],
    ["another type", { type: "surprise" }, 'the type "surprise" is not known'],
    ["a type that is no string", { type: 7 }, "the type 7 is not known"],
    ["extraction_complete without a version", { type: "extraction_complete", record_counts: {} }, "extraction_complete: version is not a string"],
    [
      "extraction_complete with a count that is none",
      { ...EXTRACTION, record_counts: { artists: -1 } },
      "extraction_complete: record_counts.artists is not a count",
    ],
    ["extraction_complete at no time", { ...EXTRACTION, started_at: "soon", record_counts: {} }, "extraction_complete: started_at is not a time"],
    ["file_complete of no file", { type: "file_complete", file: 1 }, "file_complete: file is not a string"],
  ])("gives %s to the dead letters", async (_, body, reason) => {
    await using consumer = await start(contract);
    await publish(host, contract, "masters", [...records(0, 3), body, ...records(3, 3)]);
    await until(() => consumer.target.ids("masters").length === 6 && consumer.events.deadLetters.length === 1);
    expect(consumer.events.deadLetters).toMatchObject([{ dataType: "masters", messageId: "20260801/masters/3", reason }]);
    await holds(`${namesOf(contract, "masters").queue}.dlq`, 1);
    const letters = await host.drain(`${namesOf(contract, "masters").queue}.dlq`);
    expect(letters.map((letter) => letter.body.toString())).toEqual([typeof body === "string" ? body : JSON.stringify(body)]);
    expect(consumer.target.calls.filter((call) => !call.includes("commit"))).toEqual([]);
  });

  test("takes records of publishers that say neither type nor encoding", async () => {
    await using consumer = await start(contract);
    const { exchange, routingKey } = namesOf(contract, "artists");
    const channel = await host.channel();
    await channel.confirmSelect();
    await channel.basicPublish({ exchange, routingKey, contentType: "application/json" }, Buffer.from('{\n  "id": "7",\n  "sha256": "x"\n}'));
    await until(() => consumer.target.ids("artists").length === 1);
    expect(consumer.target.ids("artists")).toEqual(["7"]);
  });

  test("keeps everything unacknowledged while the target is away, and commits it once afterwards", async () => {
    await using consumer = await start(contract);
    consumer.target.isDown = true;
    await publish(host, contract, "artists", records(0, 60));
    await until(() => consumer.events.waits.length >= 2);
    expect(consumer.events.waits.slice(0, 2)).toEqual([1000, 2000]);
    expect(consumer.events.redelivered).toBe(0);
    consumer.target.isDown = false;
    await until(() => consumer.target.ids("artists").length === 60);
    expect(consumer.target.ids("artists")).toEqual(ids(0, 60));
    expect(consumer.target.duplicates + consumer.events.redelivered + consumer.events.deadLetters.length).toBe(0);
    expect(consumer.events.count("available artists")).toBe(1);
  });

  test("stops while the target is away, and what was not committed comes again", async () => {
    await using consumer = await start(contract);
    consumer.target.isDown = true;
    await publish(host, contract, "artists", records(0, 60));
    await until(() => consumer.events.waits.length >= 1);
    const started = performance.now();
    await consumer.stop();
    expect(performance.now() - started).toBeLessThan(5000);
    await holds(namesOf(contract, "artists").queue, 60);
    const again = (await host.drain(namesOf(contract, "artists").queue)).map(({ body }) => JSON.parse(body.toString()).id);
    expect(again).toEqual(ids(0, 60));
  });

  test("finishes the commit under way when it is stopped, and acknowledges just that", async () => {
    await using consumer = await start(contract);
    let open = () => {};
    consumer.target.gate = new Promise((resolve) => {
      open = resolve;
    });
    await publish(host, contract, "artists", records(0, 35));
    await until(() => consumer.target.attempts === 1 && consumer.events.messages === 35);
    const stopped = consumer.stop();
    open();
    await stopped;
    expect(consumer.target.ids("artists")).toEqual(ids(0, 10));
    await holds(namesOf(contract, "artists").queue, 25);
    const rest = (await host.drain(namesOf(contract, "artists").queue)).map(({ body }) => JSON.parse(body.toString()).id);
    expect(rest).toEqual(ids(10, 25));
  });

  test("subscribes again when its queue is deleted", async () => {
    await using consumer = await start(contract);
    const { queue: name } = namesOf(contract, "artists");
    await (await host.channel()).queueDelete({ queue: name });
    await until(() => consumer.events.count("subscribed artists") === 2);
    expect(consumer.events.told).toContain("unsubscribed artists: the broker has cancelled the consumer");
    await publish(host, contract, "artists", records(0, 5));
    await until(() => consumer.target.ids("artists").length === 5);
    expect(consumer.events.count("subscribed labels")).toBe(1);
  });

  test("connects and subscribes again when its connection is closed, and what was not acknowledged comes again", async () => {
    await using consumer = await start(contract);
    let open = () => {};
    consumer.target.gate = new Promise((resolve) => {
      open = resolve;
    });
    await publish(host, contract, "artists", records(0, 35));
    await until(() => consumer.target.attempts === 1 && consumer.events.messages === 35);
    await closeConnections();
    await until(() => consumer.events.count("lost") === 1);
    open();
    consumer.target.gate = null;
    await until(() => consumer.events.count("subscribed artists") === 2 && consumer.target.ids("artists").length === 35);
    expect(consumer.target.ids("artists")).toEqual(ids(0, 35));
    expect(consumer.target.duplicates).toBe(10); // the batch that was committed, but could not be acknowledged
    await consumer.stop();
    await holds(namesOf(contract, "artists").queue, 0);
  });
});

/** Has the broker close the connections of consumers. */
async function closeConnections(): Promise<void> {
  let closed = 0;
  await until(async () => {
    for (const { name, client_properties: client } of await host.api<{ name: string; client_properties: { connection_name?: string } }[]>(
      "GET",
      `vhosts/${host.name}/connections`,
    )) {
      if (client.connection_name !== "deadwax") continue;
      await host.api("DELETE", `connections/${encodeURIComponent(name)}`).catch(() => {});
      closed += 1;
    }
    return closed > 0;
  });
}
