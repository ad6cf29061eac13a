import { DATA_TYPES } from "../../src/model.ts";
import { parsePostgresUrl } from "../../src/postgres/config.ts";
import { type MigrateEvents, type MigrateReport, migrate } from "../../src/postgres/migrate.ts";
import type { Database } from "../services/database.ts";

/** Migrates the database of a URL; resolves with what it told, a line a step. */
export async function migrated(url: string, request: { dryRun?: boolean; indexes?: boolean } = {}): Promise<MigrateReport & { lines: string[] }> {
  const lines: string[] = [];
  const { dryRun = false, indexes = false } = request;
  const report = await migrate({
    config: parsePostgresUrl(url),
    version: "0.0.0-test",
    dryRun,
    indexes: indexes ? "all" : "filled",
    events: eventsInto(lines),
  });
  return { ...report, lines };
}

/** Writes what it hears into `lines`. */
export function eventsInto(lines: string[]): MigrateEvents {
  return {
    waiting: (reason) => void lines.push(`waiting: ${reason}`),
    created: (what, name) => void lines.push(`created ${what} ${name}`),
    applied: (name) => void lines.push(`applied ${name}`),
    building: () => {},
    built: (name) => void lines.push(`built ${name}`),
    leftOut: (name, reason) => void lines.push(`left out ${name}: ${reason}`),
  };
}

/** Everything that a schema holds, for comparison: relations with their columns, and the rows of the four tables with their versions. */
export async function contentOf(database: Database, schema = "public"): Promise<unknown> {
  return { relations: await relationsOf(database, schema), rows: await rowsOf(database, schema) };
}

/** Tables, views and indexes of a schema with their columns. */
export async function relationsOf(database: Database, schema = "public"): Promise<unknown> {
  return await database.query(
    `SELECT relname, relkind, pg_get_indexdef(pg_class.oid) AS index, array_agg(attname || ' ' || atttypid::regtype ORDER BY attnum) AS columns
     FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
     WHERE relnamespace = $1::regnamespace AND attnum > 0 GROUP BY pg_class.oid ORDER BY relname`,
    [schema],
  );
}

/** What upstream has written, and where it lies: a row that was touched has another xmin, one that was rewritten another place. */
export async function rowsOf(database: Database, schema = "public"): Promise<unknown> {
  const found: Record<string, unknown> = {};
  for (const table of DATA_TYPES) {
    const [there] = await database.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [`${schema}.${table}`]);
    if (there?.there === true)
      found[table] = await database.query(`SELECT data_id, hash, data, xmin::text, ctid::text FROM ${schema}.${table} ORDER BY data_id`);
  }
  return found;
}

/** Names of the indexes of the four tables, primary keys apart. */
export async function indexesOf(database: Database, schema = "public"): Promise<string[]> {
  const rows = await database.query<{ indexname: string }>(
    "SELECT indexname FROM pg_indexes WHERE schemaname = $1 AND tablename = ANY ($2) AND indexname NOT LIKE '%_pkey' ORDER BY indexname",
    [schema, DATA_TYPES],
  );
  return rows.map(({ indexname }) => indexname);
}
