import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditedDatabase, leftovers, writes, writtenTwice } from "../postgres/scene.ts";
import type { Database } from "../services/database.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { extract, Running } from "../system/support/deadwax.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { cases, FULL, figure, timeoutMs } from "../system/support/scale.ts";

const RELEASES = FULL ? 60_000 : 8_000;
const KILLS = cases(10, 50);
const QUEUE = "discogsography-tableinator-releases";
const BATCH = 200;
const STORED_MAX = FULL ? 1_500 : 800;

const random = seeded("table kills");
let folder: Folder;
let host: VirtualHost;
beforeAll(async () => {
  folder = await temporaryFolder();
  host = await VirtualHost.create(await sharedBroker());
}, 180_000);
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

function environment(database: Database): Record<string, string> {
  const { hostname, port, username, password } = new URL(database.url);
  return {
    AMQP_CONNECTION: host.url(),
    POSTGRES_HOST: hostname,
    POSTGRES_PORT: port,
    POSTGRES_USERNAME: username,
    POSTGRES_PASSWORD: password === "" ? "unused" : password,
    POSTGRES_DATABASE: database.name,
    POSTGRES_BATCH_SIZE: String(BATCH),
    POSTGRES_BATCH_FLUSH_INTERVAL: "0.2",
    HEALTH_PORT: "0",
  };
}

async function stored(database: Database): Promise<number> {
  const [row] = await database.query<{ count: string }>("SELECT count(*) FROM releases");
  return Number(row?.count);
}

test(`${KILLS} kills of the table writer: each record is written once, none is lost, and nothing is left behind`, {
  timeout: timeoutMs(300_000, 1_200_000),
}, async () => {
  const dump = join(folder.path, "dump");
  await makeDump(dump, { releases: RELEASES, seed: random.seed });
  await extract([dumpPath(dump, "releases"), "--sink", host.url(), "--state", join(dump, "state")]);
  expect(await host.depth(QUEUE)).toBe(RELEASES + 1); // file_complete too
  await using database = await auditedDatabase();
  let kills = 0;
  for (; kills < KILLS; kills += 1) {
    const before = await stored(database);
    if (before === RELEASES) break;
    const running = new Running(["table"], { heard: true, env: environment(database) });
    const goal = Math.min(RELEASES, before + random.between(1, STORED_MAX));
    while (running.isRunning && (await stored(database)) < goal) await sleep(5);
    running.kill("SIGKILL");
    const { signal, stdout, stderr } = await running.ended;
    expect({ signal, output: signal === "SIGKILL" ? "" : `${stdout.toString().slice(-2000)}${stderr}` }).toEqual({ signal: "SIGKILL", output: "" });
  }
  const last = new Running(["table"], { heard: true, env: environment(database) });
  while (last.isRunning && ((await stored(database)) < RELEASES || (await host.depth(QUEUE)) > 0)) await sleep(50);
  await last.logs(/🎉/u); // the file is complete
  last.kill("SIGTERM");
  expect((await last.ended).code).toBe(0);
  expect([await stored(database), await host.depth(QUEUE)]).toEqual([RELEASES, 0]);
  expect([await writes(database), await writtenTwice(database)]).toEqual([{ INSERT: RELEASES }, []]);
  await expect.poll(() => leftovers(database)).toEqual([]);
  figure("table kills", { seed: random.seed, kills, records: RELEASES, writtenTwice: 0, left: 0 });
  expect(kills).toBeGreaterThan(KILLS / 2);
});
