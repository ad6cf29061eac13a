import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { type Batch, type Contract, DATA_TYPES, type DataType } from "../../src/model.ts";
import { openSink } from "../../src/sink/index.ts";
import type { SinkWriter } from "../../src/sink/sink.ts";
import { type Delivered, sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { corpusFiles, goldenBodies } from "../support/corpus.ts";
import { schemaFault } from "../support/message-schemas.ts";
import { batchOf, bodyOf, END, NEVER, TARGET } from "./batches.ts";

const START_MS = 300_000;
const VERSION = "20260801";

let host: VirtualHost;
beforeAll(async () => {
  const address = await sharedBroker();
  host = await VirtualHost.create(address);
}, START_MS);
beforeEach(async () => {
  await host.empty();
});
afterAll(() => host[Symbol.asyncDispose]());

/** Every property a message has. */
const properties = ({ body: _body, consumerTag: _tag, deliveryTag: _delivery, redelivered: _again, durable: _durable, ...rest }: Delivered) => rest;
const json = ({ body }: Delivered) => JSON.parse(body.toString());

/** A queue of the test's own that gets what goes through an exchange of upstream's. */
async function listen(exchange: string, type: "topic" | "fanout"): Promise<string> {
  const channel = await host.channel();
  const queue = `listening-to-${exchange}`;
  await channel.exchangeDeclare({ exchange, type, durable: true });
  await channel.queueDeclare({ queue, durable: true });
  await channel.queueBind({ queue, exchange, routingKey: "#" });
  return queue;
}

async function write(contract: Contract, dataType: DataType, use: (writer: SinkWriter) => Promise<void>, settings = {}): Promise<void> {
  await using sink = openSink(host.url(settings));
  await using writer = await sink.open({ ...TARGET, contract, dataType }, null, NEVER);
  await use(writer);
}

describe("messages", () => {
  test.each([
    ["topic", "discogsography-exchange", "topic", "artists", "application/json"],
    ["fanout", "discogsography-discogs-artists", "fanout", "", "UTF-8"],
  ] as const)("of the %s contract carry exactly upstream's properties and an id", async (contract, exchange, type, routingKey, contentEncoding) => {
    const queue = await listen(exchange, type);
    await write(contract, "artists", async (writer) => {
      await writer.write({ ...batchOf([bodyOf(0), bodyOf(1)], 41), contract }, NEVER);
      await writer.finish({ ...END, records: 43 }, NEVER);
    });
    const delivered = await host.drain(queue);
    const common = { exchange, routingKey, contentType: "application/json", contentEncoding, deliveryMode: 2 };
    expect(delivered.map(properties)).toEqual(["41", "42", "file_complete"].map((id) => ({ ...common, messageId: `${VERSION}/artists/${id}` })));
    expect(delivered.slice(0, 2).map(({ body }) => body.toString())).toEqual([bodyOf(0), bodyOf(1)]);
  });

  test("come over rabbitmq-client, under our name", async () => {
    await write("fanout", "artists", async (writer) => {
      await writer.sync(NEVER);
      const named = async () => {
        const connections = await host.api<{ vhost: string; client_properties: Record<string, string> }[]>("GET", "connections");
        const own = connections.filter(({ vhost, client_properties: { connection_name: name } }) => vhost === host.name && name === "deadwax");
        return own.map(({ client_properties: { product } }) => product);
      };
      await expect.poll(named, { timeout: 30_000 }).toEqual(["rabbitmq-client"]); // the broker's statistics come seconds late
    });
  });

  test("end with exactly upstream's file_complete, and without it where the file is not known to be complete", async () => {
    const queue = await listen("discogsography-exchange", "topic");
    const started = Date.now();
    await write("topic", "labels", (writer) => writer.finish({ file: "discogs_20260801_labels.xml.gz", records: 9_000_000, complete: true }, NEVER));
    await write("topic", "labels", (writer) => writer.finish({ ...END, complete: false }, NEVER));
    const delivered = await host.drain(queue);
    expect(delivered).toHaveLength(1);
    const text = delivered[0]?.body.toString() ?? "";
    const { timestamp } = JSON.parse(text);
    expect(schemaFault("file-complete", text)).toBeNull();
    expect(text).toBe(
      `{"type":"file_complete","data_type":"labels","timestamp":"${timestamp}","total_processed":9000000,"file":"discogs_20260801_labels.xml.gz"}`,
    );
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(started);
  });

  test.skipIf(corpusFiles().length === 0).each(["topic", "fanout"] as const)("have bodies equal to the golden ones: %s", async (contract) => {
    for (const { stem, dataType } of corpusFiles()) {
      const queue = await listen(contract === "topic" ? "discogsography-exchange" : `discogsography-discogs-${dataType}`, contract);
      const golden = goldenBodies(stem, contract);
      await write(contract, dataType, async (writer) => {
        await writer.write({ ...toBatch(golden, dataType), contract }, NEVER);
        await writer.sync(NEVER);
      });
      const bodies = (await host.drain(queue)).map(({ body }) => body.toString());
      expect(bodies.length).toBe(golden.length);
      expect(bodies.every((body, index) => body === golden[index]?.toString())).toBe(true);
    }
  });
});

describe("extraction_complete", () => {
  const end = {
    version: VERSION,
    contract: "fanout",
    startedAt: "2026-08-05T04:00:00.123456789Z",
    recordCounts: { artists: 1, labels: 2, masters: 3, releases: 4 },
  } as const;

  test("goes to all four fanout exchanges, with the first start of the version", async () => {
    const queues = await Promise.all(DATA_TYPES.map((dataType) => listen(`discogsography-discogs-${dataType}`, "fanout")));
    await using sink = openSink(host.url());
    await sink.announce(end, NEVER);
    for (const [index, queue] of queues.entries()) {
      const [message, ...more] = await host.drain(queue);
      expect(more).toEqual([]);
      const text = message?.body.toString() ?? "";
      const { timestamp } = JSON.parse(text);
      expect(schemaFault("extraction-complete", text)).toBeNull();
      expect(text).toBe(
        `{"type":"extraction_complete","version":"20260801","timestamp":"${timestamp}","started_at":"2026-08-05T04:00:00.123456789Z","record_counts":{"artists":1,"labels":2,"masters":3,"releases":4}}`,
      );
      expect(timestamp).toMatch(/Z$/);
      expect(message?.messageId).toBe(`${VERSION}/${DATA_TYPES[index]}/extraction_complete`);
    }
  });

  test("is told to the others even if one has no queue, and fails then", async () => {
    const queues = await Promise.all((["artists", "labels", "releases"] as const).map((dataType) => listen(`discogsography-discogs-${dataType}`, "fanout")));
    await using sink = openSink(host.url());
    await expect(sink.announce(end, NEVER)).rejects.toThrow(/discogsography-discogs-masters.*no queue is bound/);
    for (const queue of queues) expect((await host.drain(queue)).map(json)).toMatchObject([{ type: "extraction_complete" }]);
  });

  test("is not part of the topic contract", async () => {
    const queue = await listen("discogsography-exchange", "topic");
    await using sink = openSink(host.url());
    await sink.announce({ ...end, contract: "topic" }, NEVER);
    expect(await host.depth(queue)).toBe(0);
  });

  test("gives a start in another zone in UTC", async () => {
    const [queue] = await Promise.all(DATA_TYPES.map((dataType) => listen(`discogsography-discogs-${dataType}`, "fanout")));
    await using sink = openSink(host.url());
    await sink.announce({ ...end, startedAt: "2026-08-05T06:00:00+02:00" }, NEVER);
    expect((await host.drain(queue ?? "")).map(json)).toMatchObject([{ started_at: "2026-08-05T04:00:00.000Z" }]);
  });
});

describe("topology", () => {
  interface Named {
    readonly name: string;
    readonly type: string;
    readonly durable: boolean;
    readonly auto_delete: boolean;
    readonly arguments: unknown;
  }
  interface Binding {
    readonly source: string;
    readonly destination: string;
    readonly routing_key: string;
    readonly arguments: unknown;
  }
  const families = ["graphinator", "tableinator"].flatMap((consumer) => DATA_TYPES.map((type) => [`discogsography-${consumer}-${type}`, type] as const));

  async function topology() {
    const exchanges = await host.api<Named[]>("GET", `exchanges/${host.name}`);
    const queues = await host.api<Named[]>("GET", `queues/${host.name}`);
    const bindings = await host.api<Binding[]>("GET", `bindings/${host.name}`);
    return {
      exchanges: exchanges
        .filter(({ name }) => name !== "" && !name.startsWith("amq."))
        .map((one) => [one.name, one.type, one.durable, one.auto_delete, one.arguments]),
      queues: queues.map((one) => [one.name, one.type, one.durable, one.auto_delete, one.arguments]).sort(),
      bindings: bindings
        .filter(({ source }) => source !== "")
        .map((one) => [one.destination, one.source, one.routing_key, one.arguments])
        .sort(),
    };
  }

  test("of the topic contract is an exchange and eight classic queues, declared twice without harm", async () => {
    for (let time = 0; time < 2; time += 1) await write("topic", "artists", async () => {});
    expect(await topology()).toEqual({
      exchanges: [["discogsography-exchange", "topic", true, false, {}]],
      queues: families.map(([queue]) => [queue, "classic", true, false, {}]).sort(),
      bindings: families.map(([queue, type]) => [queue, "discogsography-exchange", type, {}]).sort(),
    });
  });

  test("with queue_type=quorum has quorum queues with dead letters", async () => {
    for (let time = 0; time < 2; time += 1) await write("topic", "artists", async () => {}, { queue_type: "quorum" });
    const quorum = { "x-queue-type": "quorum", "x-dead-letter-exchange": "discogsography-exchange.dlx", "x-delivery-limit": 20 };
    expect(await topology()).toEqual({
      exchanges: [
        ["discogsography-exchange", "topic", true, false, {}],
        ["discogsography-exchange.dlx", "topic", true, false, {}],
      ],
      queues: families
        .flatMap(([queue]) => [
          [queue, "quorum", true, false, quorum],
          [`${queue}.dlq`, "classic", true, false, { "x-queue-type": "classic" }],
        ])
        .sort(),
      bindings: families
        .flatMap(([queue, type]) => [
          [queue, "discogsography-exchange", type, {}],
          [`${queue}.dlq`, "discogsography-exchange.dlx", type, {}],
        ])
        .sort(),
    });
  });

  test("of the fanout contract is the exchange of the type, and no queue", async () => {
    await write("fanout", "masters", async () => {});
    await write("fanout", "labels", async () => {}, { exchange: "other" });
    expect(await topology()).toEqual({
      exchanges: [
        ["discogsography-discogs-masters", "fanout", true, false, {}],
        ["other-labels", "fanout", true, false, {}],
      ],
      queues: [],
      bindings: [],
    });
  });

  test("is not touched by a check, nor with declare=none", async () => {
    await using sink = openSink(host.url());
    await sink.check(NEVER);
    await write("topic", "masters", async () => {}, { declare: "none" });
    expect(await topology()).toEqual({ exchanges: [], queues: [], bindings: [] });
  });

  test("of another kind is refused by name, with what to do", async () => {
    const channel = await host.channel();
    const queue = "discogsography-tableinator-labels";
    await channel.queueDeclare({ queue, durable: true, arguments: { "x-queue-type": "quorum" } });
    const failure = await write("topic", "artists", async () => {}).catch((error: unknown) => error);
    if (!(failure instanceof DumpError)) throw failure;
    expect(failure.code).toBe("SINK_UNAVAILABLE");
    expect(failure.message).toContain(`queue "${queue}"`);
    expect(failure.message).toContain("queue_type=quorum");
    expect(failure.message).not.toContain("\n");
  });
});

/** Bodies of any bytes as a batch. */
function toBatch(bodies: readonly Buffer[], dataType: DataType): Batch {
  let end = -1;
  const ends = Uint32Array.from(bodies, (body) => {
    end += body.length + 1;
    return end;
  });
  const bytes = Buffer.concat(bodies.flatMap((body) => [body, Buffer.from("\n")]));
  return { version: VERSION, dataType, contract: "topic", firstOrdinal: 0, bytes, ends, rejects: [], changes: null };
}
