import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { openSink } from "../../src/sink/index.ts";
import type { Stream } from "../../src/sink/sink.ts";
import { isPositionLost } from "../../src/sink/sink-errors.ts";
import { auditedDatabase, migrated, writes } from "../postgres/scene.ts";
import { Database } from "../services/database.ts";
import { freePort } from "../services/ports.ts";
import { batchFrom, END, NEVER, STREAMS, TARGET, tombstoneOf } from "./batches.ts";
import { type Destination, sinkContract } from "./contract.ts";
import { idsOf, load, range } from "./postgres-loads.ts";

const START_MS = 300_000;

let shared: Database;
beforeAll(async () => {
  shared = await Database.create();
}, START_MS);
afterAll(() => shared[Symbol.asyncDispose]());

/** Rows that tombstones of the contract may mean. */
const ROWS = STREAMS.deletions.many + 1000;

/** A sink in front of a schema of its own; with a row for every tombstone that may come. */
async function create(stream: Stream): Promise<Destination> {
  const schema = `s_${randomBytes(4).toString("hex")}`;
  const url = shared.with(stream === "records" ? { schema } : { schema, portion_records: 1000 });
  await migrated(url);
  const sink = openSink(url);
  if (stream === "deletions") {
    const rows = `SELECT n, encode(sha256(n::text::bytea), 'hex'), '{}' FROM generate_series(0, ${ROWS - 1}) AS n`;
    await shared.query(`INSERT INTO ${schema}.artists (data_id, hash, data) ${rows}`);
  }
  return {
    sink,
    async read() {
      if (stream === "deletions") {
        const left = await shared.query<{ data_id: string }>(`SELECT data_id FROM ${schema}.artists`);
        const ids = new Set(left.map(({ data_id }) => Number(data_id)));
        return range(0, ROWS)
          .flatMap((ordinal) => (ids.has(ordinal) ? [] : [`${tombstoneOf(ordinal)}\n`]))
          .join("");
      }
      const rows = await shared.query<{ data: { id: string; sha256: string; text: string } }>(`SELECT data FROM ${schema}.artists ORDER BY data_id::integer`);
      return rows.map(({ data: { id, sha256, text } }) => `${JSON.stringify({ type: "data", id, sha256, text })}\n`).join("");
    },
    async [Symbol.asyncDispose]() {
      await sink[Symbol.asyncDispose]();
      await shared.query(`DROP SCHEMA ${schema} CASCADE`);
    },
  };
}

async function createBroken(): Promise<Destination> {
  const sink = openSink(`postgres://user:secret@127.0.0.1:${await freePort()}/db`);
  return { sink, read: async () => null, [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose]() };
}

const capabilities = { resumable: true, behindPosition: "repeated", writtenTwice: "ignored", visible: "at once" } as const;
sinkContract({ name: "postgres", capabilities, create, createBroken });

test("what the database says counts, not what the state marker thinks", async () => {
  await using database = await auditedDatabase();
  await using sink = openSink(database.url);
  {
    await using writer = await sink.open(TARGET, null, NEVER);
    await writer.write(batchFrom(0, 100), NEVER);
    expect(await writer.sync(NEVER)).toEqual({ records: 100 });
  }
  {
    await using writer = await sink.open(TARGET, { records: 40 }, NEVER); // as after a kill between COMMIT and the marker
    await writer.write(batchFrom(40, 30), NEVER);
    await writer.write(batchFrom(70, 50), NEVER);
    expect(await writer.sync(NEVER)).toEqual({ records: 120 });
  }
  expect(await writes(database)).toEqual({ INSERT: 120 });
  expect(await idsOf(database)).toEqual(range(0, 120));
});

test("a target that was finished is not there any more once the database was made anew", async () => {
  await using database = await auditedDatabase();
  await load(database.url, range(0, 10));
  await using sink = openSink(database.url);
  const held = async () =>
    await Promise.all([sink.holds(TARGET), sink.holds({ ...TARGET, version: "20260901" }), sink.holds({ ...TARGET, contract: "fanout" })]);
  expect(await held()).toEqual([true, false, false]);
  await database.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  await migrated(database.url);
  expect(await held()).toEqual([false, false, false]);
});

test("a position that the database does not hold is lost", async () => {
  await using database = await auditedDatabase();
  await using sink = openSink(database.url);
  const failure = await sink.open(TARGET, { records: 1 }, NEVER).then(
    () => null,
    (error: unknown) => error,
  );
  expect(isPositionLost(failure)).toBe(true);
});

test("a run that another one has taken over from writes nothing more", async () => {
  await using database = await auditedDatabase();
  await using first = openSink(database.url);
  await using second = openSink(database.url);
  await using old = await first.open(TARGET, null, NEVER);
  await old.write(batchFrom(0, 10), NEVER);
  await old.sync(NEVER);
  await using taken = await second.open(TARGET, { records: 10 }, NEVER);
  await old.write(batchFrom(10, 10), NEVER);
  await expect(old.sync(NEVER)).rejects.toThrow("another run has taken the table over");
  await taken.write(batchFrom(10, 5), NEVER);
  await taken.finish(END, NEVER);
  expect(await idsOf(database)).toEqual(range(0, 15));
});

test("tables that are not there are told of, with what makes them", async () => {
  await using database = await Database.create();
  await using sink = openSink(database.url);
  const failure = await sink.check(NEVER).then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(DumpError);
  expect(failure).toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringContaining("deadwax migrate") });
});
