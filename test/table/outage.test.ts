import type { QueryResultRow } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { namesOf, publish, records } from "../consume/scene.ts";
import { audit, leftovers, writes, writtenTwice } from "../postgres/scene.ts";
import { Database } from "../services/database.ts";
import { Postgres } from "../services/postgres.ts";
import { Broker } from "../services/rabbitmq.ts";
import { VirtualHost } from "../services/virtual-host.ts";
import { until } from "../sink/sink-events.ts";
import { cases } from "../system/support/scale.ts";
import { postgresVariables, TableWriter } from "./program.ts";

const START_MS = 300_000;
/** Temporary tables of sessions that a crash has ended are cleared away by the server itself, when its autovacuum comes by. */
const CLEARING = { autovacuum_naptime: "1s" };
const { queue } = namesOf("fanout", "releases");

let broker: Broker;
let server: Postgres;
let host: VirtualHost;
let database: Database;
beforeAll(async () => {
  [broker, server] = await Promise.all([Broker.start(), Postgres.start()]);
}, START_MS);
afterAll(async () => {
  await broker[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  host = await VirtualHost.create(broker.address);
  database = await Database.on(server.url);
  await audit(database);
}, START_MS);

function start(): TableWriter {
  return new TableWriter({ ...postgresVariables(database.url), AMQP_CONNECTION: host.url(), DEADWAX_CONTRACT: "fanout", POSTGRES_BATCH_SIZE: "100" });
}

/** Rows of the table, by a connection that does not outlive a stop of the server. */
async function stored(): Promise<number> {
  const [row] = await server.query<{ count: string }>(database.name, "SELECT count(*) FROM releases");
  return Number(row?.count);
}

/** Everything is there, was written once, and nothing is left in the queues. */
async function proveStored(writer: TableWriter, count: number): Promise<void> {
  await until(async () => (await stored()) === count);
  expect(await writer.stop()).toBe(0);
  await until(async () => (await host.depth(queue)) === 0);
  expect(await host.depth(`${queue}.dlq`)).toBe(0);
  // The connection of the scene has gone with the server.
  const look = { query: <Row extends QueryResultRow>(text: string) => server.query<Row>(database.name, text) };
  expect(await writes(look)).toEqual({ INSERT: count });
  expect(await writtenTwice(look)).toEqual([]);
  await until(async () => (await leftovers(look)).length === 0);
}

test("stores each record once when the database is stopped as by a crash, again and again", { timeout: START_MS }, async () => {
  await using writer = start();
  await writer.isHealthy(200);
  const count = 12_000;
  await publish(host, "fanout", "releases", records(1, count));
  for (let time = 0; time < cases(2, 20); time += 1) {
    const before = await stored();
    await until(async () => (await stored()) > Math.min(before + 500, count - 1));
    await server.stop("immediate");
    if (before + 2000 < count) await writer.isHealthy(503);
    await server.restart(CLEARING);
  }
  await proveStored(writer, count);
  expect(writer.messages.some((message) => message.startsWith("🗑️"))).toBe(false);
});

test("ends within 10 s while somebody holds a lock, and what was not committed comes again", { timeout: START_MS }, async () => {
  await using first = start();
  await first.isHealthy(200);
  await database.query("BEGIN");
  await database.query("LOCK TABLE releases IN ACCESS EXCLUSIVE MODE");
  await publish(host, "fanout", "releases", records(1, 250));
  await until(async () => {
    const [row] = await server.query<{ count: string }>(
      database.name,
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
    );
    return Number(row?.count) > 0;
  });
  const started = performance.now();
  const exit = await first.stop();
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(exit).toBe(0);
  await until(async () => (await host.depth(queue)) === 250);
  await database.query("COMMIT");
  await using second = start();
  await proveStored(second, 250);
});

test("goes on when broker and database go at once, and come back one after the other", { timeout: START_MS }, async () => {
  await using writer = start();
  await writer.isHealthy(200);
  await publish(host, "fanout", "releases", records(1, 5000));
  await until(async () => (await stored()) > 500);
  await Promise.all([broker.stop(), server.stop("immediate")]);
  await writer.isHealthy(503);
  await server.restart(CLEARING);
  await broker.restart();
  await writer.isHealthy(200);
  await proveStored(writer, 5000);
});
