import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSink } from "../../src/sink/index.ts";
import { NO_EVENTS, type SinkEvents, type Stream } from "../../src/sink/sink.ts";
import { freePort } from "../services/ports.ts";
import { type Delivered, sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { batchFrom, NEVER, TARGET, textTo } from "./batches.ts";
import { type Destination, sinkContract } from "./contract.ts";
import { RecordedEvents, until } from "./sink-events.ts";

/** The first start may have to install the broker. */
const START_MS = 300_000;

let host: VirtualHost;
beforeAll(async () => {
  host = await VirtualHost.create(await sharedBroker());
}, START_MS);
afterAll(() => host[Symbol.asyncDispose]());

type Settings = Readonly<Record<string, string | number>>;

/** A sink in front of an exchange with one queue, that gets what the exchange gets. */
async function create(settings: Settings = {}, events: SinkEvents = NO_EVENTS, stream: Stream = "records"): Promise<Destination> {
  const exchange = `e-${randomBytes(4).toString("hex")}`;
  const channel = await host.channel();
  await channel.exchangeDeclare({ exchange, type: "topic", durable: true });
  await channel.queueDeclare({ queue: exchange, durable: true });
  await channel.queueBind({ queue: exchange, exchange, routingKey: "#" });
  const sink = openSink(host.url({ exchange, declare: "none", ...settings }), events);
  let text = "";
  return {
    sink,
    async read() {
      const delivered = await host.drain(exchange);
      const records = delivered.filter(({ messageId }) => !messageId?.endsWith("/file_complete"));
      text += records.map((message) => `${stream === "records" ? message.body : tombstoneIn(message)}\n`).join("");
      return text;
    },
    async [Symbol.asyncDispose]() {
      await sink[Symbol.asyncDispose]();
      await channel.queueDelete({ queue: exchange });
      await channel.exchangeDelete({ exchange });
    },
  };
}

/** A tombstone as the stream had it; throws if it went where records go. */
function tombstoneIn({ body, headers, routingKey }: Delivered): string {
  if (routingKey !== "artists.changes") throw new Error(`a tombstone with the key ${routingKey}`);
  return JSON.stringify({ ...JSON.parse(body.toString()), hash: headers?.["x-deadwax-hash"] });
}

async function createBroken(): Promise<Destination> {
  const sink = openSink(`amqp://guest:guest@127.0.0.1:${await freePort()}`);
  return { sink, read: async () => null, [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose]() };
}

const capabilities = { resumable: true, behindPosition: "repeated", writtenTwice: "appended", visible: "at once" } as const;
sinkContract({ name: "rabbitmq", capabilities, create: (stream) => create({}, NO_EVENTS, stream), createBroken });

test("keeps to a small window, and writes all the same", async () => {
  const events = new RecordedEvents();
  await using destination = await create({ window_messages: 7, window_bytes: 500 }, events);
  await using writer = await destination.sink.open(TARGET, null, NEVER);
  await writer.write(batchFrom(0, 300), NEVER);
  expect(events.confirmedMessages).toBeGreaterThanOrEqual(300 - 7);
  await writer.sync(NEVER);
  expect(await destination.read()).toBe(textTo(300));
  expect(events.confirmedMessages).toBe(300);
  expect(events.confirmedBytes).toBe(Buffer.byteLength(textTo(300)) - 300);
});

test("sends a body larger than its window alone", async () => {
  await using destination = await create({ window_bytes: 10_000 });
  await using writer = await destination.sink.open(TARGET, null, NEVER);
  await writer.write(batchFrom(0, 3, 100_000), NEVER);
  await writer.sync(NEVER);
  expect((await destination.read()) === textTo(3, 100_000)).toBe(true);
});

test("shares its window and its connection among writers", async () => {
  const events = new RecordedEvents();
  await using destination = await create({ window_messages: 50 }, events);
  await using first = await destination.sink.open(TARGET, null, NEVER);
  await using second = await destination.sink.open({ ...TARGET, dataType: "labels" }, null, NEVER);
  await Promise.all([first.write(batchFrom(0, 2000), NEVER), second.write(batchFrom(0, 2000), NEVER)]);
  expect(events.confirmedMessages).toBeGreaterThanOrEqual(4000 - 50);
  await Promise.all([first.sync(NEVER), second.sync(NEVER)]);
  expect((await destination.read())?.split("\n").length).toBe(4001);
  expect(events.heard).toEqual(["connected"]);
  expect(events.confirmedCalls).toBeLessThan(4000); // told in batches
});

test("breaks off its attempts to connect", async () => {
  const events = new RecordedEvents();
  await using sink = openSink(`amqp://127.0.0.1:${await freePort()}`, events);
  const stopping = new AbortController();
  const opening = sink.open(TARGET, null, stopping.signal);
  opening.catch(() => {});
  await until(() => events.count("reconnecting 2: connection refused") > 0);
  const reason = new Error("stop");
  stopping.abort(reason);
  await expect(opening).rejects.toBe(reason);
});
