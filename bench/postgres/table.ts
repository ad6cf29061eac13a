/** `deadwax table` from a full queue into an empty table. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Postgres } from "../../test/services/postgres.ts";
import type { Broker } from "../../test/services/rabbitmq.ts";
import { runTimed } from "../src/timed-process.ts";

const QUEUES = ["artists", "labels", "masters", "releases"].map((type) => `discogsography-tableinator-${type}`);
const POLL_MS = 20;
const START_MS_MAX = 60_000;

export interface TableSetting {
  readonly server: Postgres;
  readonly broker: Broker;
  readonly cli: string;
  readonly dump: string;
  readonly state: string;
  readonly records: number;
}

/** Fills the queue, then has it emptied; seconds from the first committed portion to the last record. */
export async function tableFromQueue(
  { server, broker, cli, dump, state, records }: TableSetting,
  database: string,
): Promise<{ records: number; seconds: number }> {
  await runTimed([process.execPath, cli, "extract", dump, "--sink", broker.address.amqp, "--state", state, "--force"]);
  const env = {
    PATH: process.env["PATH"],
    AMQP_CONNECTION: broker.address.amqp,
    POSTGRES_HOST: `127.0.0.1:${server.port}`,
    POSTGRES_USERNAME: "postgres",
    POSTGRES_PASSWORD: "unused",
    POSTGRES_DATABASE: database,
    HEALTH_PORT: "0",
  };
  const child = spawn(process.execPath, [cli, "table"], { env, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  try {
    const first = await untilStored(server, database, 1, child);
    const started = performance.now();
    await untilStored(server, database, records, child);
    return { records: records - first, seconds: (performance.now() - started) / 1000 };
  } finally {
    child.kill("SIGTERM");
    await ended;
    for (const queue of QUEUES) await purgeQueue(broker, queue);
  }
}

async function untilStored(server: Postgres, database: string, records: number, child: ChildProcess): Promise<number> {
  for (const began = performance.now(); child.exitCode === null; await sleep(POLL_MS)) {
    const [row] = await server.query<{ n: string }>(database, "SELECT count(*) AS n FROM releases");
    const stored = Number(row?.n);
    if (stored >= records) return stored;
    if (stored === 0 && performance.now() - began > START_MS_MAX) break;
  }
  throw new Error(`deadwax table has not stored ${records} records`);
}

async function purgeQueue(broker: Broker, queue: string): Promise<void> {
  const { origin, username, password } = new URL(broker.address.api);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  await fetch(`${origin}/api/queues/%2F/${queue}/contents`, { method: "DELETE", headers: { authorization } });
}
