import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { openSink } from "../../src/sink/index.ts";
import { auditedDatabase, leftovers, writes } from "../postgres/scene.ts";
import { Database } from "../services/database.ts";
import { POSTGRES_VERSIONS } from "../services/postgres.ts";
import { batchFrom, batchOf, bodyOf, END, NEVER, TARGET } from "./batches.ts";
import { idsOf, load, range } from "./postgres-loads.ts";
import { RecordedEvents } from "./sink-events.ts";

const START_MS = 300_000;

beforeAll(async () => {
  await using _first = await Database.create(); // the first start may have to install the server
}, START_MS);

describe.each(POSTGRES_VERSIONS)("on PostgreSQL %s", (version) => {
  test("a first load is copied as it is, and what is loaded again is not touched", async () => {
    await using database = await auditedDatabase(version);
    const first = await load(database.url, range(0, 3000));
    expect(first.notes.at(-1)).toBe("artists: 3000 rows inserted, 0 updated, 0 left as they were");
    expect(first.notes.some((note) => note.includes("built the index"))).toBe(true);
    const before = await database.query("SELECT data_id, xmin, ctid, updated_at FROM artists ORDER BY data_id");
    const again = await load(database.url, range(0, 3000), "20260901");
    expect(again.notes).toEqual(["artists: 0 rows inserted, 0 updated, 3000 left as they were"]);
    expect(await database.query("SELECT data_id, xmin, ctid, updated_at FROM artists ORDER BY data_id")).toEqual(before);
    expect(await writes(database)).toEqual({ INSERT: 3000 });
    expect(await leftovers(database)).toEqual([]);
  });

  test("only what is new or differs is written", async () => {
    await using database = await auditedDatabase(version);
    await load(database.url, range(0, 100));
    await database.query("UPDATE artists SET hash = 'old', data = '{}' WHERE data_id IN ('7', '50')");
    await database.query("TRUNCATE audit");
    const events = await load(database.url, [...range(100, 110), ...range(0, 100)], "20260901"); // ids do not ascend
    expect(events.notes).toEqual(["artists: 10 rows inserted, 2 updated, 98 left as they were"]);
    expect(await writes(database)).toEqual({ INSERT: 10, UPDATE: 2 });
    const [row] = await database.query<{ data: { text: string }; hash: string }>("SELECT data, hash FROM artists WHERE data_id = '50'");
    expect(row).toMatchObject({ data: JSON.parse(bodyOf(50)), hash: JSON.parse(bodyOf(50)).sha256 });
  });

  test("of records with one id the last one counts, in one portion as in several", async () => {
    for (const portion_records of [1, 1000]) {
      await using database = await auditedDatabase(version);
      const body = (hash: string) => JSON.stringify({ type: "data", id: "5", sha256: hash, text: hash });
      await using sink = openSink(database.with({ portion_records }));
      await using writer = await sink.open(TARGET, null, NEVER);
      await writer.write(batchOf([body("a"), bodyOf(6), body("b"), body("c")]), NEVER);
      await writer.finish(END, NEVER);
      expect(await database.query("SELECT hash, data->>'text' AS text FROM artists WHERE data_id = '5'")).toEqual([{ hash: "c", text: "c" }]);
      expect(await idsOf(database)).toEqual([5, 6]);
    }
  });

  test("records with one id write nothing where the last of them is stored already, whatever the others say", async () => {
    await using database = await auditedDatabase(version);
    const body = (hash: string) => JSON.stringify({ type: "data", id: "5", sha256: hash, text: hash });
    for (const dump of ["20260801", "20260901", "20261001"]) {
      await using sink = openSink(database.url);
      await using writer = await sink.open({ ...TARGET, version: dump }, null, NEVER);
      await writer.write(batchOf([body("b"), bodyOf(6), body("c")]), NEVER);
      await writer.finish(END, NEVER);
      expect([dump, await database.query("SELECT hash FROM artists WHERE data_id = '5'")]).toEqual([dump, [{ hash: "c" }]]);
    }
    expect(await writes(database)).toEqual({ INSERT: 2 });
  });

  test("ids of all kinds and texts of all kinds arrive", async () => {
    await using database = await auditedDatabase(version);
    const ids = ["7", "007", 'a"b\\c', "NULL", "{}", " x ", "ünï", "unknown", "9007199254740993"];
    const text = 'tab\t, line\n\r, back\\slash, \\N, "quoted", \u0001, \u2028, 😀';
    const bodies = ids.map((id) => JSON.stringify({ type: "data", id, sha256: "h", text }));
    bodies.push('{"type":"data","id":"nul","sha256":"h","text":"a\\u0000b\\ud800c\\udc00\\ud83d\\ude00"}');
    const events = new RecordedEvents();
    await using sink = openSink(database.url, events);
    await using writer = await sink.open(TARGET, null, NEVER);
    await writer.write(batchOf(bodies), NEVER);
    await writer.finish(END, NEVER);
    const rows = await database.query<{ data_id: string; text: string }>("SELECT data_id, data->>'text' AS text FROM artists");
    expect(new Map(rows.map(({ data_id, text }) => [data_id, text]))).toEqual(
      new Map([...ids.map((id) => [id, text] as const), ["nul", "a\ufffdb\ufffdc\ufffd😀"]]),
    );
    expect(events.notes.some((note) => note.startsWith("warning: artists: in 1 documents NUL"))).toBe(true);
  });

  test("a record that no row can hold stops nobody, and is told of", async () => {
    await using database = await auditedDatabase(version);
    const events = new RecordedEvents();
    await using sink = openSink(database.url, events);
    await using writer = await sink.open(TARGET, null, NEVER);
    const odd = ['{"type":"data","id":"","sha256":"h"}', JSON.stringify({ type: "data", id: "9".repeat(3000), sha256: "h" })];
    await writer.write(batchOf([bodyOf(0), ...odd, bodyOf(1)]), NEVER);
    await writer.finish(END, NEVER);
    expect(await idsOf(database)).toEqual([0, 1]);
    expect(events.notes).toContain("warning: artists: 2 records are not stored: id is empty");
    expect(events.notes.at(-1)).toBe("artists: 2 rows inserted, 0 updated, 0 left as they were, 2 records not stored");
  });
});

test("rows go by COPY, straight into an empty table and by the staging table into a full one, as the server shows", async () => {
  const seen = new Set<string>();
  await using database = await auditedDatabase();
  await database.query("ALTER TABLE artists DISABLE TRIGGER audit");
  await using sink = openSink(database.with({ portion_records: 100_000, portion_bytes: 64 * 2 ** 20 }));
  for (const version of ["20260801", "20260901"]) {
    await database.query("UPDATE artists SET hash = 'old'");
    await using writer = await sink.open({ ...TARGET, version }, null, NEVER);
    await writer.write(batchFrom(0, 100_000, 200), NEVER);
    let done = false;
    const synced = writer.sync(NEVER).finally(() => {
      done = true;
    });
    while (!done) {
      // A COPY has no type until it has begun.
      const rows = await database.query<{ relid: string; type: string }>(
        "SELECT relid::regclass::text AS relid, type FROM pg_stat_progress_copy WHERE type IS NOT NULL AND datname = current_database()",
      );
      for (const { relid, type } of rows) seen.add(`${relid.replace(/^(pg_temp_\d+\.)?(deadwax_staging)?.*$/, "$2") || relid} ${type}`);
      await sleep(1);
    }
    await synced;
  }
  expect(seen).toEqual(new Set(["artists PIPE", "deadwax_staging PIPE"]));
});

test("a table that somebody else fills meanwhile is merged into", async () => {
  await using database = await auditedDatabase();
  await using sink = openSink(database.url);
  await using writer = await sink.open(TARGET, null, NEVER);
  await writer.write(batchFrom(0, 10), NEVER);
  await writer.sync(NEVER);
  await database.query("INSERT INTO artists (data_id, hash, data) VALUES ('15', 'other', '{}')");
  await writer.write(batchFrom(10, 10), NEVER);
  await writer.finish(END, NEVER);
  expect(await idsOf(database)).toEqual(range(0, 20));
  expect(await database.query("SELECT hash FROM artists WHERE data_id = '15'")).toEqual([{ hash: JSON.parse(bodyOf(15)).sha256 }]);
});

test("a first load that is begun afresh, over rows that it left, builds the indexes too", async () => {
  await using database = await auditedDatabase();
  await using sink = openSink(database.url);
  {
    await using writer = await sink.open(TARGET, null, NEVER);
    await writer.write(batchFrom(0, 10), NEVER);
    await writer.sync(NEVER); // and nothing is saved of it
  }
  await load(database.url, range(0, 20));
  const built = "SELECT indexname FROM pg_indexes WHERE tablename = 'artists' AND indexname <> 'artists_pkey' ORDER BY 1";
  expect((await database.query<{ indexname: string }>(built)).map(({ indexname }) => indexname)).toContain("artists_name_idx");
  await database.query("DROP INDEX artists_name_text_idx");
  await load(database.url, range(0, 21), "20260901");
  expect((await database.query(built)).length).toBe(3); // one that somebody does not want stays away
});

test("a record that an index or constraint of somebody else's refuses fails the run, with what to do", async () => {
  await using database = await auditedDatabase();
  await database.query("CREATE INDEX somebodys ON artists ((data->>'text'))");
  await using sink = openSink(database.url);
  await using writer = await sink.open(TARGET, null, NEVER);
  const text = Array.from({ length: 500 }, (_, index) => bodyOf(index)).join();
  await writer.write(batchOf([bodyOf(0), JSON.stringify({ type: "data", id: "1", sha256: "h", text })]), NEVER);
  const failure = await writer.sync(NEVER).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DumpError);
  expect(failure).toMatchObject({
    code: "SINK_UNAVAILABLE",
    message: expect.stringMatching(/artists cannot be stored: index row .*maximum.*54000.*; correct or drop the index/),
  });
});
