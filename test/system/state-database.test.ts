import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { closeIndex, indexEntries, openIndex } from "../../native/index.js";
import { DATA_TYPES } from "../../src/model.ts";
import { POSTGRES_VERSIONS } from "../services/postgres.ts";
import { deadwax } from "./support/deadwax.ts";
import { type Folder, temporaryFolder } from "./support/dumps.ts";
import { MONTHS, makeTrio } from "./support/month-trio.ts";
import { figure } from "./support/scale.ts";
import { type Found, Place, recordsOf, stateDatabase } from "./support/state-database.ts";
import "./support/slow.ts";

const [A, B, C] = MONTHS;
const RECORDS = 600;
const CONTRACTS = { 18: "topic", 15: "fanout" } as const;

let folder: Folder;
let dumps: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  dumps = join(folder.path, "dumps");
  await makeTrio(dumps, RECORDS);
}, 120_000);
afterAll(() => folder[Symbol.asyncDispose]());

/** All entries of the last generations in a state folder, as `recordsOf` tells those of a database. */
async function embeddedRecords(state: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(join(state, ".deadwax_index"))) {
    const index = join(state, ".deadwax_index", name);
    const { types } = JSON.parse(await readFile(join(index, "CURRENT.json"), "utf8")) as { types: Record<string, { file: string }> };
    for (const [dataType, { file }] of Object.entries(types)) {
      const handle = openIndex(join(index, file));
      const { ids, hashes, flags } = indexEntries(handle, 0, 1_000_000);
      closeIndex(handle);
      for (const [i, id] of ids.entries()) {
        const hash = Buffer.from(hashes.subarray(i * 16, i * 16 + 16)).toString("hex");
        found.push([dataType, ...(id === null ? [] : [id]), hash, flags[i]].join(" "));
      }
    }
  }
  return found.sort();
}

describe.each(POSTGRES_VERSIONS)("with PostgreSQL %s", (version) => {
  test("a database and a folder come to the same over three months, whatever of the working files is lost", async () => {
    await using database = await stateDatabase(version);
    const contract = ["--contract", CONTRACTS[version]];
    const kept = new Place(join(folder.path, `kept-${version}`), dumps, join(folder.path, `kept-${version}`, "state"), contract);
    const stored = new Place(join(folder.path, `stored-${version}`), dumps, database.url, contract);
    const changes: Record<string, number> = {};
    for (const month of [A, B, C]) {
      const [expected, { found, stderr }] = await Promise.all([kept.run(month), stored.run(month)]);
      expect(found, stderr).toEqual(expected.found);
      expect(Object.keys(found)).toHaveLength(DATA_TYPES.length);
      expect(await stored.delivered(month)).toEqual(await kept.delivered(month));
      expect(await recordsOf(database)).toEqual(await embeddedRecords(kept.state));
      if (month !== A)
        for (const one of Object.values(found)) for (const kind of ["created", "updated", "deleted"] as const) changes[kind] = (changes[kind] ?? 0) + one[kind];
      if (month === B) await stored.lose();
    }
    expect(Math.min(...Object.values(changes))).toBeGreaterThan(5);
    const logged = await database.query<{ change_type: string; count: string }>("SELECT change_type, count(*) FROM data_changelog GROUP BY 1");
    expect(Object.fromEntries(logged.map(({ change_type, count }) => [change_type, Number(count)]))).toEqual(changes);
    await asPrinted(database, await stored.run(C));
  });
});

test("the same dump again writes no row", async () => {
  await using database = await stateDatabase("18");
  const place = new Place(join(folder.path, "again"), dumps, database.url);
  await place.run(A);
  await place.run(B);
  const rows = () =>
    database.query(`SELECT 'record' AS of, ctid::text, xmin::text FROM record_processing_state UNION ALL SELECT 'change', ctid::text, xmin::text FROM data_changelog
      UNION ALL SELECT 'run', ctid::text, xmin::text FROM processing_runs UNION ALL SELECT 'state', ctid::text, xmin::text FROM processing_state ORDER BY 1, 2`);
  const before = await rows();
  const { code, found } = await place.run(B);
  expect({ code, types: Object.keys(found).length }).toEqual({ code: 0, types: DATA_TYPES.length });
  expect(await rows()).toEqual(before);
  // Read once more, it is all unchanged, and then only the rows of the runs and states are new.
  const forced = await place.run(B, { args: ["--force"] });
  for (const one of Object.values(forced.found)) expect(one).toMatchObject({ created: 0, updated: 0, deleted: 0 });
  const isData = (row: Record<string, unknown>) => row["of"] === "record" || row["of"] === "change";
  expect((await rows()).filter(isData)).toEqual(before.filter(isData));
});

async function asPrinted(database: Awaited<ReturnType<typeof stateDatabase>>, { found }: { found: Record<string, Found> }): Promise<void> {
  const states = await database.query("SELECT * FROM processing_state");
  expect(states.map(({ data_type }) => data_type as string).sort()).toEqual([...DATA_TYPES].sort());
  for (const state of states) {
    const dataType = state["data_type"] as string;
    const total = (found[dataType]?.created ?? 0) + (found[dataType]?.updated ?? 0) + (found[dataType]?.unchanged ?? 0);
    expect(state).toMatchObject({ processing_status: "idle", error_message: null, total_records_processed: String(total), version: C.version });
    expect(state["last_file_url"]).toBe(`discogs_${C.version}_${dataType}.xml.gz`);
  }
  const runs = await database.query("SELECT * FROM processing_runs ORDER BY started_at DESC LIMIT 10");
  expect(runs).toHaveLength(10);
  for (const run of runs.slice(0, 4)) {
    const counts = found[run["data_type"] as string];
    expect(run).toMatchObject({ status: "completed", error_message: null, version: C.version });
    expect([run["records_created"], run["records_updated"], run["records_deleted"], run["records_unchanged"]].map(Number)).toEqual([
      counts?.created,
      counts?.updated,
      counts?.deleted,
      counts?.unchanged,
    ]);
  }
  const changes = await database.query("SELECT * FROM data_changelog ORDER BY change_detected_at DESC LIMIT 100");
  const newest = new Set(runs.slice(0, 4).map(({ id }) => id as string));
  expect(changes.length).toBeGreaterThan(50);
  expect(newest.has(changes[0]?.["processing_run_id"] as string)).toBe(true);
  expect(Object.keys(changes[0] ?? {})).toEqual(expect.arrayContaining(["data_type", "record_id", "change_type", "old_hash", "new_hash", "processed"]));
}

test("state check names a table, or an index, that is missing", async () => {
  await using database = await stateDatabase("18");
  const check = () => deadwax(["state", "check", "--state", database.url]);
  expect(await check()).toMatchObject({ code: 0 });
  await database.query("DROP INDEX idx_changelog_run_id");
  const index = await check();
  expect(index.code).toBe(6);
  expect(index.stdout.toString()).toContain("the index idx_changelog_run_id of data_changelog is missing");
  await database.query("ALTER TABLE record_processing_state DROP CONSTRAINT record_processing_state_key");
  expect((await check()).stdout.toString()).toContain("record_processing_state_key");
  await database.query("DROP TABLE data_changelog");
  expect((await check()).stdout.toString()).toContain("the table data_changelog is missing");
});

test("a first run beside a filled database publishes all, logs none of it and loses no row; the next ones keep both in step", async () => {
  await using database = await stateDatabase("18");
  const place = new Place(join(folder.path, "beside"), dumps, database.url);
  const rows = async (table: string) =>
    await database.query<{ data_id: string; hash: string }>(`SELECT data_id, left(hash, 32) AS hash FROM ${table} ORDER BY 1`);
  const plain = await deadwax(["extract", "--root", join(dumps, "A"), "--state", join(folder.path, "beside-normal"), "--sink", database.url, "-q"]);
  expect(plain.code, plain.stderr).toBe(0);
  const before = await rows("labels");
  const first = await place.run(A, { sink: database.url });
  expect(first.found["labels"]).toMatchObject({ created: before.length, updated: 0, deleted: 0, unchanged: 0 });
  expect(await rows("labels")).toEqual(before);
  expect(await database.query("SELECT FROM data_changelog")).toEqual([]);
  for (const month of [B, C]) {
    expect((await place.run(month, { sink: database.url, args: ["--changelog-runs", "1"] })).code).toBe(0);
    for (const table of DATA_TYPES) {
      const known = await database.query(
        "SELECT record_id AS data_id, record_hash AS hash FROM record_states WHERE data_type = $1 AND record_id IS NOT NULL ORDER BY 1",
        [table],
      );
      expect((await rows(table)).filter(({ data_id }) => data_id !== "unknown")).toEqual(known);
    }
    // Of each data type the last run is kept.
    const runs = await database.query(
      "SELECT version, count(DISTINCT run.id)::integer AS runs FROM data_changelog JOIN processing_runs AS run ON run.id = processing_run_id GROUP BY 1",
    );
    expect(runs).toEqual([{ version: month.version, runs: DATA_TYPES.length }]);
  }
});

test("a normal run in between is known to the database, as it is to a folder", async () => {
  await using database = await stateDatabase("18");
  const kept = new Place(join(folder.path, "kept-normal"), dumps, join(folder.path, "kept-normal", "state"));
  const stored = new Place(join(folder.path, "stored-normal"), dumps, database.url);
  for (const [month, mode] of [
    [A, "incremental"],
    [B, "normal"],
    [C, "incremental"],
  ] as const) {
    // The database tells, though nothing here has ever used it.
    if (mode === "normal") await stored.lose();
    const [expected, { found, stderr, code }] = await Promise.all([kept.run(month, { mode }), stored.run(month, { mode })]);
    expect(code, stderr).toBe(0);
    expect(found).toEqual(expected.found);
    expect(await stored.delivered(month)).toEqual(await kept.delivered(month));
    expect(await recordsOf(database)).toEqual(await embeddedRecords(kept.state));
  }
});

test("a record takes about 100 bytes with its key, and is looked up, changed and logged by an index", async () => {
  await using database = await stateDatabase("15");
  const RECORDS = 200_000;
  await database.query("INSERT INTO processing_state (data_type, contract, sink) VALUES ('releases', 'topic', 'null:')");
  await database.query(
    `INSERT INTO record_processing_state (record_id, raw, run, state, flags, record_hash)
     SELECT n, hashint8extended(n, 1), 1, 1, 0, md5(n::text)::uuid FROM generate_series(1, ${RECORDS}) AS n`,
  );
  await database.query(
    "INSERT INTO data_changelog (data_type, record_id, change_type, processing_run_id, change_detected_at) SELECT 'releases', n::text, 'created', gen_random_uuid(), now() + n * interval '1 s' FROM generate_series(1, 20000) AS n",
  );
  await database.query("ANALYZE");
  const [size] = await database.query<{ bytes: number }>(`SELECT pg_total_relation_size('record_processing_state')::float8 / ${RECORDS} AS bytes`);
  figure("bytes of a record in PostgreSQL", { bytes: size?.bytes });
  expect(size?.bytes).toBeLessThan(101);
  const plan = async (sql: string) => (await database.query(`EXPLAIN ${sql}`)).map((row) => String(row["QUERY PLAN"])).join("\n");
  expect(await plan("SELECT * FROM record_processing_state WHERE state = 1 AND record_id = 7")).toContain("Index Scan using record_processing_state_key");
  expect(await plan("SELECT * FROM data_changelog ORDER BY change_detected_at DESC LIMIT 100")).toContain(
    "Index Scan Backward using idx_changelog_detected_at",
  );
  expect(await plan("DELETE FROM data_changelog WHERE processing_run_id = '00000000-0000-4000-8000-000000000000'")).toMatch(/idx_changelog_run_id/);
});
