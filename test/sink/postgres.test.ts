import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { openSink } from "../../src/sink/index.ts";
import type { SinkWriter, Stream } from "../../src/sink/sink.ts";
import { isPositionLost } from "../../src/sink/sink-errors.ts";
import { audit, auditedDatabase, leftovers, migrated, writes, writtenTwice } from "../postgres/scene.ts";
import { CuttingProxy } from "../services/cutting-proxy.ts";
import { Database } from "../services/database.ts";
import { POSTGRES_VERSIONS, Postgres } from "../services/postgres.ts";
import { freePort } from "../services/process.ts";
import { FULL, timeoutMs } from "../system/support/scale.ts";
import { batchFrom, batchOf, bodyOf, END, NEVER, STREAMS, TARGET, tombstoneOf } from "./batches.ts";
import { type Destination, sinkContract } from "./contract.ts";
import { idsOf, load, range } from "./postgres-loads.ts";
import { RecordedEvents, until } from "./sink-events.ts";

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

/** Writes small batches until `stop`, then makes sure of them; resolves with how many records there were. */
async function writeUntil(writer: SinkWriter, stop: () => boolean): Promise<number> {
  let ordinal = 0;
  for (; !stop(); ordinal += 50) {
    await writer.write(batchFrom(ordinal, 50), NEVER);
    await sleep(1);
  }
  await writer.finish(END, NEVER);
  return ordinal;
}

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

  test("a connection that is cut between COMMIT and its answer writes nothing twice", async () => {
    await using database = await auditedDatabase(version);
    const url = new URL(database.with({ portion_records: 100 }));
    await using proxy = await CuttingProxy.to(Number(url.port));
    url.port = String(proxy.port);
    const events = new RecordedEvents();
    await using sink = openSink(url.href, events);
    await using writer = await sink.open(TARGET, null, NEVER);
    for (let round = 0; round < 5; round += 1) {
      proxy.cutBehind("COMMIT\0"); // the statement, and not the ON COMMIT of a staging table
      await writer.write(batchFrom(round * 250, 250), NEVER);
      await until(() => proxy.cuts > round);
    }
    await writer.finish(END, NEVER);
    expect(await idsOf(database)).toEqual(range(0, 1250));
    expect(await writes(database)).toEqual({ INSERT: 1250 });
    expect(events.count("lost")).toBe(5);
  });

  test("backends that are terminated again and again lose and repeat nothing", async () => {
    await using database = await auditedDatabase(version);
    const events = new RecordedEvents();
    await using sink = openSink(database.with({ portion_records: 200 }), events);
    await using writer = await sink.open(TARGET, null, NEVER);
    let done = false;
    const writing = writeUntil(writer, () => done);
    writing.catch(() => {}); // awaited below
    for (let round = 0; round < 8; round += 1) {
      const before = events.confirmedMessages;
      await until(() => events.confirmedMessages > before + 300);
      await database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deadwax' AND datname = current_database()");
    }
    done = true;
    const records = await writing;
    expect(await idsOf(database)).toEqual(range(0, records));
    expect([await writes(database), await writtenTwice(database), await leftovers(database)]).toEqual([{ INSERT: records }, [], []]);
    expect(events.count("lost")).toBeGreaterThan(4);
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

test("a lock that somebody holds is waited for", { timeout: timeoutMs(60_000, 180_000) }, async () => {
  const heldMs = FULL ? 60_000 : 2_000;
  const events = new RecordedEvents();
  await using database = await auditedDatabase();
  await using sink = openSink(database.url, events);
  await using writer = await sink.open(TARGET, null, NEVER);
  await database.query("BEGIN; LOCK TABLE artists IN ACCESS EXCLUSIVE MODE");
  await writer.write(batchFrom(0, 10), NEVER);
  const synced = writer.sync(NEVER);
  await sleep(heldMs);
  await database.query("COMMIT");
  expect(await synced).toEqual({ records: 10 });
  expect(events.count("blocked")).toBe(FULL ? 1 : 0); // told of after 30 s
  expect(await idsOf(database)).toEqual(range(0, 10));
});

test("a writer that is closed while it waits for the server ends at once, and stores nothing more once that is back", { timeout: 60_000 }, async () => {
  await using server = await Postgres.start();
  await using database = await Database.on(server.url);
  await audit(database);
  const events = new RecordedEvents();
  await using sink = openSink(database.url, events);
  const writer = await sink.open(TARGET, null, NEVER);
  await writer.write(batchFrom(0, 10), NEVER);
  await server.stop("immediate");
  const synced = writer.sync(NEVER).catch((error: unknown) => error);
  await until(() => events.heard.some((line) => /^reconnecting.*\([2-5]\d{3}\)$/.test(line)));
  const startedAt = performance.now();
  const disposed = writer[Symbol.asyncDispose]();
  await server.restart();
  await disposed;
  expect(await synced).toBeInstanceOf(Error);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  const connections = "SELECT pid FROM pg_stat_activity WHERE application_name = 'deadwax'";
  expect([await server.query("postgres", connections), await server.query(database.name, "SELECT * FROM artists")]).toEqual([[], []]);
});

test("a target that is opened while the server starts again waits for it", { timeout: 60_000 }, async () => {
  await using server = await Postgres.start();
  await using database = await Database.on(server.url);
  await audit(database);
  const events = new RecordedEvents();
  await using sink = openSink(database.url, events);
  await sink.check(NEVER);
  await server.stop("immediate");
  const opening = sink.open(TARGET, null, NEVER);
  opening.catch(() => {}); // awaited below
  await until(() => events.count("reconnecting") > 3);
  await server.restart();
  await using writer = await opening;
  await writer.write(batchFrom(0, 10), NEVER);
  expect(await writer.sync(NEVER)).toEqual({ records: 10 });
});

test("an abort ends the wait for a server that never answers", async () => {
  await using silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const abort = new AbortController();
  await using sink = openSink(`postgres://user:secret@127.0.0.1:${(silent.address() as AddressInfo).port}/db?connect_timeout_ms=600000`);
  const checked = sink.check(abort.signal);
  await once(silent, "connection");
  abort.abort();
  await expect(checked).rejects.toThrow("aborted");
});

test("a writer does not wait for a server that has stopped to answer before it closes", async () => {
  await using server = await Postgres.start();
  await using database = await Database.on(server.url);
  await audit(database);
  await using sink = openSink(database.url);
  const writer = await sink.open(TARGET, null, NEVER);
  await writer.write(batchFrom(0, 10), NEVER);
  await writer.sync(NEVER);
  const [backend] = await server.query<{ pid: number }>("postgres", "SELECT pid FROM pg_stat_activity WHERE application_name = 'deadwax'");
  process.kill(backend?.pid ?? 0, "SIGSTOP");
  await writer[Symbol.asyncDispose](); // the test's time limit is the limit
  process.kill(backend?.pid ?? 0, "SIGCONT");
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
