import { describe, expect, test } from "vitest";
import { CONTRACTS, DATA_TYPES } from "../../src/model.ts";
import { namesOf, publish, records } from "../consume/scene.ts";
import { leftovers, writes, writtenTwice } from "../postgres/scene.ts";
import { until } from "../sink/sink-events.ts";
import { TableScene } from "./scene.ts";

const EVERY_MS = 60_000;

const scene = TableScene.ofFile();

async function rowCount(table: string): Promise<number> {
  return Number((await scene.database.query<{ count: string }>(`SELECT count(*) FROM ${table}`))[0]?.count);
}

/** Resolves once so many messages are with nobody. */
async function holds(name: string, messages: number): Promise<void> {
  await until(async () => (await scene.host.depth(name)) === messages);
}

function complete(version: string, counts: Readonly<Record<string, number>>): object {
  return { type: "extraction_complete", version, timestamp: "2026-08-02T00:00:00Z", started_at: "2026-08-01T00:00:00Z", record_counts: counts };
}

describe.each(CONTRACTS)("%s", (contract) => {
  test("stores whole documents once, tells so, and ends with 0 when it is told to", { timeout: EVERY_MS }, async () => {
    await using writer = await scene.start(contract);
    const artists = contract === "topic" ? { artist: [{ name: "A", join: "&" }, { name: "B" }] } : [{ name: "A", join: "&" }, { name: "B" }];
    const release = { type: "data", id: "5", sha256: "r5", title: "T", released: "1969-09-26", artists, status: "Accepted", images: { image: [] } };
    await publish(scene.host, contract, "releases", [release]);
    for (const type of ["artists", "labels", "masters"] as const) await publish(scene.host, contract, type, records(1, 30));
    const end = { type: "file_complete", data_type: "labels", timestamp: "2026-08-01T10:00:00Z", total_processed: 30, file: "l.xml.gz" };
    await publish(scene.host, contract, "labels", [end], 30);
    await writer.says("🎉 File processing complete for labels! Total records processed: 30");
    await until(async () => (await rowCount("masters")) === 30 && (await rowCount("artists")) === 30 && (await rowCount("releases")) === 1);
    const [row] = await scene.database.query<{ data_id: string; hash: string; data: unknown }>("SELECT data_id, hash, data FROM releases");
    expect(row).toEqual({ data_id: "5", hash: "r5", data: { ...release, year: 1969, artist: "A & B" } });
    expect((await scene.database.query("SELECT indexname FROM pg_indexes WHERE tablename = 'labels'")).length).toBeGreaterThan(1);

    const { code, body } = await writer.health();
    expect(code).toBe(200);
    expect(body).toEqual({
      status: "healthy",
      service: "tableinator",
      current_task: "Processing artists, labels, masters, releases",
      progress: 1,
      message_counts: { artists: 30, labels: 31, masters: 30, releases: 1 },
      last_message_time: Object.fromEntries(DATA_TYPES.map((type) => [type, expect.closeTo(Date.now() / 1000, -2)])),
      active_consumers: DATA_TYPES,
      completed_files: ["labels"],
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*\+00:00$/),
    });
    expect((await writer.health("/ready")).code).toBe(200);
    const metrics = await writer.metrics();
    for (const sample of [
      'deadwax_messages_received_total{type="labels"} 31',
      'deadwax_records_committed_total{type="artists"} 30',
      'deadwax_rows_total{type="masters",fate="inserted"} 30',
      'deadwax_subscribed{type="releases"} 1',
      "deadwax_broker_connected 1",
      "deadwax_target_available 1",
    ])
      expect(metrics).toContain(`${sample}\n`);
    expect(metrics).not.toContain("deadwax_records_read_total");
    expect(await writes(scene.database)).toEqual({ INSERT: 91 });

    const started = performance.now();
    expect(await writer.stop()).toBe(0);
    expect(performance.now() - started).toBeLessThan(10_000);
    for (const type of DATA_TYPES) await holds(namesOf(contract, type).queue, 0);
    expect(writer.messages.at(-1)).toBe("🛑 tableinator stopped");
  });

  test("leaves unchanged rows alone, writes changed ones, and deletes those that a complete version no longer has", { timeout: EVERY_MS }, async () => {
    await using writer = await scene.start(contract);
    await publish(scene.host, contract, "artists", [...records(1, 200), complete("20260801", { artists: 200 })]);
    await writer.says("🏁 Extraction of version 20260801 complete for artists");
    const before = await scene.database.query("SELECT data_id, xmin::text FROM artists WHERE data_id NOT IN ('7', '200') ORDER BY data_id");
    const second = records(1, 199).map((record) => ("id" in record && record.id === "7" ? { ...record, sha256: "other" } : record));
    const channel = await scene.host.channel();
    const { exchange, routingKey } = namesOf(contract, "artists");
    for (const [index, body] of [...second, complete("20260901", { artists: 199 })].entries()) {
      const properties = { durable: true, contentType: "application/json", contentEncoding: "UTF-8", messageId: `20260901/artists/${index}` };
      await channel.basicPublish({ exchange, routingKey, ...properties }, Buffer.from(JSON.stringify(body)));
    }
    await writer.says("🏁 Extraction of version 20260901 complete for artists");
    expect(writer.messages).toContain("🧹 1 rows of artists deleted that version 20260901 no longer has");
    expect(await scene.database.query("SELECT data_id, xmin::text FROM artists WHERE data_id NOT IN ('7', '200') ORDER BY data_id")).toEqual(before);
    expect(await writes(scene.database)).toEqual({ INSERT: 200, UPDATE: 1, DELETE: 1 });
    expect(await rowCount("deadwax_seen")).toBe(0);
  });

  test("deletes nothing where a count does not agree, too much would go, or a record was refused", { timeout: EVERY_MS }, async () => {
    await using writer = await scene.start(contract);
    await scene.database.query("INSERT INTO masters (data_id, hash, data) SELECT n, 'h', '{}' FROM generate_series(1000, 1099) AS n");
    await scene.database.query("INSERT INTO artists (data_id, hash, data) VALUES (9999, 'h', '{}')");
    await publish(scene.host, contract, "artists", [...records(1, 10), complete("20260801", { artists: 11 })]);
    await publish(scene.host, contract, "masters", [...records(1, 10), complete("20260801", { masters: 10 })]);
    await publish(scene.host, contract, "labels", [...records(1, 10), { type: "data", id: "", sha256: "x" }, complete("20260801", { labels: 10 })]);
    await until(() => ["artists", "masters", "labels"].every((type) => writer.output.includes(`Extraction of version 20260801 complete for ${type}`)));
    expect(writer.messages).toContainEqual(expect.stringMatching(/artists: nothing is deleted: 10 different ids were seen/));
    expect(writer.messages).toContainEqual(expect.stringMatching(/masters: nothing is deleted: 100 of 110 rows would be deleted/));
    expect(writer.messages).toContainEqual(expect.stringMatching(/labels: nothing is deleted: a message of it went to the dead letters/));
    expect(await rowCount("artists")).toBe(11);
    expect(await rowCount("masters")).toBe(110);
  });

  test("stores text that PostgreSQL cannot hold with other characters, and gives what it cannot store at all to the dead letters", {
    timeout: EVERY_MS,
  }, async () => {
    await using writer = await scene.start(contract);
    const deep = `{"type":"data","id":"77","sha256":"x","deep":${"[".repeat(2000)}${"]".repeat(2000)}}`;
    const bad = ['{"type":"data","id":"66","sha256":"x","cut', '{"type":"data","sha256":"x"}', '{"type":"data","id":"55"}', deep];
    const odd = '{"type":"data","id":"44","sha256":"x","name":"a\\u0000b\\ud800c"}';
    await publish(scene.host, contract, "artists", [...records(100, 20), ...bad.slice(0, 2), odd, ...bad.slice(2), ...records(200, 20)]);
    await until(async () => (await rowCount("artists")) === 41);
    expect(await scene.database.query("SELECT data ->> 'name' AS name FROM artists WHERE data_id = '44'")).toEqual([{ name: "a\ufffdb\ufffdc" }]);
    const { queue } = namesOf(contract, "artists");
    await holds(`${queue}.dlq`, 4);
    expect((await scene.host.drain(`${queue}.dlq`)).map(({ body }) => body.toString())).toEqual(bad);
    expect(writer.messages.filter((message) => message.startsWith("🗑️ Message 20260801/artists/"))).toHaveLength(4);
    expect(await writtenTwice(scene.database)).toEqual([]);
    expect(await writer.stop()).toBe(0);
    await holds(queue, 0);
  });

  test("waits with 503 while the database refuses, and stores everything once afterwards", { timeout: EVERY_MS }, async () => {
    await using writer = await scene.start(contract, { POSTGRES_BATCH_SIZE: "50" });
    await publish(scene.host, contract, "releases", records(1, 100));
    await until(async () => (await rowCount("releases")) === 100);
    await scene.database.query("ALTER TABLE releases RENAME TO away");
    await publish(scene.host, contract, "releases", records(101, 900));
    await writer.isHealthy(503);
    const { body } = await writer.health();
    expect(body).toMatchObject({ status: "unhealthy", error_message: expect.stringContaining("records of releases cannot be stored") });
    expect(await writer.health("/ready")).toMatchObject({ code: 503, body: { reason: expect.stringContaining("deadwax migrate") } });
    await scene.database.query("ALTER TABLE away RENAME TO releases");
    await writer.isHealthy(200);
    await until(async () => (await rowCount("releases")) === 1000);
    await scene.database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deadwax' AND datname = current_database()");
    await publish(scene.host, contract, "releases", records(1001, 100));
    await until(async () => (await rowCount("releases")) === 1100);
    expect(await writes(scene.database)).toEqual({ INSERT: 1100 });
    expect(await writer.stop()).toBe(0);
    expect(await leftovers(scene.database)).toEqual([]);
    await holds(namesOf(contract, "releases").queue, 0);
    expect(await scene.host.depth(`${namesOf(contract, "releases").queue}.dlq`)).toBe(0);
  });
});

test("every message is a transaction of its own without batch mode", async () => {
  await using writer = await scene.start("topic", { POSTGRES_BATCH_MODE: "false" });
  await publish(scene.host, "topic", "artists", records(1, 25));
  await until(async () => (await rowCount("artists")) === 25);
  await until(async () => (await writer.metrics()).includes('deadwax_commits_total{type="artists"} 25\n'));
});

test("a second process on the same queues changes nothing", { timeout: EVERY_MS }, async () => {
  await using first = await scene.start("fanout");
  await using second = await scene.start("fanout");
  await publish(scene.host, "fanout", "artists", records(1, 2000));
  await until(async () => (await rowCount("artists")) === 2000);
  expect(await writtenTwice(scene.database)).toEqual([]);
  expect(await first.stop()).toBe(0);
  expect(await second.stop()).toBe(0);
  await holds(namesOf("fanout", "artists").queue, 0);
});
