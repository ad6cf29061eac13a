import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { change, changesNames, publishChanges } from "../consume/changes-scene.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { until } from "../sink/sink-events.ts";
import { temporaryFolder } from "../sink/temporary-folder.ts";
import { Running } from "../system/support/deadwax.ts";
import { seeded } from "../system/support/random.ts";
import { cases } from "../system/support/scale.ts";

const START_MS = 300_000;
const HASH = "ab".repeat(16);
const QUEUE = changesNames("topic", "deadwax").queue;
const random = seeded("changes appended");

let host: VirtualHost;
beforeAll(async () => {
  host = await VirtualHost.create(await sharedBroker());
}, START_MS);
afterEach(() => host.empty());
afterAll(() => host[Symbol.asyncDispose]());

function start(...args: string[]): Running {
  return new Running(["changes", ...args], { heard: true, env: { AMQP_CONNECTION: host.url() } });
}

/** Resolves once somebody reads the queue. */
async function isRead(queue = QUEUE): Promise<void> {
  await until(async () => {
    const channel = await host.channel();
    return await channel.queueDeclare({ queue, passive: true }).then(
      ({ consumerCount }) => consumerCount > 0,
      () => false,
    );
  });
}

test("prints changes as lines of JSON, until it is told to end", async () => {
  const running = start("--service", "mine");
  await isRead(changesNames("topic", "mine").queue);
  await publishChanges(host, "topic", [change("1", "created"), change("2", "updated", "labels")]);
  await publishChanges(host, "topic", [change("3", "deleted")], HASH);
  await running.logs(/"3"/);
  running.kill("SIGTERM");
  const { code, stdout, stderr } = await running.ended;
  const lines = [change("1", "created"), change("2", "updated", "labels"), { ...change("3", "deleted"), hash: HASH }];
  expect(stdout.toString()).toBe(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  expect(stderr).toContain("Consuming discogsography-mine-changes");
  expect([code, await host.depth(changesNames("topic", "mine").queue)]).toEqual([0, 0]);
});

test("appends every change to a file, whole and at least once, however often it is killed", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "changes.ndjson");
  await writeFile(path, "before\n");
  const declaring = start("--append", path);
  await isRead();
  declaring.kill("SIGTERM");
  await declaring.ended;
  const ids = Array.from({ length: 4_000 }, (_, index) => String(index));
  await publishChanges(
    host,
    "topic",
    ids.map((id) => change(id, "updated")),
  );
  const kills = cases(3, 20);
  for (let kill = 0; kill < kills; kill += 1) {
    const running = start("--append", path);
    await isRead();
    await sleep(random.between(0, 60));
    running.kill("SIGKILL");
    await running.ended;
    await appendFile(path, '{"data_type":"art'); // as a kill within a write leaves it
    await until(async () => (await (await host.channel()).queueDeclare({ queue: QUEUE, passive: true })).consumerCount === 0);
  }
  const last = start("--append", path);
  await until(async () => (await host.depth(QUEUE)) === 0 && (await readFile(path, "utf8")).endsWith(`${JSON.stringify(change("3999", "updated"))}\n`));
  last.kill("SIGTERM");
  expect((await last.ended).code).toBe(0);
  const [first, ...lines] = (await readFile(path, "utf8")).trimEnd().split("\n");
  expect(first).toBe("before");
  const seen = lines.map((line) => (JSON.parse(line) as { record_id: string }).record_id);
  expect([...new Set(seen)].sort()).toEqual([...ids].sort());
  expect(seen.length).toBeLessThanOrEqual(ids.length + kills * 1_000); // what may be unacknowledged
});

test("says in one line what it cannot use, and ends", async () => {
  const without = await new Running(["changes"], {}).ended;
  expect([without.code, without.stderr]).toEqual([2, expect.stringMatching(/^deadwax: CONFIG_INVALID: no broker is named.*\n$/)]);
  const folder = await start("--append", "/nowhere/changes.ndjson").ended;
  expect([folder.code === 0, folder.stderr.split("\n").length, folder.stderr]).toEqual([false, 2, expect.stringContaining("/nowhere/changes.ndjson")]);
});
