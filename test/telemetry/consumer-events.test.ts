import { beforeEach, describe, expect, it } from "vitest";
import { DATA_TYPES } from "../../src/model.ts";
import { CONSUMER_METRICS } from "../../src/telemetry/metric-names.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Telemetry } from "../../src/telemetry.ts";
import { emojiOf } from "./emoji.ts";
import { FakeClock } from "./fake-clock.ts";
import { samples } from "./samples.ts";

const END = { file: "a.xml.gz", totalProcessed: 7 };

let clock: FakeClock;
let metrics: Metrics;
let telemetry: Telemetry;
let lines: { readonly level: string; readonly message: string }[];

beforeEach(() => {
  clock = new FakeClock();
  metrics = new Metrics(CONSUMER_METRICS);
  lines = [];
  const output = { write: (text: string) => lines.push(JSON.parse(text)) };
  telemetry = new Telemetry({ level: "debug", format: "json", output, bar: false, clock, metrics });
});

function begin(): Telemetry["consumer"] {
  telemetry.consumer.started({ name: "tableinator", version: "0.1.0", contract: "fanout", batchSize: 1000 });
  lines.length = 0;
  return telemetry.consumer;
}

/** The lines since the last call that begin so. */
function heard(start: string): string[] {
  return lines.filter(({ message }) => message.startsWith(start)).map(({ message }) => message);
}

describe("progress", () => {
  it("is told after 10, 20 and 30 s and then every 30 s, by type", () => {
    const consumer = begin();
    const told: number[] = [];
    for (let second = 1; second <= 120; second += 1) {
      consumer.received("artists", false);
      clock.advance(1000);
      if (heard("📊").length > told.length) told.push(second);
    }
    expect(told).toEqual([10, 20, 30, 60, 90, 120]);
    expect(heard("📊")[0]).toBe("📊 Consumer Progress: 10 total messages (Artists: 10, Labels: 0, Masters: 0, Releases: 0)");
  });

  it("marks the types that are complete", () => {
    const consumer = begin();
    consumer.received("artists", false);
    consumer.fileComplete("artists", END);
    consumer.received("labels", false);
    clock.advance(10_000);
    expect(heard("📊")).toEqual(["📊 Consumer Progress: 2 total messages (🎉 Artists: 1, Labels: 1, Masters: 0, Releases: 0)"]);
  });

  it("gives way to a line now and then where there is nothing to tell", () => {
    begin();
    clock.advance(299_000);
    expect(lines.map(({ message }) => message)).toEqual(["⏳ Waiting for messages to process..."]);
    clock.advance(60_000);
    expect(lines).toHaveLength(2);
  });

  it("says that it idles once everything is complete", () => {
    const consumer = begin();
    for (const type of DATA_TYPES) {
      consumer.received(type, false);
      consumer.fileComplete(type, END);
    }
    clock.advance(10_000);
    lines.length = 0;
    clock.advance(30_000);
    expect(lines.map(({ message }) => message)).toEqual(["😴 Idle: waiting for messages"]);
  });
});

describe("a type without messages", () => {
  it("is stalled after 120 s, told of once, until one comes", async () => {
    const consumer = begin();
    consumer.received("artists", false);
    consumer.received("labels", false);
    consumer.fileComplete("labels", END);
    clock.advance(119_000);
    expect(heard("⚠️ Stalled")).toEqual([]);
    clock.advance(120_000);
    expect(lines.filter(({ message }) => message.startsWith("⚠️ Stalled"))).toMatchObject([
      { level: "error", message: '⚠️ Stalled consumers detected: ["artists"]' },
    ]);
    expect(consumer.of("artists").isStalled).toBe(true);
    expect(samples(await metrics.render()).get('deadwax_consumer_stalled{type="artists"}')).toBe(1);
    consumer.received("artists", false);
    expect(consumer.of("artists").isStalled).toBe(false);
    expect(samples(await metrics.render()).get('deadwax_since_last_message_seconds{type="artists"}')).toBe(0);
  });
});

describe("what is counted", () => {
  it("agrees with what is told", async () => {
    const consumer = begin();
    for (let message = 0; message < 5; message += 1) consumer.received("artists", message === 4);
    consumer.committed("artists", 4, 0.01);
    consumer.stored("artists", { inserted: 1, updated: 1, unchanged: 2 });
    consumer.purged("artists", 3, "20260801");
    consumer.buried("artists", { deleted: 5, kept: 1, absent: 2, waiting: 0 });
    consumer.changesSubscribed("q");
    consumer.changeDeadLettered({ messageId: "m", reason: "why", queue: "q" });
    consumer.deadLettered("artists", { messageId: "m", reason: "why", queue: "q" });
    consumer.targetUnavailable("artists", new Error("gone\nfor now"), 1000);
    consumer.reconnecting("gone", 1, 200);
    consumer.waiting("artists", 9);
    const shown = samples(await metrics.render());
    const value = (name: string) => shown.get(`deadwax_${name}{type="artists"}`);
    expect(["messages_received_total", "messages_redelivered_total", "commits_total", "records_committed_total"].map(value)).toEqual([5, 1, 1, 4]);
    expect(["rows_purged_total", "dead_letters_total", "target_failures_total", "queue_messages"].map(value)).toEqual([3, 1, 1, 9]);
    expect(
      (["deleted", "kept", "absent", "waiting"] as const).map((burial) => shown.get(`deadwax_tombstones_total{type="artists",burial="${burial}"}`)),
    ).toEqual([5, 1, 2, 0]);
    expect([consumer.areChangesSubscribed, shown.get("deadwax_changes_subscribed"), shown.get("deadwax_changes_dead_letters_total")]).toEqual([true, 1, 1]);
    for (const [fate, count] of [
      ["inserted", 1],
      ["updated", 1],
      ["unchanged", 2],
    ] as const)
      expect(shown.get(`deadwax_rows_total{type="artists",fate="${fate}"}`)).toBe(count);
    expect(shown.get("deadwax_target_available")).toBe(0);
    expect(shown.get("deadwax_broker_reconnect_attempts_total")).toBe(1);
    consumer.targetAvailable("artists");
    expect(samples(await metrics.render()).get("deadwax_target_available")).toBe(1);
  });

  it("is not what other processes count", async () => {
    telemetry.consumer.received("artists", false);
    const names = (await metrics.render()).match(/^deadwax_\w+/gm) ?? [];
    const own = new Set<string>(Object.values(CONSUMER_METRICS).map(({ name }) => name));
    expect(names.filter((name) => !own.has(name))).toEqual([]);
    expect(await new Metrics().render()).not.toContain("deadwax_messages_received_total");
  });
});

it("every message is an emoji of the key, one blank, and text on one line", () => {
  const { consumer } = telemetry;
  const called = new Set<string>();
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(consumer)).filter(
    (name) => !["constructor", "of", "isConnected", "areChangesSubscribed"].includes(name),
  );
  for (const name of names) {
    const work = (consumer as unknown as Record<string, (...args: unknown[]) => void>)[name]?.bind(consumer);
    Object.defineProperty(consumer, name, {
      value: (...args: unknown[]) => {
        called.add(name);
        work?.(...args);
      },
    });
  }
  consumer.started({ name: "tableinator", version: "0.1.0", contract: "topic", batchSize: 1 });
  consumer.delayed(5);
  consumer.connected();
  consumer.blocked("memory");
  consumer.unblocked();
  consumer.lost("gone");
  consumer.reconnecting("gone", 1, 200);
  consumer.subscribed("artists", "q");
  consumer.unsubscribed("artists", "gone");
  consumer.received("artists", false);
  consumer.committed("artists", 1, 0.1);
  consumer.deadLettered("artists", { messageId: null, reason: "why", queue: "q" });
  consumer.deadLetterDelayed("artists", "why", 1000);
  consumer.targetUnavailable("artists", new Error("two\nlines"), 1000);
  consumer.targetAvailable("artists");
  consumer.targetAvailable(null);
  consumer.stored("artists", { inserted: 1, updated: 0, unchanged: 0 });
  consumer.purged("artists", 1, "20260801");
  consumer.buried("artists", { deleted: 1, kept: 1, absent: 0, waiting: 2 });
  consumer.buryDelayed("artists", "why", 1000);
  consumer.changesSubscribed("queue");
  consumer.changesUnsubscribed("why");
  consumer.changeDeadLettered({ messageId: null, reason: "why", queue: "q" });
  consumer.changeDeadLetterDelayed("why", 1000);
  consumer.waiting("artists", 1);
  consumer.told("text");
  consumer.warned("text");
  clock.advance(400_000);
  consumer.fileComplete("artists", { file: null, totalProcessed: null });
  consumer.extractionComplete("artists", { version: "20260801" });
  consumer.stopped("tableinator");
  const messages = lines.map(({ message }) => message);
  expect(messages.length).toBeGreaterThan(20);
  expect(messages.filter((message) => emojiOf(message) === null || message.includes("\n"))).toEqual([]);
  expect([...called].sort()).toEqual(names.sort());
});
