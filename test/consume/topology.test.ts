import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { DATA_TYPES } from "../../src/model.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { until } from "../sink/sink-events.ts";
import { RunningConsumer } from "./scene.ts";

const START_MS = 300_000;
let host: VirtualHost;
beforeAll(async () => {
  host = await VirtualHost.create(await sharedBroker());
}, START_MS);
afterEach(() => host.empty());
afterAll(() => host[Symbol.asyncDispose]());

interface Declared {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly auto_delete: boolean;
  readonly arguments: Readonly<Record<string, string | number>>;
}

interface Binding {
  readonly source: string;
  readonly destination: string;
  readonly routing_key: string;
}

/** Everything that is declared in the virtual host, in a fixed order. */
async function declared() {
  const shown = ({ name, type, durable, auto_delete, arguments: args }: Declared) => [name, type, durable, auto_delete, args];
  const own = ({ name }: Declared) => name !== "" && !name.startsWith("amq.");
  const exchanges = (await host.api<Declared[]>("GET", `exchanges/${host.name}`)).filter(own).map(shown);
  const queues = (await host.api<Declared[]>("GET", `queues/${host.name}`)).map(shown);
  const bindings = (await host.api<Binding[]>("GET", `bindings/${host.name}`)).filter(({ source }) => source !== "");
  return {
    exchanges: exchanges.sort(),
    queues: queues.sort(),
    bindings: bindings.map(({ source, destination, routing_key: key }) => [source, destination, key]).sort(),
  };
}

/** Starts the consumer twice: what is there already is no reason to fail. */
async function declare(contract: "topic" | "fanout", settings: Readonly<Record<string, string>> = {}, consumer: "tableinator" | "graphinator" = "tableinator") {
  for (let time = 0; time < 2; time += 1) {
    await using running = new RunningConsumer(host.url(settings), contract, { consumer });
    await until(() => running.events.count("subscribed") === DATA_TYPES.length);
  }
}

test("topic: classic queues without arguments as upstream's, and ours for dead letters", async () => {
  await declare("topic");
  expect(await declared()).toEqual({
    exchanges: [["discogsography-exchange", "topic", true, false, {}]],
    queues: DATA_TYPES.flatMap((type) => [
      [`discogsography-tableinator-${type}`, "classic", true, false, {}],
      [`discogsography-tableinator-${type}.dlq`, "classic", true, false, { "x-queue-type": "classic" }],
    ]),
    bindings: DATA_TYPES.map((type) => ["discogsography-exchange", `discogsography-tableinator-${type}`, type]),
  });
});

test("topic with quorum queues: upstream's of February 2026", async () => {
  await declare("topic", { queue_type: "quorum" });
  const quorum = { "x-queue-type": "quorum", "x-dead-letter-exchange": "discogsography-exchange.dlx", "x-delivery-limit": 20 };
  expect(await declared()).toEqual({
    exchanges: [
      ["discogsography-exchange", "topic", true, false, {}],
      ["discogsography-exchange.dlx", "topic", true, false, {}],
    ],
    queues: DATA_TYPES.flatMap((type) => [
      [`discogsography-tableinator-${type}`, "quorum", true, false, quorum],
      [`discogsography-tableinator-${type}.dlq`, "classic", true, false, { "x-queue-type": "classic" }],
    ]),
    bindings: [
      ...DATA_TYPES.map((type) => ["discogsography-exchange", `discogsography-tableinator-${type}`, type]),
      ...DATA_TYPES.map((type) => ["discogsography-exchange.dlx", `discogsography-tableinator-${type}.dlq`, type]),
    ],
  });
});

test.each([
  ["discogsography-discogs", "tableinator", {}],
  ["mine", "graphinator", { exchange: "mine" }],
] as const)("fanout: quorum queues with dead letters of their own; %s, %s", async (prefix, consumer, settings) => {
  await declare("fanout", settings, consumer);
  const queueOf = (type: string) => `${prefix}-${consumer}-${type}`;
  const quorum = (type: string) => ({ "x-queue-type": "quorum", "x-dead-letter-exchange": `${queueOf(type)}.dlx`, "x-delivery-limit": 20 });
  const found = await declared();
  expect(found.exchanges).toEqual(
    [
      ...DATA_TYPES.map((type) => [`${prefix}-${type}`, "fanout", true, false, {}]),
      ...DATA_TYPES.map((type) => [`${queueOf(type)}.dlx`, "fanout", true, false, {}]),
    ].sort(),
  );
  expect(found.queues).toEqual(
    DATA_TYPES.flatMap((type) => [
      [queueOf(type), "quorum", true, false, quorum(type)],
      [`${queueOf(type)}.dlq`, "classic", true, false, { "x-queue-type": "classic" }],
    ]),
  );
  expect(found.bindings).toEqual(
    [
      ...DATA_TYPES.map((type) => [`${prefix}-${type}`, queueOf(type), ""]),
      ...DATA_TYPES.map((type) => [`${queueOf(type)}.dlx`, `${queueOf(type)}.dlq`, ""]),
    ].sort(),
  );
});

test("has a channel a queue, on one connection", async () => {
  await using consumer = new RunningConsumer(host.url(), "fanout");
  await until(() => consumer.events.count("subscribed") === DATA_TYPES.length);
  type Channel = { readonly connection_details: { readonly name: string }; readonly consumer_count: number; readonly prefetch_count: number };
  let channels: Channel[] = [];
  await until(async () => {
    channels = (await host.api<Channel[]>("GET", `vhosts/${host.name}/channels`)).filter(({ consumer_count: count }) => count > 0);
    return channels.length === DATA_TYPES.length;
  });
  expect(channels.map(({ consumer_count: count }) => count)).toEqual([1, 1, 1, 1]);
  expect(new Set(channels.map(({ connection_details: { name } }) => name)).size).toBe(1);
});

test.each([
  ["a queue of another kind", {}, "PRECONDITION_FAILED", "choose queue_type=classic or queue_type=quorum to match it"],
  ["no queue where none is declared", { declare: "none" }, "NOT_FOUND", "declare it, or leave out declare=none"],
])("cannot begin with %s, and says what to do", async (_, settings, code, advice) => {
  const channel = await host.channel();
  await channel.queueDeclare({ queue: "discogsography-tableinator-labels", durable: true, arguments: { "x-queue-type": "quorum" } });
  const consumer = new RunningConsumer(host.url(settings), "topic");
  const failure: unknown = await consumer.ended.catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "BROKER_UNAVAILABLE", exit: 4 });
  expect((failure as Error).message).toMatch(
    /^broker amqp:\/\/127\.0\.0\.1:\d+\/t-\w+: queue "discogsography-tableinator-\w+" cannot be (declared|consumed) \(/,
  );
  expect((failure as Error).message).toContain(code);
  expect((failure as Error).message).toContain(advice);
});

test("cannot begin with a password that is refused", async () => {
  const consumer = new RunningConsumer(host.url().replace("guest:guest@", "guest:wrong-canary@"), "topic");
  const failure: unknown = await consumer.ended.catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "BROKER_UNAVAILABLE", message: expect.stringMatching(/^broker amqp:.*user or password refused/) });
  expect((failure as Error).message).not.toContain("canary");
});
