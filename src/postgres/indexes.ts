import { readFile } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import type { DataType } from "../model.ts";
import { type PostgresClient, quoteName } from "./connect.ts";
import { failureKind, reasonOf } from "./failures.ts";
import { inTransaction, patiently, useSchemas } from "./transaction.ts";

/** An index of a table, as a file of `indexes/` has it. */
interface Index {
  readonly name: string;
  readonly sql: string;
  readonly needsTrigrams: boolean;
}

/** Hears how far the building of indexes is. */
export interface IndexEvents {
  /** Begun; on a large table it takes minutes. */
  building(name: string): void;
  built(name: string, seconds: number): void;
  /** Not made, and nothing fails for it: an extension or a privilege is missing, or there is a value that it cannot take. */
  leftOut(name: string, reason: string): void;
}

const TRIGRAM_ERRORS = {
  /** Somebody else was faster. */
  duplicate: ["23505", "42710"],
  /** Not installed on the server, no schema for it, or no right to. */
  tolerated: ["58P01", "0A000", "3F000", "42501"],
};

/** The user does not own the table, or may not use the schema of the extension: then somebody else has to build it. */
const NOT_ALLOWED = ["42501", "42704"];

/**
 * Builds what is missing of a table's indexes, and tells how many it were; behind a first load, since they cost most of it. Writers wait for
 * it, readers do not. Safe to call again and from several processes. To break it off, end the client: the server notices.
 */
export async function buildIndexes(client: PostgresClient, schema: string, dataType: DataType, events: IndexEvents): Promise<number> {
  const missing = await missingIndexes(client, schema, dataType);
  const trigrams = missing.some(({ needsTrigrams }) => needsTrigrams) ? await ensureTrigrams(client) : { schema: null, reason: "" };
  let built = 0;
  for (const index of missing) {
    if (index.needsTrigrams && trigrams.schema === null) events.leftOut(index.name, trigrams.reason);
    else if (await build(client, { index, dataType, schema, trigrams: trigrams.schema }, events)) built++;
  }
  if (built === 0) return 0;
  await inTransaction(client, async () => {
    await patiently(client, "local");
    // Statistics of what they index, without which nobody would use them yet.
    await client.query(`ANALYZE ${quoteName(schema)}.${quoteName(dataType)}`);
  });
  return built;
}

/** The indexes that a table lacks; one that is not valid is no index. */
export async function missingIndexes(client: PostgresClient, schema: string, dataType: DataType): Promise<Index[]> {
  const there = await validIndexes(client, schema, dataType);
  return (await readIndexes(dataType)).filter(({ name }) => !there.includes(name));
}

/** The names of a table's indexes, but for those that are not valid. */
export async function validIndexes(client: PostgresClient, schema: string, table: string): Promise<string[]> {
  const { rows } = await client.query<{ relname: string }>(
    `SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
     WHERE indisvalid AND indrelid = to_regclass($1)`,
    [`${quoteName(schema)}.${quoteName(table)}`],
  );
  return rows.map(({ relname }) => relname);
}

/** Whether a table has none of its indexes: then no first load has come to its end yet. */
export async function lacksIndexes(client: PostgresClient, schema: string, dataType: DataType): Promise<boolean> {
  return (await missingIndexes(client, schema, dataType)).length === (await readIndexes(dataType)).length;
}

/** The indexes of a table as its file has them, in the order in which they are built. */
export async function readIndexes(dataType: DataType): Promise<Index[]> {
  const text = await readFile(new URL(`./indexes/${dataType}.sql`, import.meta.url), "utf8");
  return [...text.matchAll(/^CREATE INDEX IF NOT EXISTS (\w+) .*;$/gm)].map(([sql, name = ""]) => ({ name, sql, needsTrigrams: sql.includes("gin_trgm_ops") }));
}

interface Build {
  readonly index: Index;
  readonly dataType: DataType;
  readonly schema: string;
  readonly trigrams: string | null;
}

/** Whether it was built; it may not be wanted any more, or not be possible. */
async function build(client: PostgresClient, { index, dataType, schema, trigrams }: Build, events: IndexEvents): Promise<boolean> {
  const { name, sql } = index;
  const startedAt = performance.now();
  try {
    const isBuilt = await inTransaction(client, async () => {
      await useSchemas(client, ...new Set([schema, ...(trigrams === null ? [] : [trigrams])]));
      await patiently(client, "local");
      await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [`deadwax indexes ${schema}.${dataType}`]);
      if (!(await missingIndexes(client, schema, dataType)).some((missing) => missing.name === name)) return false;
      events.building(name);
      await client.query(`DROP INDEX IF EXISTS ${quoteName(schema)}.${quoteName(name)}`); // an invalid one would count as there
      await client.query(sql);
      return true;
    });
    if (isBuilt) events.built(name, (performance.now() - startedAt) / 1000);
    return isBuilt;
  } catch (error) {
    const isTolerated = failureKind(error) === "data" || NOT_ALLOWED.includes(systemCode(error) ?? "");
    if (!isTolerated) throw error;
    events.leftOut(name, reasonOf(error));
    return false;
  }
}

/** The schema of the extension pg_trgm, which is made if it can be; or why there is none. */
async function ensureTrigrams(client: PostgresClient): Promise<{ schema: string | null; reason: string }> {
  const there = await trigramSchema(client);
  if (there !== null) return { schema: there, reason: "" };
  try {
    // Not in the schema of the tables: whoever drops that one would take the indexes of others with it.
    await client.query("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public");
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (TRIGRAM_ERRORS.tolerated.includes(code)) return { schema: null, reason: `the extension pg_trgm is not there: ${reasonOf(error)}` };
    if (!TRIGRAM_ERRORS.duplicate.includes(code)) throw error;
  }
  return { schema: await trigramSchema(client), reason: "the extension pg_trgm is not there" };
}

async function trigramSchema(client: PostgresClient): Promise<string | null> {
  const { rows } = await client.query<{ schema: string }>(
    "SELECT nspname AS schema FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'",
  );
  return rows[0]?.schema ?? null;
}
