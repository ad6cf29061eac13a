import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONTRACTS, type Contract } from "../../src/model.ts";
import { type Delivered, sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { type MessageSchema, schemaFault } from "../support/message-schemas.ts";
import { seeded } from "../system/support/random.ts";
import { countsOf, expectedChanges, idOf } from "./oracle.ts";
import { A, B, Scene } from "./scene.ts";

const START_MS = 300_000;
const EXCHANGES = { topic: "discogsography-exchange", fanout: "discogsography-discogs-changes" } as const;

const random = seeded("messages of changes");
let scene: Scene;
let host: VirtualHost;
beforeAll(async () => {
  scene = await Scene.create({ artists: 300, labels: 200, masters: 100, releases: 100 }, random.seed);
  await scene.next(B, "created=7,updated=11,deleted=1", { seed: random.seed });
  host = await VirtualHost.create(await sharedBroker());
}, START_MS);
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

/** Queues as consumers have them: one that hears of all changes, and one for all records. */
async function listen(contract: Contract): Promise<void> {
  const channel = await host.channel();
  await channel.exchangeDeclare({ exchange: EXCHANGES[contract], type: "topic", durable: true });
  await channel.queueDeclare({ queue: "changes", durable: true });
  await channel.queueBind({ queue: "changes", exchange: EXCHANGES[contract], routingKey: "*.changes" });
  await channel.queueDeclare({ queue: "records", durable: true });
  for (const type of scene.types) {
    const exchange = contract === "topic" ? EXCHANGES.topic : `discogsography-discogs-${type}`;
    await channel.exchangeDeclare({ exchange, type: contract, durable: true });
    await channel.queueBind({ queue: "records", exchange, routingKey: contract === "topic" ? type : "" });
  }
}

/** The schema that a message is to keep: told by what it says of itself, and of no other. */
function schemaOf({ body }: Delivered, contract: Contract): MessageSchema {
  const { type, change_type: change } = JSON.parse(body.toString()) as { type?: string; change_type?: string };
  if (change === "summary") return "change-summary";
  if (change !== undefined) return change === "deleted" ? "tombstone" : "change-notification";
  return type === "file_complete" ? "file-complete" : `${contract}-record`;
}

/** How many messages keep each schema; every one has to keep its own. */
async function drained(queue: string, contract: Contract): Promise<{ counts: Record<string, number>; messages: Delivered[] }> {
  const messages = await host.drain(queue);
  const counts: Record<string, number> = {};
  for (const message of messages) {
    const name = schemaOf(message, contract);
    expect([message.messageId, schemaFault(name, message.body.toString())]).toEqual([message.messageId, null]);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return { counts, messages };
}

describe.each(CONTRACTS)("a run in the %s contract", (contract) => {
  test.each(["each", "summary"])(
    "has messages of changes, told %s, and lines of deletions, that keep the schemas of docs/messages",
    async (changeNotifications) => {
      await host.empty();
      await listen(contract);
      const name = `${contract}-${changeNotifications}`;
      const sink = [`file:${scene.place(name)}/out`, host.url({ change_notifications: changeNotifications })];
      const flags = { sink, chunk: "16KiB" };
      await scene.run(name, { contract, version: A, flags });
      expect((await drained("changes", contract)).counts).toEqual({});
      await drained("records", contract);
      await scene.run(name, { contract, version: B, flags });

      const expected = { created: 0, updated: 0, deleted: 0 };
      const gone: string[] = [];
      let summarised = 0;
      for (const type of scene.types) {
        const found = expectedChanges((await scene.full(type, A, { contract })).last, (await scene.full(type, B, { contract })).last);
        const counts = countsOf(found);
        for (const kind of ["created", "updated", "deleted"] as const) expected[kind] += counts[kind];
        gone.push(...found.deleted.map((id) => `${type} ${id}`));
        if (counts.created + counts.updated > 0) summarised += 1;
        const { deleted } = await scene.stream(name, type, B);
        for (const line of deleted) expect(schemaFault("deleted-line", line)).toBeNull();
        expect(deleted.length).toBe(counts.deleted);
      }
      expect(Math.min(...Object.values(expected))).toBeGreaterThan(0);
      const { counts, messages } = await drained("changes", contract);
      const told = changeNotifications === "each" ? { "change-notification": expected.created + expected.updated } : { "change-summary": summarised };
      expect(counts).toEqual({ ...told, tombstone: expected.deleted });
      const tombstones = messages.filter((message) => schemaOf(message, contract) === "tombstone");
      const buried = tombstones.map(({ body }) => JSON.parse(body.toString()) as { data_type: string; record_id: string });
      expect(buried.map(({ data_type, record_id }) => `${data_type} ${record_id}`).sort()).toEqual(gone.sort());
      for (const { headers } of tombstones) expect(headers?.["x-deadwax-hash"]).toMatch(/^[0-9a-f]{32}$/);
      const records = await drained("records", contract);
      expect(records.counts).toEqual({ [`${contract}-record`]: expected.created + expected.updated, "file-complete": scene.types.length });
      expect(new Set(records.messages.map(({ body }) => idOf(body.toString()))).size).toBeGreaterThan(1);
    },
  );
});
