import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { CHANGE_TYPES, CONTRACTS, type Contract } from "../../src/model.ts";
import { openSink } from "../../src/sink/index.ts";
import { writes } from "../postgres/scene.ts";
import { batchFrom, batchOf, END, NEVER, TARGET, tombstoneOf } from "../sink/batches.ts";
import { idsOf, range } from "../sink/postgres-loads.ts";
import { until } from "../sink/sink-events.ts";
import { seeded } from "../system/support/random.ts";
import { cases, figure, timeoutMs } from "../system/support/scale.ts";
import { TableWriter } from "./program.ts";
import { TableScene } from "./scene.ts";

const EVERY_MS = 20_000;
const KILLS = cases(6, 40);
const RUN = { id: "2f1e5a3c-0000-4000-8000-000000000001", isBaseline: false };
const [A, B, C] = ["20260701", "20260801", "20260901"];

const random = seeded("tombstone kills");
const scene = TableScene.ofFile();

const queueOf = (contract: Contract) => (contract === "topic" ? "discogsography-tableinator-changes" : "discogsography-discogs-tableinator-changes");

/** Publishes the records of ordinals, as created ones of a version, to its end; the file may have a name that does not tell the version. */
async function publishRecords(contract: Contract, version: string, ordinals: readonly number[], file = `discogs_${version}_artists.xml.gz`): Promise<void> {
  await using sink = openSink(scene.host.url());
  await using writer = await sink.open({ ...TARGET, contract, version }, null, NEVER);
  const [first = 0] = ordinals;
  const kinds = new Uint8Array(ordinals.length).fill(CHANGE_TYPES.indexOf("created"));
  await writer.write({ ...batchFrom(first, ordinals.length), contract, version, changes: { run: RUN, kinds } }, NEVER);
  await writer.finish({ ...END, file }, NEVER);
}

/** Publishes the tombstones of ordinals that a version no longer has. */
async function publishTombstones(contract: Contract, version: string, ordinals: readonly number[]): Promise<void> {
  await using sink = openSink(scene.host.url());
  await using writer = await sink.open({ ...TARGET, contract, version, stream: "deletions" }, null, NEVER);
  await writer.write({ ...batchOf(ordinals.map(tombstoneOf)), contract, version }, NEVER);
  await writer.finish(END, NEVER);
}

async function waiting(): Promise<number> {
  return Number((await scene.database.query<{ count: string }>("SELECT count(*) FROM deadwax_tombstones"))[0]?.count);
}

/** What became of tombstones of artists, by the metrics, once so many are counted. */
async function buried(writer: TableWriter, total: number): Promise<Record<string, number>> {
  let counts: Record<string, number> = {};
  await until(async () => {
    const lines = (await writer.metrics()).matchAll(/^deadwax_tombstones_total\{type="artists",burial="(\w+)"\} (\d+)$/gm);
    counts = Object.fromEntries([...lines].map(([, burial, count]) => [burial, Number(count)]));
    return Object.values(counts).reduce((sum, count) => sum + count, 0) === total;
  });
  return counts;
}

/** The version whose records of artists have come to their end. */
async function ended(): Promise<string | undefined> {
  return (await scene.database.query<{ version: string }>("SELECT version FROM deadwax_ended WHERE data_type = 'artists'"))[0]?.version;
}

describe.each(CONTRACTS)("%s", (contract) => {
  test("a tombstone deletes its row, and of created and updated records nothing is left to do", { timeout: EVERY_MS }, async () => {
    await using writer = await scene.startForChanges(contract);
    await publishRecords(contract, A, range(0, 20));
    await publishRecords(contract, B, range(20, 22));
    await until(async () => (await ended()) === B);
    await publishTombstones(contract, B, [3, 4, 99]);
    expect(await buried(writer, 3)).toEqual({ deleted: 2, kept: 0, absent: 1, waiting: 0 });
    await writer.says("rows of artists deleted whose records are gone");
    expect(await idsOf(scene.database)).toEqual([0, 1, 2, ...range(5, 22)]);
    expect(await writes(scene.database)).toEqual({ INSERT: 22, DELETE: 2 });
    await until(async () => (await scene.host.depth(queueOf(contract))) === 0);
    expect(await writer.metrics()).toContain("deadwax_changes_subscribed 1\n");
    expect(await writer.stop()).toBe(0);
    expect(await scene.host.depth(`${queueOf(contract)}.dlq`)).toBe(0);
  });

  test("a tombstone that comes before the record it means waits for the end of its version's records", { timeout: EVERY_MS }, async () => {
    await using writer = await scene.startForChanges(contract);
    await publishTombstones(contract, B, [3, 4]);
    await until(async () => (await waiting()) === 2);
    await publishRecords(contract, A, range(0, 10));
    await until(async () => (await ended()) === A);
    expect((await idsOf(scene.database)).length).toBe(10); // the version is not at its end
    await publishRecords(contract, B, range(10, 12), "artists-of-august.xml.gz");
    expect(await buried(writer, 4)).toEqual({ deleted: 2, kept: 0, absent: 0, waiting: 2 });
    expect([await idsOf(scene.database), await waiting()]).toEqual([[0, 1, 2, ...range(5, 12)], 0]);
    // And once only: a record that comes back stays.
    await publishRecords(contract, C, range(3, 5));
    await until(async () => (await ended()) === C);
    expect(await idsOf(scene.database)).toEqual(range(0, 12));
  });

  test("a late tombstone cannot undo that its record came back, also with the very content that it had", { timeout: EVERY_MS }, async () => {
    await using writer = await scene.startForChanges(contract);
    await publishRecords(contract, A, range(0, 10));
    await publishRecords(contract, B, range(10, 11));
    await publishRecords(contract, C, range(3, 5));
    await until(async () => (await ended()) === C);
    await publishTombstones(contract, B, [3, 4, 5]);
    expect(await buried(writer, 3)).toEqual({ deleted: 1, kept: 2, absent: 0, waiting: 0 });
    expect(await idsOf(scene.database)).toEqual([0, 1, 2, 3, 4, ...range(6, 11)]);
  });

  test("what is no change, or does not say which record is gone, goes to the dead letters", { timeout: EVERY_MS }, async () => {
    await using writer = await scene.startForChanges(contract);
    await publishRecords(contract, A, range(0, 10));
    await until(async () => (await ended()) === A);
    const { hash: _hash, ...fields } = JSON.parse(tombstoneOf(3));
    const channel = await scene.host.channel();
    await channel.confirmSelect();
    const exchange = contract === "topic" ? "discogsography-exchange" : "discogsography-discogs-changes";
    for (const body of ["junk", "[]", JSON.stringify(fields), JSON.stringify({ ...fields, data_type: "pets" })]) {
      await channel.basicPublish({ exchange, routingKey: "artists.changes", durable: true }, Buffer.from(body));
    }
    await publishTombstones(contract, A, [5]);
    expect(await buried(writer, 1)).toEqual({ deleted: 1, kept: 0, absent: 0, waiting: 0 });
    await until(async () => (await scene.host.depth(`${queueOf(contract)}.dlq`)) === 4);
    const dead = await scene.host.drain(`${queueOf(contract)}.dlq`);
    // The reader's own refusals come before those of the scene.database, in what is taken at a time.
    expect(dead.map(({ body, headers }) => [body.toString().slice(0, 4), headers?.["x-deadwax-reason"]]).sort()).toEqual([
      ["[]", "the body is not a JSON object"],
      ["junk", "the body is not JSON"],
      ['{"da', "data_type is not one of the four"],
      ['{"da', "x-deadwax-hash does not say which record is gone"],
    ]);
    expect(await idsOf(scene.database)).toEqual([0, 1, 2, 3, 4, ...range(6, 10)]);
    expect(await writer.metrics()).toContain("deadwax_changes_dead_letters_total 4\n");
  });
});

test(`${KILLS} kills: tombstones before and behind their records end in the same rows`, { timeout: timeoutMs(180_000, 900_000) }, async () => {
  const [records, gone] = [3_000, 1_000];
  await (await scene.startForChanges("topic")).stop(); // declares its queues
  await publishTombstones("topic", B, range(0, gone));
  await publishRecords("topic", A, range(0, records));
  await publishRecords("topic", B, range(records, records + 500));
  await publishTombstones("topic", B, range(gone, 2 * gone));
  await publishRecords("topic", C, range(0, 10));
  let kills = 0;
  for (; kills < KILLS; kills += 1) {
    await using writer = new TableWriter({ ...scene.variables("topic"), POSTGRES_BATCH_SIZE: "100" });
    await writer.says("Consuming");
    await sleep(random.between(0, 250));
    writer.kill("SIGKILL");
    await writer.exited;
  }
  await using writer = await scene.startForChanges("topic");
  await until(async () => (await ended()) === C && (await waiting()) === 0 && (await scene.host.depth("discogsography-tableinator-changes")) === 0);
  const expected = [...range(0, 10), ...range(2 * gone, records + 500)];
  await until(async () => (await idsOf(scene.database)).length === expected.length);
  expect(await writer.stop()).toBe(0);
  expect(await idsOf(scene.database)).toEqual(expected);
  figure("tombstone kills", { seed: random.seed, kills, records: records + 510, tombstones: 2 * gone });
});
