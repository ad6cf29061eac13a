import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { openSink } from "../../src/sink/index.ts";
import type { SinkWriter, Target } from "../../src/sink/sink.ts";
import { Broker } from "../services/rabbitmq.ts";
import { type Delivered, VirtualHost } from "../services/virtual-host.ts";
import { cases, timeoutMs } from "../system/support/scale.ts";
import { batchFrom, bodyOf, END, NEVER, TARGET } from "./batches.ts";
import { RecordedEvents, until } from "./sink-events.ts";

const START_MS = 300_000;
const WINDOW = 500;
const FANOUT: Target = { ...TARGET, contract: "fanout" };
const EXCHANGE = "discogsography-discogs-artists";
const QUEUE = "consumer";

let broker: Broker;
beforeAll(async () => {
  broker = await Broker.start();
}, START_MS);
afterAll(() => broker[Symbol.asyncDispose]());

/** A virtual host with a fanout exchange and a consumer's queue. */
async function createHost(queueArguments: Readonly<Record<string, string | number>> = {}): Promise<VirtualHost> {
  const host = await VirtualHost.create(broker.address);
  const channel = await host.channel();
  await channel.exchangeDeclare({ exchange: EXCHANGE, type: "fanout", durable: true });
  await channel.queueDeclare({ queue: QUEUE, durable: true, arguments: { ...queueArguments } });
  await channel.queueBind({ queue: QUEUE, exchange: EXCHANGE });
  return host;
}

/** Writes small batches until `stop`, then makes sure of them; resolves with how many records there were. */
async function writeUntil(writer: SinkWriter, stop: () => boolean): Promise<number> {
  let ordinal = 0;
  for (; !stop(); ordinal += 20) await writer.write(batchFrom(ordinal, 20), NEVER);
  await writer.sync(NEVER);
  return ordinal;
}

/** What arrived must be every record, none lost; how many came more than once. */
function duplicates(delivered: readonly Delivered[], records: number): number {
  const bodies = new Map<string, string>();
  let again = 0;
  for (const { messageId, body } of delivered) {
    if (bodies.has(messageId ?? "")) again += 1;
    bodies.set(messageId ?? "", body.toString());
  }
  expect(bodies.size).toBe(records);
  for (let ordinal = 0; ordinal < records; ordinal += 1) expect(bodies.get(`20260801/artists/${ordinal}`)).toBe(bodyOf(ordinal));
  return again;
}

async function failureOf(promise: Promise<unknown>): Promise<DumpError> {
  const failure = await promise.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  if (!(failure instanceof DumpError)) throw failure;
  expect(failure.code).toBe("SINK_UNAVAILABLE");
  expect(failure.message).not.toContain("\n");
  return failure;
}

describe("a message that no queue takes", () => {
  test("fails the run within 2 s where no queue is bound, and no sync succeeds", async () => {
    await using host = await VirtualHost.create(broker.address);
    const events = new RecordedEvents();
    await using sink = openSink(host.url(), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    const started = performance.now();
    await writer.write(batchFrom(0, 3), NEVER);
    const failure = await failureOf(writer.sync(NEVER));
    expect(performance.now() - started).toBeLessThan(2000);
    expect(failure.message).toContain(EXCHANGE);
    expect(failure.message).toContain("312 NO_ROUTE");
    expect(failure.message).toContain("no queue is bound");
    expect(events.confirmedMessages).toBe(0);
    expect(events.resentMessages).toEqual({ nacked: 0, returned: 9, reconnected: 0 });
    await failureOf(writer.write(batchFrom(3, 1), NEVER));
    await failureOf(writer.finish(END, NEVER));
  });

  test("fails the run where the queue goes in the middle of it", async () => {
    await using host = await createHost();
    await using sink = openSink(host.url());
    await using writer = await sink.open(FANOUT, null, NEVER);
    await writer.write(batchFrom(0, 100), NEVER);
    await writer.sync(NEVER);
    await (await host.channel()).queueUnbind({ queue: QUEUE, exchange: EXCHANGE });
    await writer.write(batchFrom(100, 100), NEVER);
    expect((await failureOf(writer.sync(NEVER))).message).toContain("no queue is bound");
    expect(duplicates(await host.drain(QUEUE), 100)).toBe(0);
  });

  test("is sent again, and arrives once a queue is bound", async () => {
    await using host = await createHost();
    const channel = await host.channel();
    await channel.queueUnbind({ queue: QUEUE, exchange: EXCHANGE });
    const events = new RecordedEvents();
    await using sink = openSink(host.url(), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    await writer.write(batchFrom(0, 300), NEVER);
    await until(() => events.resentMessages.returned > 0);
    await channel.queueBind({ queue: QUEUE, exchange: EXCHANGE });
    await writer.sync(NEVER);
    expect(duplicates(await host.drain(QUEUE), 300)).toBe(0);
    expect(events.confirmedMessages).toBe(300);
  });

  test("fails the run where a queue rejects it", async () => {
    await using host = await createHost({ "x-max-length": 10, "x-overflow": "reject-publish" });
    const events = new RecordedEvents();
    await using sink = openSink(host.url(), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    const started = performance.now();
    const failure = await failureOf(writer.write(batchFrom(0, 50), NEVER).then(() => writer.sync(NEVER)));
    expect(performance.now() - started).toBeLessThan(3000);
    expect(failure.message).toContain(`a queue behind exchange "${EXCHANGE}" rejected`);
    expect(events.resentMessages.nacked).toBeGreaterThan(0);
    expect(events.confirmedMessages).toBe(await host.depth(QUEUE));
  });

  test("arrives where the queue that rejects it has room again in time", async () => {
    await using host = await createHost({ "x-max-length": 200, "x-overflow": "reject-publish" });
    const events = new RecordedEvents();
    await using sink = openSink(host.url(), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    await writer.write(batchFrom(0, 300), NEVER);
    await until(() => events.resentMessages.nacked > 0);
    const first = await host.drain(QUEUE);
    await writer.sync(NEVER);
    expect(duplicates([...first, ...(await host.drain(QUEUE))], 300)).toBe(0);
  });
});

describe("a connection that goes", () => {
  test("loses nothing, and repeats no more than the window, when the broker is stopped and started, then killed and started", {
    timeout: START_MS,
  }, async () => {
    await using host = await createHost({ "x-queue-type": "quorum" });
    const events = new RecordedEvents();
    await using sink = openSink(host.url({ window_messages: WINDOW }), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    let done = false;
    const writing = writeUntil(writer, () => done);
    writing.catch(() => {}); // awaited below
    // In this order: RabbitMQ 3.10 does not bring a quorum queue back that was made seconds before a kill.
    for (const end of [() => broker.stop(), () => broker.crash()]) {
      const start = events.confirmedMessages;
      await until(() => events.confirmedMessages > start + 2000);
      const tries = events.count("reconnecting");
      await end();
      await until(() => events.count("reconnecting") > tries + 1);
      await broker.restart();
      const restarted = performance.now();
      const before = events.confirmedMessages;
      await until(() => events.confirmedMessages > before + 2000);
      expect(performance.now() - restarted).toBeLessThan(20_000);
    }
    done = true;
    const records = await writing;
    expect(duplicates(await host.drain(QUEUE), records)).toBeLessThanOrEqual(2 * WINDOW);
    expect(events.confirmedMessages).toBe(records);
    expect(events.count("connected")).toBe(3);
  });

  test("is told of at once though nobody uses it, and is made again for who wants it", { timeout: START_MS }, async () => {
    await using host = await createHost();
    const events = new RecordedEvents();
    await using sink = openSink(host.url(), events);
    await sink.check(NEVER);
    await until(() => {
      broker.ctl("close_all_connections", "--vhost", host.name, "for a test"); // the broker may not know of a new one yet
      return events.count("lost") === 1;
    });
    expect(events.heard).toEqual(["connected", expect.stringContaining("for a test")]);
    await using writer = await sink.open(FANOUT, null, NEVER);
    await writer.write(batchFrom(0, 10), NEVER);
    await writer.sync(NEVER);
    expect(events.count("connected")).toBe(2);
  });

  test("loses nothing when every connection is closed again and again", { timeout: timeoutMs(START_MS, 3 * START_MS) }, async () => {
    const times = cases(5, 100);
    await using host = await createHost();
    const events = new RecordedEvents();
    await using sink = openSink(host.url({ window_messages: WINDOW }), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    let done = false;
    const writing = writeUntil(writer, () => done);
    writing.catch(() => {}); // awaited below
    for (let time = 1; time <= times; time += 1) {
      const before = events.confirmedMessages;
      await until(() => events.confirmedMessages > before + 100);
      broker.ctl("close_all_connections", "--vhost", host.name, "for a test");
      await until(() => events.count("connected") > time);
    }
    done = true;
    const records = await writing;
    expect(duplicates(await host.drain(QUEUE), records)).toBeLessThanOrEqual(times * WINDOW);
  });

  test("fails the run once it has been tried for long enough", { timeout: START_MS }, async () => {
    await using host = await createHost();
    const events = new RecordedEvents();
    await using sink = openSink(host.url({ reconnect_timeout_ms: 500 }), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    await writer.write(batchFrom(0, 1), NEVER);
    await writer.sync(NEVER);
    await broker.crash();
    try {
      const failure = await failureOf(writer.write(batchFrom(1, 1), NEVER).then(() => writer.sync(NEVER)));
      expect(failure.message).toMatch(/no connection for \d+ s: connection refused; bring the broker back/);
      expect(events.count("reconnecting")).toBeGreaterThan(1);
    } finally {
      await broker.restart();
    }
  });
});

describe("an exchange that is deleted", () => {
  test("is declared again with its queues and bindings in the topic contract, and nothing is lost", async () => {
    await using host = await VirtualHost.create(broker.address);
    const events = new RecordedEvents();
    await using sink = openSink(host.url({ window_messages: WINDOW }), events);
    await using writer = await sink.open(TARGET, null, NEVER);
    let done = false;
    const writing = writeUntil(writer, () => done);
    await until(() => events.confirmedMessages > 1000);
    await (await host.channel()).exchangeDelete({ exchange: "discogsography-exchange" });
    await until(() => events.resentMessages.reconnected > 0);
    const before = events.confirmedMessages;
    await until(() => events.confirmedMessages > before + 1000);
    done = true;
    const records = await writing;
    for (const consumer of ["graphinator", "tableinator"]) {
      expect(duplicates(await host.drain(`discogsography-${consumer}-artists`), records)).toBeLessThanOrEqual(WINDOW);
    }
  });

  test("fails the run in the fanout contract, where nobody is bound to the new one", async () => {
    await using host = await createHost();
    const events = new RecordedEvents();
    await using sink = openSink(host.url(), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    await writer.write(batchFrom(0, 100), NEVER);
    await writer.sync(NEVER);
    await (await host.channel()).exchangeDelete({ exchange: EXCHANGE });
    const failure = await failureOf(writer.write(batchFrom(100, 100), NEVER).then(() => writer.sync(NEVER)));
    expect(failure.message).toContain("no queue is bound");
    expect(events.confirmedMessages).toBe(100);
  });

  test("fails the run with declare=none", async () => {
    await using host = await createHost();
    await using sink = openSink(host.url({ declare: "none" }));
    await using writer = await sink.open(FANOUT, null, NEVER);
    await (await host.channel()).exchangeDelete({ exchange: EXCHANGE });
    const failure = await failureOf(writer.write(batchFrom(0, 10), NEVER).then(() => writer.sync(NEVER)));
    expect(failure.message).toContain("no exchange");
    expect(failure.message).toContain("declare=none");
  });
});

describe("a broker that takes nothing", () => {
  test("under a memory alarm holds the run, within the window and without a timeout, and lets it go on", { timeout: START_MS }, async () => {
    await using host = await createHost();
    const events = new RecordedEvents();
    const confirmTimeoutMs = 1000;
    await using sink = openSink(host.url({ confirm_timeout_ms: confirmTimeoutMs }), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    let done = false;
    const writing = writeUntil(writer, () => done);
    writing.catch(() => {});
    await until(() => events.confirmedMessages > 2000);
    broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB");
    await until(() => events.count("blocked") === 1);
    const confirmed = events.confirmedMessages;
    const rss = process.memoryUsage().rss;
    const blockedAt = performance.now();
    await until(() => performance.now() - blockedAt > 4 * confirmTimeoutMs);
    expect(process.memoryUsage().rss - rss).toBeLessThan(50 * 2 ** 20);
    expect(events.confirmedMessages - confirmed).toBeLessThanOrEqual(2000);
    broker.ctl("set_vm_memory_high_watermark", "0.4");
    await until(() => events.count("unblocked") === 1);
    const before = events.confirmedMessages;
    await until(() => events.confirmedMessages > before + 1000);
    done = true;
    const records = await writing;
    expect(duplicates(await host.drain(QUEUE), records)).toBe(0);
  });

  test("and says nothing fails the run once the confirms are overdue", { timeout: START_MS }, async () => {
    await using host = await createHost();
    const events = new RecordedEvents();
    await using sink = openSink(host.url({ confirm_timeout_ms: 1000 }), events);
    await using writer = await sink.open(FANOUT, null, NEVER);
    await writer.write(batchFrom(0, 10), NEVER);
    await writer.sync(NEVER);
    broker.hang(true);
    try {
      const started = performance.now();
      const failure = await failureOf(writer.write(batchFrom(10, 10), NEVER).then(() => writer.sync(NEVER)));
      expect(failure.message).toContain("no confirm for 1 s");
      expect(performance.now() - started).toBeLessThan(5000);
      expect(events.confirmedMessages).toBe(10);
    } finally {
      broker.hang(false);
    }
  });

  test("and answers no request for a channel has its connection made again, until it answers", { timeout: START_MS }, async () => {
    await using host = await createHost();
    const events = new RecordedEvents();
    await using sink = openSink(host.url({ confirm_timeout_ms: 500, connection_timeout: 1000 }), events);
    await sink.check(NEVER);
    broker.hang(true);
    const opening = sink.open(FANOUT, null, NEVER);
    opening.catch(() => {}); // awaited below
    try {
      await until(() => events.count("reconnecting") > 1);
    } finally {
      broker.hang(false);
    }
    await using writer = await opening;
    await writer.write(batchFrom(0, 10), NEVER);
    await writer.sync(NEVER);
    expect(events.heard.slice(0, 2)).toEqual(["connected", "lost: no answer to the opening of a channel or a declaration for 0.5 s"]);
    expect(duplicates(await host.drain(QUEUE), 10)).toBe(0);
  });

  test("breaks off at once when it is told to, and closes", { timeout: START_MS }, async () => {
    await using host = await createHost();
    const events = new RecordedEvents();
    await using sink = openSink(host.url({ window_messages: 10 }), events);
    broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB");
    try {
      await using writer = await sink.open(FANOUT, null, NEVER);
      const stopping = new AbortController();
      const write = writer.write(batchFrom(0, 100), stopping.signal);
      const sync = writer.sync(stopping.signal);
      const settled = Promise.allSettled([write, sync]);
      await until(() => events.count("blocked") === 1);
      const reason = new Error("stop");
      const aborted = performance.now();
      stopping.abort(reason);
      expect((await settled)[0]).toEqual({ status: "rejected", reason });
      await writer[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
      expect(performance.now() - aborted).toBeLessThan(1000);
    } finally {
      broker.ctl("set_vm_memory_high_watermark", "0.4");
    }
  });
});

describe("a check", () => {
  test("says that the password is wrong, without it", async () => {
    await using sink = openSink(broker.address.amqp.replace("guest:guest", "guest:canary"));
    const failure = await failureOf(sink.check(NEVER));
    expect(failure.message).toContain("user or password refused");
    expect(failure.message).not.toContain("canary");
  });

  test("says that the virtual host is not there", async () => {
    await using sink = openSink(`${broker.address.amqp}/nowhere`);
    expect((await failureOf(sink.check(NEVER))).message).toContain("virtual host refused");
  });

  test("says that the port speaks no TLS", async () => {
    await using sink = openSink(broker.address.amqp.replace("amqp:", "amqps:"));
    expect((await failureOf(sink.check(NEVER))).message).toMatch(/TLS|amqps/);
  });

  test("says that the authority is not known, and connects with it or without proof", async () => {
    await using unknown = openSink(broker.tls.amqps);
    const failure = await failureOf(unknown.check(NEVER));
    expect(failure.message).toContain("TLS failed");
    expect(failure.message).toContain("cacertfile");
    for (const setting of [`cacertfile=${encodeURIComponent(broker.tls.cacertfile)}`, "verify=verify_none"]) {
      await using sink = openSink(`${broker.tls.amqps}?${setting}`);
      await sink.check(NEVER);
    }
  });

  test("says that a certificate file is not there", async () => {
    await using sink = openSink(`${broker.tls.amqps}?cacertfile=/nowhere/ca.pem`);
    await expect(sink.check(NEVER)).rejects.toThrow(/the cacertfile \/nowhere\/ca.pem cannot be read \(ENOENT\)/);
  });
});
