import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DATA_TYPES } from "../../src/model.ts";
import { parsePostgresUrl } from "../../src/postgres/config.ts";
import { connect } from "../../src/postgres/connect.ts";
import { readIndexes } from "../../src/postgres/indexes.ts";
import { readMigrations, requireMigrated } from "../../src/postgres/migrations.ts";
import { openSink } from "../../src/sink/index.ts";
import { Database } from "../services/database.ts";
import { POSTGRES_VERSIONS } from "../services/postgres.ts";
import { batchOf, END, NEVER, TARGET } from "../sink/batches.ts";
import { contentOf, indexesOf, migrated, relationsOf, rowsOf } from "./migrating.ts";
import { createUpstreamTables } from "./upstream-tables.ts";

const known = await readMigrations();
const indexNames = (await Promise.all(DATA_TYPES.map(readIndexes))).flat().map(({ name }) => name);
indexNames.sort();
const EVERY_MIGRATION = known.map(({ name }) => `applied ${name}`);

test("migrations are numbered from 1 on, without a gap", () => {
  expect(known.map(({ number }) => number)).toEqual(known.map((_, index) => index + 1));
  expect(known.length).toBeGreaterThan(2);
});

describe.each(POSTGRES_VERSIONS)("on PostgreSQL %s", (version) => {
  let database: Database;
  beforeEach(async () => {
    database = await Database.create(version);
  });
  afterEach(() => database[Symbol.asyncDispose]());

  test("an empty database gets the tables, once", async () => {
    expect(await migrated(database.url)).toEqual({ migration: known.length, applied: known.length, indexes: 0, lines: EVERY_MIGRATION });
    const columns = await database.query(
      `SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, attcompression FROM pg_attribute
       WHERE attrelid = 'releases'::regclass AND attnum > 0 ORDER BY attnum`,
    );
    const lz4 = version === "15" ? "l" : "";
    expect(columns).toEqual([
      { attname: "data_id", type: "character varying", attnotnull: true, attcompression: "" },
      { attname: "hash", type: "character varying", attnotnull: true, attcompression: "" },
      { attname: "data", type: "jsonb", attnotnull: true, attcompression: lz4 },
      { attname: "updated_at", type: "timestamp with time zone", attnotnull: true, attcompression: "" },
    ]);
    expect(await database.query("SELECT number, name, sha256, version FROM deadwax_migrations ORDER BY number")).toEqual(
      known.map(({ number, name, sha256 }) => ({ number, name, sha256, version: "0.0.0-test" })),
    );
    const before = await contentOf(database);
    expect(await migrated(database.url)).toEqual({ migration: known.length, applied: 0, indexes: 0, lines: [] });
    expect(await contentOf(database)).toEqual(before);
  });

  test("a database and a schema that are missing are made", async () => {
    const name = `${database.name}_new "ü`;
    const url = new URL(database.url);
    url.pathname = `/${encodeURIComponent(name)}`;
    try {
      const report = await migrated(`${url.href}?schema=${encodeURIComponent('Odd "name')}`);
      expect(report.lines).toEqual([`created database ${name}`, 'created schema Odd "name', ...EVERY_MIGRATION]);
      expect((await migrated(`${url.href}?schema=${encodeURIComponent('Odd "name')}`)).lines).toEqual([]);
    } finally {
      await database.query(`DROP DATABASE IF EXISTS "${name.replace('"', '""')}" WITH (FORCE)`);
    }
  });

  test.each(["first", "current"] as const)("upstream's %s schema is taken over with its rows, none of them touched", async (generation) => {
    await createUpstreamTables(database, generation);
    const before = await rowsOf(database);
    const times = "SELECT data_id, updated_at FROM releases ORDER BY data_id";
    const timesBefore = generation === "current" ? await database.query(times) : null;
    const report = await migrated(database.url);
    expect(report).toMatchObject({ applied: known.length });
    expect(await rowsOf(database)).toEqual(before);
    expect(await indexesOf(database)).toEqual(indexNames);
    if (timesBefore !== null) expect(await database.query(times)).toEqual(timesBefore);
    expect(await database.query("SELECT count(*)::int AS rows FROM releases WHERE updated_at IS NULL OR updated_at > now()")).toEqual([{ rows: 0 }]);
    expect((await migrated(database.url)).applied).toBe(0);
  });

  test.each(["first", "current"] as const)("upstream's %s tables take a dump afterwards, and only what it changes is written", async (generation) => {
    await createUpstreamTables(database, generation);
    const [same] = await database.query<{ hash: string }>("SELECT hash FROM releases WHERE data_id = '1'");
    await migrated(database.url);
    const versions = "SELECT data_id, xmin::text FROM releases WHERE data_id <> '2' AND data_id::int <= 500 ORDER BY data_id";
    const before = await database.query(versions);
    const title = "x".repeat(5000); // more than one of upstream's indexes took
    const bodies = [
      { id: "1", sha256: same?.hash, title: "Number 1" },
      { id: "2", sha256: "changed", title },
      { id: "501", sha256: "new", title, released: "1969-01-01" },
    ].map((record) => JSON.stringify({ type: "data", ...record }));
    await using sink = openSink(database.url);
    await sink.check(NEVER);
    await using writer = await sink.open({ ...TARGET, dataType: "releases" }, null, NEVER);
    await writer.write(batchOf(bodies, 0, "releases"), NEVER);
    await writer.finish({ ...END, records: bodies.length }, NEVER);
    expect(await database.query(versions)).toEqual(before);
    const written =
      "SELECT data_id, hash, data->>'title' AS title, data->'year' AS year FROM releases WHERE data_id = '2' OR data_id::int > 500 ORDER BY data_id";
    expect(await database.query(written)).toEqual([
      { data_id: "2", hash: "changed", title, year: null },
      { data_id: "501", hash: "new", title, year: 1969 },
    ]);
  });

  test("no index refuses a value of a megabyte, of one word or of many", async () => {
    expect((await migrated(database.url, { indexes: true })).indexes).toBe(indexNames.length);
    const words = "(SELECT string_agg(md5(n::text), ' ') FROM generate_series(1, 40000) AS n)";
    for (const text of [words, "repeat('x', 1200000)", "repeat('é ', 600000)"]) {
      for (const table of DATA_TYPES) {
        const data = `jsonb_build_object('name', ${text}, 'title', ${text}, 'labels', jsonb_build_array(jsonb_build_object('name', ${text})),
                                         'artists', jsonb_build_object('artist', jsonb_build_object('name', ${text})))`;
        const year = table === "masters" ? `|| jsonb_build_object('year', ${text})` : "";
        await database.query(`INSERT INTO ${table} (data_id, hash, data) SELECT md5($1), 'h', ${data} ${year}`, [text]);
      }
    }
    expect(await database.query("SELECT count(*)::int AS rows FROM releases WHERE length(data->>'title') > 1000000")).toEqual([{ rows: 3 }]);
    expect(await database.query("SELECT count(*)::int AS rows FROM artists WHERE data->>'name' = repeat('x', 1200000)")).toEqual([{ rows: 1 }]);
  });

  test("an index that a value stands against is left out, with the reason, and the others are built", async () => {
    await createUpstreamTables(database, "first");
    await database.query(`UPDATE releases SET data = data || '{"year": "about 1970"}' WHERE data_id = '7'`);
    const { lines } = await migrated(database.url);
    expect(lines).toContainEqual(expect.stringMatching(/^left out releases_year_idx: .*about 1970/));
    expect(await indexesOf(database)).toEqual(indexNames.filter((name) => name !== "releases_year_idx"));
  });

  test("an index that is not valid is built anew", async () => {
    await migrated(database.url, { indexes: true });
    await database.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'releases_labels_idx'::regclass");
    expect(await migrated(database.url, { indexes: true })).toMatchObject({ indexes: 1 });
    expect(await migrated(database.url, { indexes: true })).toMatchObject({ indexes: 0 });
  });

  test("a dry run tells what would be done, and does none of it", async () => {
    await createUpstreamTables(database, "first");
    const before = await contentOf(database);
    const told = await migrated(database.url, { dryRun: true });
    expect(await contentOf(database)).toEqual(before);
    expect(told).toEqual(await migrated(database.url));
    const anew = await migrated(`${database.url}_missing?schema=s`, { dryRun: true });
    expect(anew.lines).toEqual([`created database ${database.name}_missing`, "created schema s", ...EVERY_MIGRATION]);
    expect(await database.query("SELECT FROM pg_database WHERE datname = $1", [`${database.name}_missing`])).toEqual([]);
  });

  test("a schema is migrated without a look at another's tables and indexes", async () => {
    await createUpstreamTables(database, "first");
    const before = await contentOf(database);
    await migrated(database.with({ schema: "other" }), { indexes: true });
    expect(await contentOf(database)).toEqual(before);
    expect(await indexesOf(database, "other")).toEqual(indexNames);
  });

  test("eight at once: each migration is applied once", async () => {
    await createUpstreamTables(database, "current");
    const reports = await Promise.all(Array.from({ length: 8 }, () => migrated(database.url)));
    expect(reports.map(({ applied }) => applied).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, known.length]);
    expect(reports.reduce((sum, { indexes }) => sum + indexes, 0)).toBe(indexNames.length - DATA_TYPES.length); // those of updated_at are there
    expect(await indexesOf(database)).toEqual(indexNames);
  });

  test("six schemas of one database at once: each has its tables and indexes", async () => {
    const schemas = ["s1", "s2", "s3", "s4", "s5", "s6"];
    const reports = await Promise.all(schemas.map((schema) => migrated(database.with({ schema }), { indexes: true })));
    expect(reports.map(({ applied, indexes }) => [applied, indexes])).toEqual(schemas.map(() => [known.length, indexNames.length]));
    for (const schema of schemas) expect(await indexesOf(database, schema)).toEqual(indexNames);
  });

  test("what was migrated by a newer deadwax, or by a changed one, is refused", async () => {
    await migrated(database.url);
    const client = await connect(parsePostgresUrl(database.url));
    try {
      await requireMigrated(client, "public", "here");
      await database.query("INSERT INTO deadwax_migrations VALUES ($1, '9999_later', 'x', '9.9.9')", [known.length + 1]);
      for (const attempt of [() => migrated(database.url), () => requireMigrated(client, "public", "here")])
        await expect(attempt()).rejects.toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringMatching(/9\.9\.9.*use the newer deadwax/) });
      await database.query("DELETE FROM deadwax_migrations WHERE number > $1", [known.length]);
      await database.query("UPDATE deadwax_migrations SET sha256 = 'other' WHERE number = 2");
      for (const attempt of [() => migrated(database.url), () => requireMigrated(client, "public", "here")])
        await expect(attempt()).rejects.toThrow(/0002_\w+ was applied by deadwax 0\.0\.0-test with another content/);
    } finally {
      await client.end();
    }
  });

  test("tables that are not there, or not all, are told with what to do", async () => {
    const client = await connect(parsePostgresUrl(database.url));
    try {
      await expect(requireMigrated(client, "public", "here")).rejects.toThrow(/0001_tables.*run deadwax migrate/);
      await migrated(database.url);
      await database.query("DELETE FROM deadwax_migrations WHERE number = $1", [known.length]);
      await expect(requireMigrated(client, "public", "here")).rejects.toThrow(new RegExp(`missing: ${known.at(-1)?.name}\\)`));
    } finally {
      await client.end();
    }
  });

  test.each([
    ["CREATE TABLE artists (id integer PRIMARY KEY, name text)", "artists"],
    ["CREATE VIEW releases AS SELECT ''::varchar AS data_id, ''::varchar AS hash, '{}'::jsonb AS data", "releases"],
    ["CREATE TABLE labels (data_id varchar, hash varchar, data jsonb)", "labels"],
  ])("somebody else's table is refused: %s", async (statement, table) => {
    await database.query(statement);
    const before = await relationsOf(database);
    await expect(migrated(database.url)).rejects.toThrow(new RegExp(`public has ${table} with other columns.*name another schema`));
    expect(await relationsOf(database)).toEqual(before);
  });

  test("a database that cannot hold every character is refused", async () => {
    const name = `${database.name}_ascii`;
    await database.query(`CREATE DATABASE ${name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`);
    try {
      await expect(migrated(`${database.url}_ascii`)).rejects.toThrow(/encoding SQL_ASCII.*ENCODING 'UTF8'/);
    } finally {
      await database.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  });

  describe("for a user with few rights", () => {
    let url: string;
    beforeEach(async () => {
      await database.query(`CREATE ROLE ${database.name}_user LOGIN`);
      url = database.url.replace("postgres@", `${database.name}_user@`);
    });
    afterEach(async () => {
      await database.query(`DROP OWNED BY ${database.name}_user`);
      await database.query(`DROP ROLE ${database.name}_user`);
    });

    test("who may only read, nothing is changed and the reason told", async () => {
      await createUpstreamTables(database, "first");
      await database.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${database.name}_user`);
      const before = await contentOf(database);
      expect((await migrated(url, { dryRun: true })).applied).toBe(known.length);
      await expect(migrated(url)).rejects.toMatchObject({
        code: "SINK_UNAVAILABLE",
        message: expect.stringMatching(/(permission denied|must be owner).*privileges that docs\/postgres\.md/),
      });
      expect(await contentOf(database)).toEqual(before);
    });

    test("whose transactions are read-only, nothing is changed and the reason told", async () => {
      await database.query(`ALTER ROLE ${database.name}_user SET default_transaction_read_only = on`);
      await expect(migrated(url)).rejects.toThrow(/read-only transaction.*user that may write/);
    });

    test("who may not make the database, the reason is told", async () => {
      await expect(migrated(`${url}_missing`)).rejects.toThrow(/permission denied to create database.*privileges that docs\/postgres\.md/);
    });

    test("who may not make extensions, trigrams are left out, until somebody else makes it", async () => {
      await database.query(`CREATE SCHEMA own AUTHORIZATION ${database.name}_user`);
      const { lines } = await migrated(`${url}?schema=own`, { indexes: true });
      expect(lines).toContainEqual(expect.stringMatching(/^left out releases_title_trgm_idx: the extension pg_trgm is not there: /));
      expect(await indexesOf(database, "own")).toEqual(indexNames.filter((name) => !name.includes("_trgm_")));
      await database.query("CREATE SCHEMA extensions");
      await database.query("CREATE EXTENSION pg_trgm SCHEMA extensions");
      await database.query(`GRANT USAGE ON SCHEMA extensions TO ${database.name}_user`);
      expect((await migrated(`${url}?schema=own`, { indexes: true })).indexes).toBe(4);
      expect(await indexesOf(database, "own")).toEqual(indexNames);
    });

    test("whose statements are limited in time, migrations wait for each other all the same", async () => {
      await database.query(`CREATE SCHEMA own AUTHORIZATION ${database.name}_user`);
      await database.query(`ALTER ROLE ${database.name}_user SET statement_timeout = '500ms'`);
      await database.query(`ALTER ROLE ${database.name}_user SET lock_timeout = '500ms'`);
      await database.query("SELECT pg_advisory_lock(hashtextextended('deadwax migrate own', 0))");
      const migrating = migrated(`${url}?schema=own`);
      const waiting = "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND now() - query_start > interval '1 s' AND usename = $1";
      await expect.poll(() => database.query(waiting, [`${database.name}_user`]), { timeout: 20_000 }).toHaveLength(1);
      await database.query("SELECT pg_advisory_unlock(hashtextextended('deadwax migrate own', 0))");
      expect((await migrating).lines).toEqual(["waiting: another deadwax migrates the schema own", ...EVERY_MIGRATION]);
    });
  });
});
