import { expect, test } from "vitest";
import { parsePostgresUrl } from "../../src/postgres/config.ts";
import { connect, disconnect } from "../../src/postgres/connect.ts";
import { markSeen } from "../../src/postgres/seen.ts";
import { bury, endRecords, holdTombstones } from "../../src/postgres/tombstones.ts";
import { inTransaction } from "../../src/postgres/transaction.ts";
import { until } from "../sink/sink-events.ts";
import { auditedDatabase } from "./scene.ts";

const HASH = "ab".repeat(16);
const NEVER = new AbortController().signal;

test("tombstones wait for the end of their version alone, each type by itself, and are applied once", { timeout: 300_000 }, async () => {
  await using database = await auditedDatabase();
  const client = await connect(parsePostgresUrl(database.url), () => {}, NEVER);
  try {
    await database.query(`INSERT INTO artists (data_id, hash, data) SELECT n, '${HASH}ff', '{}' FROM generate_series(1, 4) AS n`);
    const gone = (id: number, version: string | null) => ({ record_id: String(id), hash: HASH, version });
    await endRecords(client, "labels", "20261001");
    expect(await bury(client, "artists", [gone(1, "20260801"), gone(2, "20260901"), gone(2, "20260901"), gone(3, null)])).toEqual({
      deleted: 1,
      kept: 0,
      absent: 0,
      waiting: 3,
    });
    expect(await endRecords(client, "artists", "20260801")).toEqual({ deleted: 1, kept: 0, absent: 0 });
    expect(await endRecords(client, "artists", "20260801")).toEqual({ deleted: 0, kept: 0, absent: 0 });
    expect(await endRecords(client, "artists", "20260701")).toEqual({ deleted: 0, kept: 0, absent: 0 }); // it goes no way back
    expect(await bury(client, "artists", [gone(4, "20260801")])).toMatchObject({ deleted: 1, waiting: 0 });
    expect(await database.query("SELECT data_id FROM artists")).toEqual([{ data_id: "2" }]);
    expect(await endRecords(client, "artists", "20261001")).toEqual({ deleted: 1, kept: 0, absent: 0 });
    expect(await database.query("SELECT FROM deadwax_tombstones")).toEqual([]);
  } finally {
    await disconnect(client);
  }
});

test("ids of the six newest versions are remembered, each type by itself", { timeout: 300_000 }, async () => {
  await using database = await auditedDatabase();
  const client = await connect(parsePostgresUrl(database.url), () => {}, NEVER);
  try {
    for (const type of ["artists", "labels"]) {
      await database.query(
        `INSERT INTO deadwax_seen SELECT '2026' || lpad(n::text, 2, '0') || '01', '${type}', 0, 0::bit(1024) FROM generate_series(1, 9) AS n`,
      );
      await database.query(`INSERT INTO deadwax_seen VALUES ('', '${type}', 0, 0::bit(1024))`);
    }
    await endRecords(client, "artists", "20260901");
    const left = await database.query("SELECT data_type, count(*)::int, min(version) FILTER (WHERE version <> '') FROM deadwax_seen GROUP BY 1 ORDER BY 1");
    expect(left).toEqual([
      { data_type: "artists", count: 7, min: "20260401" },
      { data_type: "labels", count: 10, min: "20260101" },
    ]);
  } finally {
    await disconnect(client);
  }
});

test("a tombstone waits for a batch of records that is being stored, and sees what was seen in it", { timeout: 300_000 }, async () => {
  await using database = await auditedDatabase();
  const [first, second] = await Promise.all([0, 1].map(() => connect(parsePostgresUrl(database.url), () => {}, NEVER)));
  if (first === undefined || second === undefined) throw new Error("no connection");
  try {
    await database.query(`INSERT INTO artists (data_id, hash, data) VALUES ('0', '${HASH}ff', '{}')`);
    await endRecords(first, "artists", "20260901");
    let buried: Promise<unknown> = Promise.resolve();
    await inTransaction(first, async () => {
      await holdTombstones(first, "artists"); // and the record finds its row as it is
      buried = bury(second, "artists", [{ record_id: "0", hash: HASH, version: "20260801" }]);
      await until(
        async () => (await database.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")).length === 1,
      );
      await markSeen(first, "20260901", "artists", { ids: "{0}", numbers: Float64Array.of(0) });
    });
    expect(await buried).toEqual({ deleted: 0, kept: 1, absent: 0, waiting: 0 });
  } finally {
    await Promise.all([first, second].map(disconnect));
  }
});
