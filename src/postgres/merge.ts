import type { DataType } from "../model.ts";
import type { PostgresClient } from "./connect.ts";
import { copyInto } from "./copy.ts";

/** Ids and hashes as array literals, one element a body. */
export interface Keys {
  readonly ids: string;
  readonly hashes: string;
}

/** Rows that a merge has written. */
export interface Merged {
  readonly inserted: number;
  readonly updated: number;
}

/** The staging table of a process: its name says whose it is, should it ever be seen. */
export function stagingName(dataType: DataType, run: string, attempt: number): string {
  return `deadwax_staging_${dataType}_${run}_${attempt}`;
}

const GIVEN = "unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (id, hash, n)";
/** A row that the last record of its id finds unchanged would else be set to what an earlier one says. */
const LAST_GIVEN = `(SELECT DISTINCT ON (id) id, hash, n FROM ${GIVEN} ORDER BY id, n DESC) AS given`;

/**
 * The indexes, ascending, of the records whose row is missing or has another hash; what stayed the same costs one look at the index. Where
 * ids may come again (not `areDistinct`), the last record of each is looked at.
 */
export async function changedRows(client: PostgresClient, dataType: DataType, { ids, hashes }: Keys, areDistinct: boolean): Promise<Uint32Array> {
  const { rows } = await client.query<{ changed: number[] }>({
    name: `deadwax_changed_${dataType}_${areDistinct ? "all" : "last"}`,
    text: `SELECT coalesce(array_agg((n - 1)::integer ORDER BY n), '{}') AS changed
      FROM ${areDistinct ? GIVEN : LAST_GIVEN}
      LEFT JOIN ${dataType} AS stored ON stored.data_id = given.id WHERE stored.hash IS DISTINCT FROM given.hash`,
    values: [ids, hashes],
  });
  return Uint32Array.from(rows[0]?.changed ?? []);
}

/**
 * Makes the staging table of a connection, outside of any transaction. It is temporary, so that it needs no log and goes with the connection,
 * and empties itself when a transaction ends: whatever happens, nothing is left behind.
 */
export async function createStaging(client: PostgresClient, staging: string): Promise<void> {
  await client.query(`CREATE TEMP TABLE IF NOT EXISTS ${staging} (n integer, data_id text, hash text, data text) ON COMMIT DELETE ROWS`);
  await client.query(`ALTER TABLE ${staging} ALTER COLUMN data SET STORAGE EXTERNAL`); // compressing what is read once costs more than it saves
}

/** Brings numbered rows into the staging table. */
export async function stage(client: PostgresClient, staging: string, rows: Uint8Array): Promise<void> {
  await copyInto(client, `${staging} (n, data_id, hash, data)`, rows);
}

/** Moves what is staged into the table. Of several records with one id the last one counts; rows with the same hash are not touched. */
export async function mergeStaged(client: PostgresClient, dataType: DataType, staging: string): Promise<Merged> {
  const { rows } = await client.query<{ written: string; inserted: string }>(
    `WITH merged AS (
      INSERT INTO ${dataType} AS stored (data_id, hash, data)
      SELECT DISTINCT ON (data_id) data_id, hash, data::jsonb FROM ${staging} ORDER BY data_id, n DESC
      ON CONFLICT (data_id) DO UPDATE SET hash = excluded.hash, data = excluded.data, updated_at = now()
      WHERE stored.hash IS DISTINCT FROM excluded.hash
      RETURNING xmax = 0 AS is_new
    ) SELECT count(*) AS written, count(*) FILTER (WHERE is_new) AS inserted FROM merged`,
  );
  const [written, inserted] = [Number(rows[0]?.written ?? 0), Number(rows[0]?.inserted ?? 0)];
  return { inserted, updated: written - inserted };
}
