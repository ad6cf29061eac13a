import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { DumpError } from "../errors.ts";
import { type PostgresClient, quoteName } from "./connect.ts";

/** One step of the schema: a file of `migrations/`. What was released is never changed; what is to be different is another step. */
export interface Migration {
  readonly number: number;
  /** Its file without `.sql`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, in hex. */
  readonly sha256: string;
}

/** A step that a schema has seen. */
interface Applied {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
  /** The version of deadwax that took it. */
  readonly version: string;
}

const FOLDER = new URL("./migrations/", import.meta.url);
const FILE = /^(\d{4})_\w+\.sql$/;

/** Every migration that this deadwax knows, in order. */
export async function readMigrations(): Promise<Migration[]> {
  const files = (await readdir(FOLDER)).filter((file) => FILE.test(file)).sort();
  return await Promise.all(
    files.map(async (file) => {
      const sql = await readFile(new URL(file, FOLDER), "utf8");
      return { number: Number(FILE.exec(file)?.[1]), name: file.replace(/\.sql$/, ""), sql, sha256: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

/** What the schema still lacks. Throws if it has seen something else than what this deadwax knows. `where` is the database, for messages. */
export async function pendingMigrations(client: PostgresClient, schema: string, where: string): Promise<Migration[]> {
  const known = await readMigrations();
  const applied = await readApplied(client, schema);
  for (const [index, { number, name, sha256, version }] of applied.entries()) {
    const expected = known[index];
    if (expected === undefined) {
      const text = `the database was migrated by deadwax ${version} (${name}) and this one knows ${known.length} migrations; use the newer deadwax`;
      throw new DumpError("SINK_UNAVAILABLE", `sink ${where}: ${text}`);
    }
    if (expected.number === number && expected.sha256 === sha256) continue;
    const text = `migration ${name} was applied by deadwax ${version} with another content than it has here; use a deadwax as it was released`;
    throw new DumpError("SINK_UNAVAILABLE", `sink ${where}: ${text}`);
  }
  return known.slice(applied.length);
}

/** Throws unless the schema is what this deadwax needs; changes nothing. */
export async function requireMigrated(client: PostgresClient, schema: string, where: string): Promise<void> {
  const pending = await pendingMigrations(client, schema, where);
  if (pending.length === 0) return;
  const names = pending.map(({ name }) => name).join(", ");
  throw new DumpError("SINK_UNAVAILABLE", `sink ${where}: the tables are not there, or older (missing: ${names}); run deadwax migrate`);
}

/** Notes, in the transaction of its statements, that a migration was applied. */
export async function recordMigration(client: PostgresClient, { number, name, sha256 }: Migration, version: string): Promise<void> {
  await client.query(
    `CREATE TABLE IF NOT EXISTS deadwax_migrations (
       number integer PRIMARY KEY,
       name text NOT NULL,
       sha256 text NOT NULL,
       version text NOT NULL,
       applied_at timestamptz NOT NULL DEFAULT now()
     )`,
  );
  await client.query("INSERT INTO deadwax_migrations (number, name, sha256, version) VALUES ($1, $2, $3, $4)", [number, name, sha256, version]);
}

/** Whether the schema has this table, and so is ours. */
export async function isMigrated(client: PostgresClient, schema: string): Promise<boolean> {
  return await hasTable(client, schema, "deadwax_migrations");
}

/** Whether there is a table of the name in the schema itself. */
export async function hasTable(client: PostgresClient, schema: string, table: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>("SELECT to_regclass($1) IS NOT NULL AS found", [`${quoteName(schema)}.${quoteName(table)}`]);
  return rows[0]?.found === true;
}

async function readApplied(client: PostgresClient, schema: string): Promise<Applied[]> {
  if (!(await isMigrated(client, schema))) return [];
  const { rows } = await client.query<Applied>(`SELECT number, name, sha256, version FROM ${quoteName(schema)}.deadwax_migrations ORDER BY number`);
  return rows;
}
