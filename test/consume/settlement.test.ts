import { describe, expect, test } from "vitest";
import type { Content } from "../../src/consume/content.ts";
import { type Settled, Settlement, type Teller } from "../../src/consume/settlement.ts";
import { parseAmqpUrl } from "../../src/rabbitmq/config.ts";
import { NEVER } from "../sink/batches.ts";
import { RecordedEvents } from "./scene.ts";

/** No broker loses an acknowledgement on request. */
class ScriptedTeller implements Teller {
  readonly queue = "q";
  readonly told: string[] = [];
  lost: string | null = null;

  ackUpTo(tag: number): void {
    this.told.push(`ack ${tag}`);
  }

  refuse(tag: number): void {
    this.told.push(`refuse ${tag}`);
  }
}

function settlement(queueType: "classic" | "quorum", ended = NEVER) {
  const published: string[] = [];
  const deadLetters = {
    async publish({ body }: { body: Buffer }, _onDelay: unknown, signal: AbortSignal) {
      signal.throwIfAborted();
      published.push(body.toString());
    },
  };
  const events = new RecordedEvents();
  const config = parseAmqpUrl(`amqp://h?queue_type=${queueType}`, "broker");
  const options = { config, contract: "topic", consumer: "tableinator", dataType: "artists", prefetch: 200 } as const;
  return { published, events, settlement: new Settlement(options, { events, deadLetters }, ended) };
}

function message(tag: number, kind: "record" | "refused", redelivered = false): Settled {
  const content: Content = kind === "record" ? { kind } : { kind, reason: "why" };
  return { tag, body: Buffer.from(`body ${tag}`), messageId: `m${tag}`, headers: {}, redelivered, content };
}

describe("where the broker keeps dead letters", () => {
  test("refusals come before the acknowledgement that would cover them, which names no refused message", async () => {
    const { settlement: settle } = settlement("quorum");
    const teller = new ScriptedTeller();
    await settle.settle(teller, [message(1, "record"), message(2, "refused"), message(3, "record"), message(4, "refused")]);
    expect(teller.told).toEqual(["refuse 2", "refuse 4", "ack 3"]);
    expect(settle.anyRefused).toBe(true);
  });

  test("nothing is acknowledged where everything is refused", async () => {
    const teller = new ScriptedTeller();
    await settlement("quorum").settlement.settle(teller, [message(1, "refused"), message(2, "refused")]);
    expect(teller.told).toEqual(["refuse 1", "refuse 2"]);
  });
});

describe("where we keep them", () => {
  test("one acknowledgement follows the publishing", async () => {
    const { settlement: settle, published, events } = settlement("classic");
    const teller = new ScriptedTeller();
    await settle.settle(teller, [message(1, "record"), message(2, "refused"), message(3, "refused")]);
    expect(published).toEqual(["body 2", "body 3"]);
    expect(teller.told).toEqual(["ack 3"]);
    expect(events.deadLetters.map(({ messageId, reason, queue }) => [messageId, reason, queue])).toEqual([
      ["m2", "why", "q"],
      ["m3", "why", "q"],
    ]);
  });

  test("a message whose acknowledgement was lost is not published again", async () => {
    const { settlement: settle, published, events } = settlement("classic");
    await settle.settle(new ScriptedTeller(), [message(2, "refused")]);
    const teller = new ScriptedTeller();
    await settle.settle(teller, [{ ...message(2, "refused", true), tag: 1 }]);
    expect(published).toEqual(["body 2"]);
    expect(events.deadLetters).toHaveLength(1);
    expect(teller.told).toEqual(["ack 1"]);
  });

  test("the same message, sent again by its publisher, is published again", async () => {
    const { settlement: settle, published } = settlement("classic");
    await settle.settle(new ScriptedTeller(), [message(2, "refused")]);
    await settle.settle(new ScriptedTeller(), [message(2, "refused")]);
    expect(published).toEqual(["body 2", "body 2"]);
  });

  test("what cannot be published is left in the queue with all behind it, and what is before it is acknowledged", async () => {
    const { settlement: settle, events } = settlement("classic", AbortSignal.abort());
    const teller = new ScriptedTeller();
    await settle.settle(teller, [message(1, "record"), message(2, "refused"), message(3, "record")]);
    expect(teller.told).toEqual(["ack 1"]);
    expect(events.deadLetters).toEqual([]);
  });
});

test("nothing is said of a message of a lost subscription", async () => {
  for (const kind of ["classic", "quorum"] as const) {
    const { settlement: settle, published, events } = settlement(kind);
    const teller = new ScriptedTeller();
    teller.lost = "gone";
    await settle.settle(teller, [message(1, "refused")]);
    expect([...teller.told, ...published, ...events.deadLetters]).toEqual([]);
  }
});
