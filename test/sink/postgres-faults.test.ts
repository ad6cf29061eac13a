import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { openSink } from "../../src/sink/index.ts";
import type { SinkWriter } from "../../src/sink/sink.ts";
import { audit, auditedDatabase, leftovers, writes, writtenTwice } from "../postgres/scene.ts";
import { CuttingProxy } from "../services/cutting-proxy.ts";
import { Database } from "../services/database.ts";
import { POSTGRES_VERSIONS, Postgres } from "../services/postgres.ts";
import { FULL, timeoutMs } from "../system/support/scale.ts";
import { batchFrom, END, NEVER, TARGET } from "./batches.ts";
import { idsOf, range } from "./postgres-loads.ts";
import { RecordedEvents, until } from "./sink-events.ts";

const START_MS = 300_000;

beforeAll(async () => {
  await using _first = await Database.create(); // the first start may have to install the server
}, START_MS);

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
