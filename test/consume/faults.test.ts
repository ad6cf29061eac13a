import { afterAll, beforeAll, expect, test } from "vitest";
import { prefetchOf } from "../../src/consume/prefetch.ts";
import { DATA_TYPES } from "../../src/model.ts";
import { Broker } from "../services/rabbitmq.ts";
import { VirtualHost } from "../services/virtual-host.ts";
import { until } from "../sink/sink-events.ts";
import { cases } from "../system/support/scale.ts";
import { ids, namesOf, publish, RunningConsumer, records } from "./scene.ts";

const START_MS = 300_000;
const BATCH = 50;

let broker: Broker;
beforeAll(async () => {
  broker = await Broker.start();
}, START_MS);
afterAll(() => broker[Symbol.asyncDispose]());

async function start(host: VirtualHost, contract: "topic" | "fanout"): Promise<RunningConsumer> {
  const consumer = new RunningConsumer(host.url(), contract, { batchSize: BATCH });
  await until(() => consumer.events.count("subscribed") >= DATA_TYPES.length);
  return consumer;
}

/** Publishes records until it is stopped, each until the broker has it; a cut connection costs a repetition. */
async function publishUntil(host: VirtualHost, contract: "topic" | "fanout", stop: () => boolean): Promise<number> {
  let first = 0;
  while (!stop()) {
    const sent = await publish(host, contract, "artists", records(first, 100), first).then(
      () => true,
      () => false,
    );
    if (sent) first += 100;
  }
  return first;
}

test("loses nothing when the broker is stopped and started, then killed and started, and goes on by itself", { timeout: START_MS }, async () => {
  await using host = await VirtualHost.create(broker.address);
  await using consumer = await start(host, "topic");
  let done = false;
  const publishing = publishUntil(host, "topic", () => done);
  for (const end of [() => broker.stop(), () => broker.crash()]) {
    const before = consumer.target.ids("artists").length;
    await until(() => consumer.target.ids("artists").length > before + 500);
    const tries = consumer.events.count("reconnecting");
    await end();
    await until(() => consumer.events.count("reconnecting") > tries);
    await broker.restart();
    const behind = consumer.target.ids("artists").length;
    await until(() => consumer.target.ids("artists").length > behind + 500);
  }
  done = true;
  const count = await publishing;
  await until(() => consumer.target.ids("artists").length === count);
  expect(consumer.target.ids("artists").sort()).toEqual(ids(0, count).sort());
  expect(consumer.events.deadLetters).toEqual([]);
  for (const type of DATA_TYPES) expect(consumer.events.count(`subscribed ${type}`)).toBeGreaterThanOrEqual(3);
  await consumer.stop();
  await until(async () => (await host.depth(namesOf("topic", "artists").queue)) === 0);
});

test("loses nothing, and repeats no more than was unacknowledged, when every connection is closed again and again", { timeout: START_MS }, async () => {
  const times = cases(5, 50);
  await using host = await VirtualHost.create(broker.address);
  await using consumer = await start(host, "fanout");
  const count = 20_000;
  await publish(host, "fanout", "artists", records(0, count));
  for (let time = 1; time <= times; time += 1) {
    const before = consumer.target.ids("artists").length;
    await until(() => consumer.target.ids("artists").length > Math.min(before + 200, count - 1));
    broker.ctl("close_all_connections", "--vhost", host.name, "for a test");
    await until(() => consumer.events.count("subscribed artists") > time);
  }
  await until(() => consumer.target.ids("artists").length === count);
  expect(consumer.target.duplicates).toBeLessThanOrEqual(times * prefetchOf(BATCH));
  expect(consumer.events.deadLetters).toEqual([]);
});

test("counts one delivery for an outage of the target, however often the broker goes meanwhile", { timeout: START_MS }, async () => {
  await using host = await VirtualHost.create(broker.address);
  await using consumer = await start(host, "fanout");
  consumer.target.isDown = true;
  await publish(host, "fanout", "artists", records(0, 60));
  await until(() => consumer.events.waits.length > 0);
  for (let time = 1; time <= 2; time += 1) {
    broker.ctl("close_all_connections", "--vhost", host.name, "for a test");
    await until(() => consumer.events.count("lost") === time);
    await until(() => consumer.events.count("subscribed labels") > time); // those without messages come back at once
  }
  expect(consumer.events.count("subscribed artists")).toBe(1);
  consumer.target.isDown = false;
  await until(() => consumer.target.ids("artists").length === 60 && consumer.events.count("subscribed artists") === 2);
  await consumer.stop();
  const { queue } = namesOf("fanout", "artists");
  expect(consumer.events.redelivered).toBe(60);
  await until(async () => (await host.depth(queue)) === 0);
  expect(await host.depth(`${queue}.dlq`)).toBe(0);
});

test("goes on acknowledging while the broker takes nothing, and moves a refused record once it does", { timeout: START_MS }, async () => {
  await using host = await VirtualHost.create(broker.address);
  await using consumer = await start(host, "topic");
  consumer.target.poison.add("5");
  let open = () => {};
  consumer.target.gate = new Promise((resolve) => {
    open = resolve;
  });
  await publish(host, "topic", "artists", records(0, 20));
  await publish(host, "topic", "labels", records(1000, 500));
  broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB");
  try {
    await until(() => broker.ctl("eval", "rabbit_alarm:get_alarms().").includes("memory"));
    open();
    consumer.target.gate = null;
    await until(() => consumer.target.ids("labels").length === 500);
    await until(async () => (await unacknowledged(host, namesOf("topic", "labels").queue)) === 0);
    await until(() => consumer.target.ids("artists").length === 5);
    expect(consumer.events.deadLetters).toEqual([]);
  } finally {
    broker.ctl("set_vm_memory_high_watermark", "0.4");
  }
  await until(() => consumer.events.deadLetters.length === 1 && consumer.target.ids("artists").length === 19);
  await until(async () => (await host.depth(`${namesOf("topic", "artists").queue}.dlq`)) === 1);
  await consumer.stop();
  await until(async () => (await host.depth(namesOf("topic", "artists").queue)) === 0);
});

test("publishes refused records to a dead letter queue that was deleted", { timeout: START_MS }, async () => {
  await using host = await VirtualHost.create(broker.address);
  await using consumer = await start(host, "topic");
  const letters = `${namesOf("topic", "artists").queue}.dlq`;
  consumer.target.poison.add("0").add("1");
  await publish(host, "topic", "artists", records(0, 1));
  await until(async () => (await host.depth(letters)) === 1);
  await (await host.channel()).queueDelete({ queue: letters });
  await publish(host, "topic", "artists", records(1, 1), 1);
  await until(() => consumer.events.deadLetters.length === 2);
  expect((await host.drain(letters)).map(({ messageId }) => messageId)).toEqual(["20260801/artists/1"]);
  expect(consumer.events.told).toContain(`delayed artists: there is no queue "${letters}"`);
});

test("drops a broker that leaves its requests unanswered", { timeout: START_MS }, async () => {
  await using host = await VirtualHost.create(broker.address);
  await using consumer = new RunningConsumer(host.url({ heartbeat: 1 }), "topic", { batchSize: BATCH });
  await until(() => consumer.events.count("subscribed") >= DATA_TYPES.length);
  broker.hang(true);
  try {
    await until(() => consumer.events.count("lost") === 1);
  } finally {
    broker.hang(false);
  }
  await until(() => consumer.events.count("subscribed artists") === 2);
  await publish(host, "topic", "artists", records(0, 5));
  await until(() => consumer.target.ids("artists").length === 5);
});

/** Messages of a queue that a consumer holds. */
async function unacknowledged(host: VirtualHost, name: string): Promise<number> {
  return (await host.api<{ messages_unacknowledged: number }>("GET", `queues/${host.name}/${name}`)).messages_unacknowledged;
}
