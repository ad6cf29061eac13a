import { EventEmitter } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Condition } from "../../src/rabbitmq/condition.ts";
import { parseAmqpUrl } from "../../src/rabbitmq/config.ts";
import { Publisher, type Shared } from "../../src/sink/rabbitmq/publisher.ts";
import { Window } from "../../src/sink/rabbitmq/window.ts";
import { NEVER } from "./batches.ts";
import { RecordedEvents, until } from "./sink-events.ts";

/** A channel whose answers come when the test says so, in the order in which the client tells of them. */
class ScriptedChannel extends EventEmitter {
  active = true;
  readonly sent: string[] = [];
  #answer: { readonly resolve: () => void; readonly reject: (error: Error) => void } | null = null;

  async confirmSelect(): Promise<void> {}

  async close(): Promise<void> {}

  basicPublish({ messageId }: { readonly messageId: string }): Promise<void> {
    this.sent.push(messageId);
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
  }

  /** An ack is told at once. */
  async ack(): Promise<void> {
    this.#answer?.resolve();
    await Promise.resolve();
  }

  async nack(): Promise<void> {
    this.#answer?.reject(Object.assign(new Error("nacked"), { code: "NACK" }));
    await Promise.resolve();
  }

  /** A return is told in the next turn of the event loop. */
  return(messageId: string): void {
    setImmediate(() => this.emit("basic.return", { messageId, replyCode: 312, replyText: "NO_ROUTE" }));
  }

  lose(): void {
    this.active = false;
    this.emit("close");
  }
}

/** A publisher that has sent the message `m1` on the first of its channels. */
async function createPublisher() {
  const channels: ScriptedChannel[] = [];
  const acquire = async () => {
    const channel = new ScriptedChannel();
    channels.push(channel);
    return channel;
  };
  const events = new RecordedEvents();
  const link = { blocked: false, up: true, connection: async () => ({ acquire }) } as unknown as Shared["link"];
  const shared = { config: parseAmqpUrl("amqp://h"), events, link, window: new Window(10, 1000), changed: new Condition() };
  const publisher = new Publisher(shared, { exchange: "e", routingKey: "" }, async () => {});
  await publisher.open(NEVER);
  await publisher.reserve(Uint32Array.of(5), 0, NEVER);
  publisher.send("m1", Buffer.from("hello"));
  const channel = async (index: number) => {
    await until(() => channels[index]?.sent.length === 1);
    return channels[index] as ScriptedChannel;
  };
  return { publisher, events, channel, window: shared.window };
}

test("a returned message is not confirmed by its ack if the channel goes before the ack counts", async () => {
  const { publisher, events, channel, window } = await createPublisher();
  await using _ = publisher;
  const first = await channel(0);
  first.return("m1");
  await first.ack();
  await turn(); // the return is told, and the ack has waited for one turn
  first.lose();
  const second = await channel(1);
  await turn();
  await turn();
  expect(events.confirmedMessages).toBe(0);
  expect(window.used).toEqual({ messages: 1, bytes: 5 });
  await second.ack();
  expect(await publisher.confirmed(NEVER)).toBe(1);
  expect(events.confirmedMessages).toBe(1);
  expect(events.resentMessages).toEqual({ nacked: 0, returned: 0, reconnected: 1 });
  expect([first.sent, second.sent]).toEqual([["m1"], ["m1"]]);
});

test("a nack on a channel that goes before it counts is forgotten, for the message is sent again anyway", async () => {
  const { publisher, events, channel } = await createPublisher();
  await using _ = publisher;
  const first = await channel(0);
  await first.nack();
  await turn();
  first.lose();
  const second = await channel(1);
  await second.nack();
  await until(() => second.sent.length === 2);
  expect(events.confirmedMessages).toBe(0);
  await second.ack();
  await publisher.confirmed(NEVER);
  expect(events.resentMessages).toEqual({ nacked: 1, returned: 0, reconnected: 1 });
});

test("gives up on a broker that opens no channel on any of its connections", async () => {
  let drops = 0;
  let refuse = (_error: Error) => {};
  const acquire = () =>
    new Promise((_, reject) => {
      refuse = reject;
    });
  const drop = (_connection: unknown, error: Error) => {
    drops += 1;
    refuse(error);
  };
  const link = { blocked: false, up: false, connection: async () => ({ acquire }), drop } as unknown as Shared["link"];
  const config = parseAmqpUrl("amqp://h?confirm_timeout_ms=20&reconnect_timeout_ms=100");
  const shared = { config, events: new RecordedEvents(), link, window: new Window(10, 1000), changed: new Condition() };
  await using publisher = new Publisher(shared, { exchange: "e", routingKey: "" }, async () => {});
  await expect(publisher.open(NEVER)).rejects.toMatchObject({
    code: "SINK_UNAVAILABLE",
    message: expect.stringContaining("lost again and again (no answer to the opening of a channel or a declaration for 0.02 s)"),
  });
  expect(drops).toBeGreaterThan(3);
});

test("what a lost channel still tells of counts no more", async () => {
  const { publisher, events, channel } = await createPublisher();
  await using _ = publisher;
  const first = await channel(0);
  first.lose();
  const second = await channel(1);
  await first.ack();
  first.return("m1");
  for (let turns = 0; turns < 4; turns += 1) await turn();
  expect(events.confirmedMessages).toBe(0);
  await second.ack();
  await publisher.confirmed(NEVER);
  expect(events.resentMessages).toEqual({ nacked: 0, returned: 0, reconnected: 1 });
});
