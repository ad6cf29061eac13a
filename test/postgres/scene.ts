import { parsePostgresUrl } from "../../src/postgres/config.ts";
import { migrate } from "../../src/postgres/migrate.ts";
import { Database } from "../services/database.ts";
import type { PostgresVersion } from "../services/postgres.ts";

const QUIET = { waiting() {}, created() {}, applied() {}, building() {}, built() {}, leftOut() {} };

/** Makes the tables in the database, or the schema, of a URL. */
export async function migrated(url: string): Promise<void> {
  await migrate({ config: parsePostgresUrl(url), version: "0.0.0-test", dryRun: false, indexes: "filled", events: QUIET });
}

/** A database with tables, and a log of every row that is written to them. */
export async function auditedDatabase(version?: PostgresVersion): Promise<Database> {
  const database = await Database.create(version);
  await audit(database);
  return database;
}

/** Makes the tables, and the log. */
export async function audit(database: Database): Promise<void> {
  await migrated(database.url);
  await database.query(`
    CREATE TABLE audit (data_type text, data_id text, operation text);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO audit VALUES (TG_TABLE_NAME, coalesce(NEW.data_id, OLD.data_id), TG_OP);
      RETURN NULL;
    END $$;
    CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON artists FOR EACH ROW EXECUTE FUNCTION audit();
    CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON labels FOR EACH ROW EXECUTE FUNCTION audit();
    CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON masters FOR EACH ROW EXECUTE FUNCTION audit();
    CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON releases FOR EACH ROW EXECUTE FUNCTION audit()`);
}

/** Committed writes by operation. */
export async function writes(database: Pick<Database, "query">): Promise<Record<string, number>> {
  const rows = await database.query<{ operation: string; count: string }>("SELECT operation, count(*) FROM audit GROUP BY operation");
  return Object.fromEntries(rows.map(({ operation, count }) => [operation, Number(count)]));
}

/** Rows that were written more than once. */
export async function writtenTwice(database: Pick<Database, "query">): Promise<string[]> {
  const rows = await database.query<{ data_id: string }>("SELECT data_id FROM audit GROUP BY data_type, data_id HAVING count(*) > 1 LIMIT 10");
  return rows.map(({ data_id }) => data_id);
}

/** Tables of a run that are still there: staging tables of any session. */
export async function leftovers(database: Pick<Database, "query">): Promise<string[]> {
  const rows = await database.query<{ relname: string }>(
    "SELECT relname FROM pg_class WHERE relname LIKE 'deadwax_staging%' OR relname LIKE 'deadwax_vanished%'",
  );
  return rows.map(({ relname }) => relname);
}
