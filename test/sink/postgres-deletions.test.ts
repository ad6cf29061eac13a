import { beforeAll, describe, expect, test } from "vitest";
import { isTombstoneHash } from "../../src/postgres/deletions.ts";
import { openSink } from "../../src/sink/index.ts";
import { auditedDatabase, writes } from "../postgres/scene.ts";
import { CuttingProxy } from "../services/cutting-proxy.ts";
import { Database } from "../services/database.ts";
import { POSTGRES_VERSIONS } from "../services/postgres.ts";
import { batchOf, bodyOf, END, NEVER, STREAMS, TARGET, tombstoneOf } from "./batches.ts";
import { idsOf, load, range } from "./postgres-loads.ts";
import { RecordedEvents, until } from "./sink-events.ts";

const START_MS = 300_000;
const DELETIONS = STREAMS.deletions.target;

beforeAll(async () => {
  await using _first = await Database.create(); // the first start may have to install the server
}, START_MS);

/** Brings tombstones into a target of a database and finishes it; resolves with what was told at the end. */
async function bury(url: string, tombstones: readonly string[], target = DELETIONS): Promise<string | undefined> {
  const events = new RecordedEvents();
  await using sink = openSink(url, events);
  await using writer = await sink.open(target, null, NEVER);
  await writer.write(batchOf(tombstones), NEVER);
  await writer.finish(END, NEVER);
  return events.notes.at(-1);
}

describe.each(POSTGRES_VERSIONS)("on PostgreSQL %s", (version) => {
  test("rows go that still have the record that was deleted; a later record and what is not there stay as they are", async () => {
    await using database = await auditedDatabase(version);
    await load(database.url, range(0, 10));
    await database.query("UPDATE artists SET hash = 'another' WHERE data_id = '3'; UPDATE artists SET hash = upper(hash) WHERE data_id = '4'; TRUNCATE audit");
    const before = await database.query("SELECT data_id, xmin, ctid FROM artists WHERE data_id IN ('3', '4', '0') ORDER BY data_id");
    const told = await bury(database.url, [2, 3, 4, 5, 5, 77].map(tombstoneOf));
    expect(told).toBe("artists: 2 rows deleted, 2 kept since they have a later record, 2 not there");
    expect(await idsOf(database)).toEqual([0, 1, 3, 4, 6, 7, 8, 9]);
    expect(await writes(database)).toEqual({ DELETE: 2 });
    expect(await database.query("SELECT data_id, xmin, ctid FROM artists WHERE data_id IN ('3', '4', '0') ORDER BY data_id")).toEqual(before);
  });

  test("ids of all kinds are found", async () => {
    await using database = await auditedDatabase(version);
    const ids = ["7", "007", 'a"b\\c', "NULL", "{}", " x ", "ünï", "'; --"];
    const sha256 = "ab".repeat(32);
    await using sink = openSink(database.url);
    await using writer = await sink.open(TARGET, null, NEVER);
    await writer.write(batchOf(ids.map((id) => JSON.stringify({ type: "data", id, sha256 }))), NEVER);
    await writer.finish(END, NEVER);
    const tombstones = ids.slice(1).map((id) => JSON.stringify({ ...JSON.parse(tombstoneOf(0)), record_id: id, hash: sha256.slice(0, 32) }));
    expect(await bury(database.url, tombstones)).toBe("artists: 7 rows deleted, 0 kept since they have a later record, 0 not there");
    expect(await idsOf(database)).toEqual([7]);
  });

  test("a connection that is cut between COMMIT and its answer deletes nothing twice", async () => {
    await using database = await auditedDatabase(version);
    await load(database.url, range(0, 500));
    await database.query("TRUNCATE audit");
    const url = new URL(database.with({ portion_records: 100 }));
    await using proxy = await CuttingProxy.to(Number(url.port));
    url.port = String(proxy.port);
    const events = new RecordedEvents();
    await using sink = openSink(url.href, events);
    await using writer = await sink.open(DELETIONS, null, NEVER);
    for (let round = 0; round < 3; round += 1) {
      proxy.cutBehind("COMMIT\0");
      await writer.write(STREAMS.deletions.batchFrom(round * 100, 100), NEVER);
      await until(() => proxy.cuts > round);
    }
    await writer.finish(END, NEVER);
    expect(events.notes.at(-1)).toBe("artists: 300 rows deleted, 0 kept since they have a later record, 0 not there");
    expect([await writes(database), await idsOf(database)]).toEqual([{ DELETE: 300 }, range(300, 500)]);
  });
});

test("a row that came back is not deleted by what was applied before, whatever the state marker thinks", async () => {
  await using database = await auditedDatabase();
  await load(database.url, range(0, 10));
  await using sink = openSink(database.url);
  {
    await using writer = await sink.open(DELETIONS, null, NEVER);
    await writer.write(STREAMS.deletions.batchFrom(0, 5), NEVER);
    expect(await writer.sync(NEVER)).toEqual({ records: 5 });
  }
  await load(database.url, range(0, 5), "20260901");
  await using writer = await sink.open(DELETIONS, { records: 2 }, NEVER); // as after a kill between COMMIT and the marker
  await writer.write(STREAMS.deletions.batchFrom(2, 4), NEVER);
  expect(await writer.sync(NEVER)).toEqual({ records: 6 });
  expect(await idsOf(database)).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9]);
});

test("records and deletions of a file keep positions of their own", async () => {
  await using database = await auditedDatabase();
  const purging = database.with({ purge: "on" });
  await load(purging, range(0, 10));
  await bury(purging, [tombstoneOf(1), tombstoneOf(2)]);
  await using sink = openSink(purging);
  await using records = await sink.open(TARGET, { records: 10 }, NEVER);
  await using deletions = await sink.open(DELETIONS, { records: 2 }, NEVER);
  expect([await records.sync(NEVER), await deletions.sync(NEVER)]).toEqual([{ records: 10 }, { records: 2 }]);
  expect([await sink.holds(DELETIONS), await sink.holds({ ...DELETIONS, version: "20260901" })]).toEqual([true, false]);
  // What the version has been seen to have is still known.
  expect(await database.query("SELECT sum(bit_count(bits))::int AS seen FROM deadwax_seen")).toEqual([{ seen: 10 }]);
  await expect(sink.open({ ...DELETIONS, contract: "fanout" }, { records: 1 }, NEVER)).rejects.toThrow("does not hold 1 records");
});

test("a hash that does not say which record is meant deletes nothing", async () => {
  await using database = await auditedDatabase();
  await load(database.url, range(0, 3));
  const bad = ["", "a", "%", bodyOf(1)].map((hash) => JSON.stringify({ ...JSON.parse(tombstoneOf(1)), hash }));
  expect(await bury(database.url, bad)).toBe("artists: 0 rows deleted, 0 kept since they have a later record, 4 not there");
  expect(await idsOf(database)).toEqual([0, 1, 2]);
  expect([undefined, null, 7, "0".repeat(31), "0".repeat(65), "G".repeat(32)].map(isTombstoneHash)).toEqual(Array(6).fill(false));
  expect(["0".repeat(32), "f".repeat(64)].map(isTombstoneHash)).toEqual([true, true]);
});
