import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { openSink } from "../../src/sink/index.ts";
import { freePort } from "../services/process.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { type Destination, sinkContract } from "./contract.ts";

/** The first start may have to install the broker. */
const START_MS = 300_000;

let host: VirtualHost;
beforeAll(async () => {
  host = await VirtualHost.create(await sharedBroker());
}, START_MS);
afterAll(() => host[Symbol.asyncDispose]());

/** A sink in front of an exchange with one queue. */
async function create(settings: Readonly<Record<string, string | number>> = {}): Promise<Destination> {
  const exchange = `e-${randomBytes(4).toString("hex")}`;
  const channel = await host.channel();
  await channel.exchangeDeclare({ exchange, type: "topic", durable: true });
  await channel.queueDeclare({ queue: exchange, durable: true });
  await channel.queueBind({ queue: exchange, exchange, routingKey: "#" });
  const sink = openSink(host.url({ exchange, declare: "none", ...settings }));
  let text = "";
  return {
    sink,
    async read() {
      const delivered = await host.drain(exchange);
      const records = delivered.filter(({ messageId }) => !messageId?.endsWith("/file_complete"));
      text += records.map(({ body }) => `${body}\n`).join("");
      return text;
    },
    async [Symbol.asyncDispose]() {
      await sink[Symbol.asyncDispose]();
      await channel.queueDelete({ queue: exchange });
      await channel.exchangeDelete({ exchange });
    },
  };
}

async function createBroken(): Promise<Destination> {
  const sink = openSink(`amqp://guest:guest@127.0.0.1:${await freePort()}`);
  return { sink, read: async () => null, [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose]() };
}

const capabilities = { resumable: true, behindPosition: "repeated", writtenTwice: "appended", visible: "at once" } as const;
sinkContract({ name: "rabbitmq", capabilities, create: () => create(), createBroken });
