import { DumpError, systemCode } from "../errors.ts";
import { DATA_TYPES } from "../model.ts";
import type { PostgresConfig } from "./config.ts";
import { connect, disconnect, type PostgresClient, quoteName } from "./connect.ts";
import { isMigrated } from "./migrations.ts";

/** The database that every server has; through it others are made. */
const MAINTENANCE = "postgres";
const INVALID_CATALOG_NAME = "3D000";
/** Somebody else was faster. */
const DUPLICATES = ["42P04", "23505", "42P06"];

/** Connects; null if there is no such database. */
export async function connectIfThere(config: PostgresConfig): Promise<PostgresClient | null> {
  try {
    return await connect(config);
  } catch (error) {
    if (systemCode(error) === INVALID_CATALOG_NAME) return null;
    throw error;
  }
}

/** Makes the database. */
export async function createDatabase(config: PostgresConfig): Promise<void> {
  const client = await connect({ ...config, database: MAINTENANCE, schema: "public" });
  try {
    await unlessThere(client.query(`CREATE DATABASE ${quoteName(config.database)} ENCODING 'UTF8'`));
  } finally {
    await disconnect(client);
  }
}

/** Whether the schema is there. */
export async function hasSchema(client: PostgresClient, schema: string): Promise<boolean> {
  return (await client.query("SELECT FROM pg_namespace WHERE nspname = $1", [schema])).rows.length > 0;
}

/** Makes the schema. Asked for only where it is missing, since the right to make one is wanted even if it is there. */
export async function createSchema(client: PostgresClient, schema: string): Promise<void> {
  await unlessThere(client.query(`CREATE SCHEMA ${quoteName(schema)}`));
}

/** Refuses a database that cannot hold every character, and tables of our names that are somebody else's. */
export async function refuseForeign(client: PostgresClient, { schema, name, database }: PostgresConfig): Promise<void> {
  const encoding = (await client.query<{ server_encoding: string }>("SHOW server_encoding")).rows[0]?.server_encoding;
  if (encoding !== "UTF8") {
    const advice = `create it anew with ENCODING 'UTF8' TEMPLATE template0`;
    throw new DumpError("SINK_UNAVAILABLE", `sink ${name}: the database ${database} has the encoding ${encoding}, which lacks characters; ${advice}`);
  }
  if (await isMigrated(client, schema)) return;
  const foreign = await foreignTables(client, schema);
  if (foreign.length === 0) return;
  const text = `the schema ${schema} has ${foreign.join(", ")} with other columns than data_id (primary key), hash and data (jsonb)`;
  throw new DumpError("SINK_UNAVAILABLE", `sink ${name}: ${text}; name another schema with ?schema=NAME`);
}

/** What has the name of one of our tables and is neither ours nor upstream's. */
async function foreignTables(client: PostgresClient, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ relname: string }>(
    `SELECT relname FROM pg_class AS class
     WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND relname = ANY ($2)
       AND NOT (
         relkind IN ('r', 'p')
         AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = class.oid AND attname = 'hash' AND atttypid IN ('varchar'::regtype, 'text'::regtype))
         AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = class.oid AND attname = 'data' AND atttypid = 'jsonb'::regtype)
         AND EXISTS (
           SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
           WHERE indrelid = class.oid AND indisunique AND indisvalid AND indnkeyatts = 1 AND indpred IS NULL
             AND attname = 'data_id' AND atttypid IN ('varchar'::regtype, 'text'::regtype)
         )
       )
     ORDER BY relname`,
    [schema, DATA_TYPES],
  );
  return rows.map(({ relname }) => relname);
}

async function unlessThere(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!DUPLICATES.includes(systemCode(error) ?? "")) throw error;
  }
}
