import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrated } from "../postgres/scene.ts";
import { Database } from "../services/database.ts";
import { freePort } from "../services/ports.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { postgresVariables, TableWriter } from "./program.ts";

const START_MS = 300_000;

let host: VirtualHost;
let database: Database;
beforeAll(async () => {
  host = await VirtualHost.create(await sharedBroker());
  database = await Database.create();
  await migrated(database.url);
}, START_MS);
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

function variables(): Record<string, string> {
  return { ...postgresVariables(database.url), AMQP_CONNECTION: host.url() };
}

describe("ends with 1", () => {
  test("and one line where variables are missing", async () => {
    await using writer = new TableWriter({ HEALTH_PORT: "0" });
    expect(await writer.exited).toBe(1);
    expect(writer.output).toMatch(/^deadwax: CONFIG_INVALID: 2 problems: no broker is named: .*; not set: POSTGRES_HOST or POSTGRES_ADDRESS, .*$/m);
    expect(writer.messages).toEqual([expect.stringMatching(/^❌ Configuration error: 2 problems: /)]);
  });

  test("where the tables are not there, and names what makes them", async () => {
    await using empty = await Database.create();
    await using writer = new TableWriter({ ...variables(), ...postgresVariables(empty.url) });
    expect(await writer.exited).toBe(1);
    expect(writer.output).toMatch(/deadwax: SINK_UNAVAILABLE: .*deadwax migrate/);
  });

  test("where the broker refuses the password, without a word of it", async () => {
    await using writer = new TableWriter({ ...variables(), AMQP_CONNECTION: host.url().replace("guest:guest@", "guest:canary@") });
    expect(await writer.exited).toBe(1);
    expect(writer.output).toMatch(/deadwax: BROKER_UNAVAILABLE: broker amqp:\S+: user or password refused/);
    expect(writer.output).not.toContain("canary");
  });

  test("where the database is not there", async () => {
    await using writer = new TableWriter({ ...variables(), POSTGRES_DATABASE: "nowhere" });
    expect(await writer.exited).toBe(1);
    expect(writer.output).toMatch(/deadwax: SINK_UNAVAILABLE: .*"nowhere" does not exist/);
  });
});

test("a setting that is bad usage ends with 2", async () => {
  await using writer = new TableWriter(variables(), ["--purge-max", "7"]);
  expect(await writer.exited).toBe(2);
});

test("answers 503 while it waits for servers that do not answer yet, and ends with 0 when it is told to", async () => {
  for (const missing of [{ POSTGRES_ADDRESS: `127.0.0.1:${await freePort()}` }, { AMQP_CONNECTION: `amqp://127.0.0.1:${await freePort()}` }]) {
    await using writer = new TableWriter({ ...variables(), ...missing });
    await writer.isHealthy(503);
    expect((await writer.health()).body).toMatchObject({ status: "starting", current_task: "Initializing", active_consumers: [], progress: 0 });
    await writer.says(/Connecting .*again|trying again/);
    expect((await writer.health("/ready")).code).toBe(503);
    expect(await writer.stop()).toBe(0);
  }
});

test("answers 503 during the start-up delay, which a signal ends", async () => {
  await using writer = new TableWriter({ ...variables(), STARTUP_DELAY: "600" });
  await writer.isHealthy(503);
  expect(await writer.stop()).toBe(0);
});

test("tells on a terminal's terms what it does, and warns of what is set in vain", async () => {
  await using writer = new TableWriter({ ...variables(), CONSUMER_CANCEL_DELAY: "300", QUEUE_CHECK_INTERVAL: "3600" }, ["--output", "text"]);
  await writer.isHealthy(200);
  const lines = writer.output.split("\n");
  expect(lines[0]).toMatch(/^🚀 Starting deadwax \S+ as tableinator \(topic\), batches of 1,000$/);
  expect(lines[1]).toBe("⚠️ CONSUMER_CANCEL_DELAY, QUEUE_CHECK_INTERVAL have no effect: a consumer is never cancelled, and never disconnects while it is idle");
  for (const type of ["artists", "labels", "masters", "releases"]) expect(lines).toContain(`📬 Consuming discogsography-tableinator-${type}`);
  expect(lines).toContain("🐰 Connected to the broker");
});
