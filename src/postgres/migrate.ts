import { systemCode } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import type { PostgresConfig } from "./config.ts";
import { connect, disconnect, type PostgresClient, quoteName } from "./connect.ts";
import { connectIfThere, createDatabase, createSchema, hasSchema, refuseForeign } from "./database.ts";
import { postgresFailure } from "./failures.ts";
import { buildIndexes, type IndexEvents, missingIndexes, readIndexes } from "./indexes.ts";
import { hasTable, type Migration, pendingMigrations, readMigrations, recordMigration } from "./migrations.ts";
import { inTransaction, patiently, useSchemas } from "./transaction.ts";

/** Hears what is done, or with `dryRun` what would be. */
export interface MigrateEvents extends IndexEvents {
  /** Somebody else holds what is needed. */
  waiting(reason: string): void;
  created(what: "database" | "schema", name: string): void;
  applied(name: string): void;
}

export interface MigrateRequest {
  readonly config: PostgresConfig;
  /** The version of deadwax, for the record. */
  readonly version: string;
  /** Only tell; nothing is changed. */
  readonly dryRun: boolean;
  /** Whose indexes are built: those of empty tables usually wait for the first load. */
  readonly indexes: "none" | "filled" | "all";
  readonly events: MigrateEvents;
}

export interface MigrateReport {
  /** Number of the newest migration. */
  readonly migration: number;
  /** How many were applied, or would be. */
  readonly applied: number;
  /** How many indexes were built, or would be. */
  readonly indexes: number;
}

/** How long a migration stands in the way of others while it waits for a lock, and how often it tries. */
const LOCK_TIMEOUT_MS = 5000;
const LOCK_TRIES = 120;
const LOCK_NOT_AVAILABLE = "55P03";

/** Brings a schema up to date; makes it, and its database, if they are not there. Safe to run again and beside itself. */
export async function migrate(request: MigrateRequest): Promise<MigrateReport> {
  const { config, dryRun } = request;
  try {
    const client = dryRun ? await connectIfThere(config) : await connectOrCreate(request);
    if (client === null) return await planAnew(request);
    try {
      return dryRun ? await plan(client, request) : await run(client, request);
    } finally {
      await disconnect(client);
    }
  } catch (error) {
    throw postgresFailure(config.name, dryRun ? "cannot tell what is to migrate" : "cannot migrate", error);
  }
}

async function connectOrCreate({ config, events }: MigrateRequest): Promise<PostgresClient> {
  const there = await connectIfThere(config);
  if (there !== null) return there;
  await createDatabase(config);
  events.created("database", config.database);
  return await connect(config);
}

/** Everything, under a lock that is let go with the connection, however that ends. */
async function run(client: PostgresClient, request: MigrateRequest): Promise<MigrateReport> {
  const { config, events } = request;
  const { schema, name } = config;
  await patiently(client, "session");
  await lock(client, schema, events);
  if (!(await hasSchema(client, schema))) {
    await createSchema(client, schema);
    events.created("schema", schema);
  }
  await refuseForeign(client, config);
  const pending = await pendingMigrations(client, schema, name);
  for (const migration of pending) {
    await apply(client, migration, request);
    events.applied(migration.name);
  }
  let indexes = 0;
  for (const dataType of DATA_TYPES) if (await wantsIndexes(client, dataType, request)) indexes += await buildIndexes(client, schema, dataType, events);
  return { migration: (await readMigrations()).length, applied: pending.length, indexes };
}

async function lock(client: PostgresClient, schema: string, events: MigrateEvents): Promise<void> {
  const key = `deadwax migrate ${schema}`;
  const { rows } = await client.query<{ taken: boolean }>("SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken", [key]);
  if (rows[0]?.taken === true) return;
  events.waiting(`another deadwax migrates the schema ${schema}`);
  await client.query("SELECT pg_advisory_lock(hashtextextended($1, 0))", [key]);
}

/** One migration, in one transaction. It gives way again and again: whoever queues behind it for a table could not even read. */
async function apply(client: PostgresClient, migration: Migration, { config, version, events }: MigrateRequest): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTransaction(client, async () => {
        await useSchemas(client, config.schema);
        await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        await client.query(migration.sql);
        await recordMigration(client, migration, version);
      });
    } catch (error) {
      if (systemCode(error) !== LOCK_NOT_AVAILABLE || attempt === LOCK_TRIES) throw error;
      events.waiting(`${migration.name} needs tables that others use; stop who writes to them`);
    }
  }
}

/** What {@link run} would do. */
async function plan(client: PostgresClient, request: MigrateRequest): Promise<MigrateReport> {
  const { config, events, indexes: isAsked } = request;
  const { schema, name } = config;
  await refuseForeign(client, config);
  if (!(await hasSchema(client, schema))) events.created("schema", schema);
  const pending = await pendingMigrations(client, schema, name);
  for (const migration of pending) events.applied(migration.name);
  let indexes = 0;
  for (const dataType of DATA_TYPES) {
    const isWanted = isAsked === "all" || ((await hasTable(client, schema, dataType)) && (await wantsIndexes(client, dataType, request)));
    const missing = isWanted ? await missingIndexes(client, schema, dataType) : [];
    for (const index of missing) events.built(index.name, 0);
    indexes += missing.length;
  }
  return { migration: (await readMigrations()).length, applied: pending.length, indexes };
}

/** The same where there is no database yet. */
async function planAnew({ config, events, indexes: isAsked }: MigrateRequest): Promise<MigrateReport> {
  const known = await readMigrations();
  events.created("database", config.database);
  if (config.schema !== "public") events.created("schema", config.schema);
  for (const { name } of known) events.applied(name);
  const indexes = isAsked === "all" ? (await Promise.all(DATA_TYPES.map(readIndexes))).flat() : [];
  for (const { name } of indexes) events.built(name, 0);
  return { migration: known.length, applied: known.length, indexes: indexes.length };
}

async function wantsIndexes(client: PostgresClient, dataType: DataType, { config, indexes }: MigrateRequest): Promise<boolean> {
  if (indexes !== "filled") return indexes === "all";
  const { rows } = await client.query<{ filled: boolean }>(`SELECT EXISTS (SELECT FROM ${quoteName(config.schema)}.${quoteName(dataType)}) AS filled`);
  return rows[0]?.filled === true;
}
