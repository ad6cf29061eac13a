import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BatchChanges, CHANGE_TYPES, type ChangeType, type Contract } from "../../src/model.ts";
import { openSink } from "../../src/sink/index.ts";
import { SUMMARY_IDS_MAX } from "../../src/sink/rabbitmq/notifier.ts";
import type { SinkWriter } from "../../src/sink/sink.ts";
import { type Delivered, sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { batchFrom, bodyOf, END, NEVER, STREAMS, TARGET, tombstoneOf, writeAndReuse } from "./batches.ts";
import { RecordedEvents } from "./sink-events.ts";

const START_MS = 300_000;
const RUN = { id: "2f1e5a3c-0000-4000-8000-000000000001", isBaseline: false };
const EXCHANGES = { topic: "discogsography-exchange", fanout: "discogsography-discogs-changes" } as const;

let host: VirtualHost;
beforeAll(async () => {
  host = await VirtualHost.create(await sharedBroker());
}, START_MS);
beforeEach(() => host.empty());
afterAll(() => host[Symbol.asyncDispose]());

/** A queue that hears of all changes of a contract. */
async function listen(contract: Contract): Promise<string> {
  const channel = await host.channel();
  const exchange = EXCHANGES[contract];
  await channel.exchangeDeclare({ exchange, type: "topic", durable: true });
  await channel.queueDeclare({ queue: "changes", durable: true });
  await channel.queueBind({ queue: "changes", exchange, routingKey: "*.changes" });
  return "changes";
}

/** A queue that gets the records of artists, as a consumer's does. */
async function listenToRecords(contract: Contract): Promise<string> {
  const channel = await host.channel();
  const exchange = contract === "topic" ? "discogsography-exchange" : "discogsography-discogs-artists";
  await channel.exchangeDeclare({ exchange, type: contract, durable: true });
  await channel.queueDeclare({ queue: "records", durable: true });
  await channel.queueBind({ queue: "records", exchange, routingKey: contract === "topic" ? "artists" : "" });
  return "records";
}

function changed(kinds: readonly ChangeType[], run = RUN): BatchChanges {
  return { run, kinds: Uint8Array.from(kinds, (kind) => CHANGE_TYPES.indexOf(kind)) };
}

async function write(contract: Contract, settings: Readonly<Record<string, string>>, use: (writer: SinkWriter) => Promise<unknown>): Promise<RecordedEvents> {
  const events = new RecordedEvents();
  await using sink = openSink(host.url(settings), events);
  await using writer = await sink.open({ ...TARGET, contract }, null, NEVER);
  await use(writer);
  return events;
}

const json = ({ body }: Delivered) => JSON.parse(body.toString());
const isRecord = ({ messageId }: Delivered) => !messageId?.endsWith("/file_complete");
const fields = (recordId: string, change: string) => ({
  data_type: "artists",
  record_id: recordId,
  change_type: change,
  processing_run_id: RUN.id,
  timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
});

describe.each(["topic", "fanout"] as const)("in the %s contract", (contract) => {
  test("records say in their headers how they have changed, and have the bodies that they have without", async () => {
    const records = await listenToRecords(contract);
    const batch = { ...batchFrom(5, 2), contract, changes: changed(["created", "updated"]) };
    await write(contract, {}, async (writer) => {
      await writeAndReuse(writer, batch);
      await writer.finish(END, NEVER);
    });
    const delivered = (await host.drain(records)).filter(isRecord);
    expect(delivered.map(({ body, headers }) => [body.toString(), headers])).toEqual([
      [bodyOf(5), { "x-deadwax-change-type": "created", "x-deadwax-run-id": RUN.id }],
      [bodyOf(6), { "x-deadwax-change-type": "updated", "x-deadwax-run-id": RUN.id }],
    ]);
  });

  test("each created or updated record is told of once, in exactly five fields, and nobody needs to listen", async () => {
    const batch = { ...batchFrom(5, 3), contract, changes: changed(["created", "unchanged", "updated"]) };
    const queue = await listen(contract);
    for (let time = 0; time < 2; time += 1) {
      const events = await write(contract, {}, async (writer) => {
        await listenToRecords(contract);
        await writer.write(batch, NEVER);
        expect(await writer.sync(NEVER)).toEqual({ messages: 3 });
      });
      expect(events.confirmedMessages).toBe(5);
      if (time === 0) {
        const delivered = await host.drain(queue);
        expect(delivered.map(json)).toStrictEqual([fields("5", "created"), fields("7", "updated")]);
        expect(delivered.map(({ messageId, exchange, routingKey, durable, headers }) => ({ messageId, exchange, routingKey, durable, headers }))).toEqual(
          ["5", "7"].map((ordinal) => ({
            messageId: `20260801/artists/${ordinal}/change`,
            exchange: EXCHANGES[contract],
            routingKey: "artists.changes",
            durable: true,
            headers: undefined,
          })),
        );
        await (await host.channel()).queueDelete({ queue });
      }
    }
  });

  test("a baseline and a run that looks for no changes tell of nothing", async () => {
    const queue = await listen(contract);
    await listenToRecords(contract);
    for (const changes of [null, changed(["created", "created"], { ...RUN, isBaseline: true })]) {
      for (const change_notifications of ["each", "summary"]) {
        await write(contract, { change_notifications }, async (writer) => {
          await writer.write({ ...batchFrom(0, 2), contract, changes }, NEVER);
          await writer.finish(END, NEVER);
        });
      }
    }
    expect(await host.drain(queue)).toEqual([]);
  });

  test("change_notifications=off tells of nothing but tombstones", async () => {
    const queue = await listen(contract);
    const records = await listenToRecords(contract);
    await using sink = openSink(host.url({ change_notifications: "off" }));
    for (const stream of ["records", "deletions"] as const) {
      await using writer = await sink.open({ ...STREAMS[stream].target, contract }, null, NEVER);
      await writer.write({ ...STREAMS[stream].batchFrom(0, 1), contract, changes: changed(["created"]) }, NEVER);
      await writer.finish(END, NEVER);
    }
    expect((await host.drain(queue)).map(json)).toEqual([{ ...fields("0", "deleted") }]);
    expect((await host.drain(records)).map(({ messageId }) => messageId)).toEqual(["20260801/artists/0", "20260801/artists/file_complete"]);
  });

  test("a tombstone is five fields under the key of changes, with the record's hash beside them, and nothing else", async () => {
    const queue = await listen(contract);
    const records = await listenToRecords(contract);
    await using sink = openSink(host.url());
    await using writer = await sink.open({ ...TARGET, contract, stream: "deletions" }, null, NEVER);
    await writer.write({ ...STREAMS.deletions.batchFrom(3, 2), contract }, NEVER);
    expect(await writer.sync(NEVER)).toEqual({ messages: 2 });
    await writer.finish(END, NEVER);
    const delivered = await host.drain(queue);
    expect(await host.depth(records)).toBe(0);
    for (const [index, message] of delivered.entries()) {
      const { hash, ...five } = JSON.parse(tombstoneOf(3 + index));
      expect(json(message)).toStrictEqual(five);
      expect(message).toMatchObject({ messageId: `20260801/artists/${3 + index}/deleted`, routingKey: "artists.changes", headers: { "x-deadwax-hash": hash } });
    }
    expect(delivered.length).toBe(2);
  });

  test("a summary tells once of all changes of a file, with some of their ids, also after a restart", async () => {
    const queue = await listen(contract);
    await listenToRecords(contract);
    await using sink = openSink(host.url({ change_notifications: "summary" }));
    const target = { ...TARGET, contract };
    const kinds = Array.from({ length: SUMMARY_IDS_MAX + 50 }, (): ChangeType => "created");
    await using first = await sink.open(target, null, NEVER);
    await first.write({ ...batchFrom(0, kinds.length), contract, changes: changed(kinds) }, NEVER);
    const position = await first.sync(NEVER);
    await first.write({ ...batchFrom(kinds.length, 2), contract, changes: changed(["updated", "updated"]) }, NEVER); // and it is killed
    await using second = await sink.open(target, JSON.parse(JSON.stringify(position)), NEVER);
    expect(await second.sync(NEVER)).toEqual(position);
    await second.write({ ...batchFrom(kinds.length, 2), contract, changes: changed(["updated", "created"]) }, NEVER);
    await second.finish(END, NEVER);
    const delivered = await host.drain(queue);
    expect(delivered.map(({ messageId, routingKey }) => [messageId, routingKey])).toEqual([["20260801/artists/changes", "artists.changes"]]);
    const { record_id: _none, ...common } = fields("", "summary");
    const sample = { created: [String(kinds.length + 1)], updated: [String(kinds.length)] };
    expect(delivered.map(json)).toStrictEqual([{ ...common, counts: { created: kinds.length + 1, updated: 1 }, sample }]);
  });

  test("a summary names a bounded number of ids", async () => {
    const queue = await listen(contract);
    await listenToRecords(contract);
    const count = 3 * SUMMARY_IDS_MAX;
    await write(contract, { change_notifications: "summary" }, async (writer) => {
      const kinds = Array.from({ length: count }, (_, index): ChangeType => (index % 2 === 0 ? "created" : "updated"));
      await writer.write({ ...batchFrom(0, count), contract, changes: changed(kinds) }, NEVER);
      await writer.finish(END, NEVER);
    });
    const [summary] = (await host.drain(queue)).map(json);
    expect(summary.counts).toEqual({ created: count / 2, updated: count / 2 });
    expect([summary.sample.created.length, summary.sample.updated.length]).toEqual([SUMMARY_IDS_MAX, SUMMARY_IDS_MAX]);
    expect(summary.sample.updated.slice(0, 2)).toEqual(["1", "3"]);
  });

  test("change_type_in_body=true puts upstream's members behind all others", async () => {
    const records = await listenToRecords(contract);
    await write(contract, { change_type_in_body: "true", change_notifications: "off" }, async (writer) => {
      await writer.write({ ...batchFrom(0, 2), contract, changes: changed(["created", "updated"]) }, NEVER);
      await writer.write({ ...batchFrom(2, 1), contract }, NEVER);
      await writer.finish(END, NEVER);
    });
    const bodies = (await host.drain(records)).filter(isRecord).map(({ body }) => body.toString());
    expect(bodies).toEqual([
      bodyOf(0).replace(/\}$/, `,"_change_type":"created","_processing_run_id":"${RUN.id}"}`),
      bodyOf(1).replace(/\}$/, `,"_change_type":"updated","_processing_run_id":"${RUN.id}"}`),
      bodyOf(2),
    ]);
  });
});

test("records and what is told of them share one small window", async () => {
  const queue = await listen("topic");
  const kinds = Array.from({ length: 300 }, (): ChangeType => "updated");
  const events = await write("topic", { window_messages: "7", window_bytes: "900" }, async (writer) => {
    await writer.write({ ...batchFrom(0, 300), changes: changed(kinds) }, NEVER);
    await writer.sync(NEVER);
  });
  expect(events.confirmedMessages).toBe(600);
  expect((await host.drain(queue)).map(json).map(({ record_id }) => record_id)).toEqual(kinds.map((_, index) => String(index)));
});

test("the exchange of changes is declared where there are some, and no queue", async () => {
  await write("fanout", {}, async (writer) => {
    const exchanges = async () => {
      const all = await host.api<{ name: string; type: string; durable: boolean }[]>("GET", `exchanges/${host.name}`);
      return all.filter(({ name }) => name !== "" && !name.startsWith("amq.")).map(({ name, type, durable }) => [name, type, durable]);
    };
    const records = ["discogsography-discogs-artists", "fanout", true];
    await listenToRecords("fanout");
    expect(await exchanges()).toEqual([records]);
    await writer.write({ ...batchFrom(0, 1), contract: "fanout", changes: changed(["created"]) }, NEVER);
    await writer.sync(NEVER);
    expect(await exchanges()).toEqual([records, ["discogsography-discogs-changes", "topic", true]]);
  });
  expect((await host.api<{ name: string }[]>("GET", `queues/${host.name}`)).map(({ name }) => name)).toEqual(["records"]);
});
