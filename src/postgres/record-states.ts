/** `record_processing_state`: fingerprints of what downstream has, read as a whole and changed by what differs. */
import type { DataType } from "../model.ts";
import type { PostgresClient } from "./connect.ts";
import { copyBinaryOut } from "./copy.ts";
import { binaryRows } from "./copy-binary.ts";

/** Entries in columns, as the core takes them. */
export interface RecordRows {
  /** Null: a record without an id. */
  readonly ids: (string | null)[];
  readonly raws: BigUint64Array;
  /** 16 bytes each. */
  readonly hashes: Uint8Array;
  readonly flags: Uint8Array;
}

/** Columns of the tables into which rows are copied. */
export const RECORD_COLUMNS = "record_processing_state (record_id, raw, run, state, flags, record_hash)";
export const STAGING_COLUMNS = "deadwax_differences (step, kind, number, id, raw, flags, hash, old_hash)";

/** What is to be done with a row of the staging table. */
export const STEPS = { store: 1, remove: 2, storeOther: 3, removeOther: 4 } as const;
/** What the changelog says of it; 0: nothing. */
export const KINDS = { none: 0, created: 1, updated: 2, deleted: 3 } as const;

const HASH_BYTES = 16;

const STAGE = `CREATE TEMPORARY TABLE IF NOT EXISTS deadwax_differences (
    step smallint, kind smallint, number bigint, id text, raw bigint, flags smallint, hash uuid, old_hash uuid
  ) ON COMMIT DROP`;
const REMOVE_OTHER = `DELETE FROM record_processing_state_other AS stored USING deadwax_differences AS given
  WHERE given.step = ${STEPS.removeOther} AND stored.state = $1 AND md5(stored.record_id) IS NOT DISTINCT FROM md5(given.id)
    AND stored.record_id IS NOT DISTINCT FROM given.id AND (given.id IS NOT NULL OR stored.record_hash = given.hash)`;
const STORE_OTHER = `INSERT INTO record_processing_state_other (raw, run, state, flags, record_hash, record_id)
  SELECT raw, $2, $1, flags, hash, id FROM deadwax_differences WHERE step = ${STEPS.storeOther}`;
const REMOVE = `DELETE FROM record_processing_state AS stored USING deadwax_differences AS given
  WHERE given.step = ${STEPS.remove} AND stored.state = $1 AND stored.record_id = given.number`;
/** A record that only looks different keeps the run that changed it; what is there already is not written. */
const STORE = `INSERT INTO record_processing_state AS stored (record_id, raw, run, state, flags, record_hash)
  SELECT number, raw, $2, $1, flags, hash FROM deadwax_differences WHERE step = ${STEPS.store}
  ON CONFLICT (state, record_id) DO UPDATE SET raw = excluded.raw, flags = excluded.flags, record_hash = excluded.record_hash,
    run = CASE WHEN stored.record_hash = excluded.record_hash THEN stored.run ELSE excluded.run END
  WHERE (stored.raw, stored.flags, stored.record_hash) IS DISTINCT FROM (excluded.raw, excluded.flags, excluded.record_hash)`;
const LOG = `INSERT INTO data_changelog (data_type, record_id, change_type, old_hash, new_hash, processing_run_id)
  SELECT $1, coalesce(id, number::text, 'unknown'), (ARRAY['created', 'updated', 'deleted'])[kind], replace(old_hash::text, '-', ''),
    CASE WHEN kind = ${KINDS.deleted} THEN NULL ELSE replace(hash::text, '-', '') END, $2
  FROM deadwax_differences WHERE kind > 0`;
/** The index on runs finds them. */
const FORGET = `DELETE FROM data_changelog WHERE processing_run_id IN (
    SELECT id FROM processing_runs WHERE state = $1 AND status = 'completed' ORDER BY completed_at DESC OFFSET $2)`;
const IS_EMPTY = `SELECT NOT EXISTS (SELECT FROM record_processing_state WHERE state = $1) AS empty`;
/** COPY takes no parameters: the state is a number of ours. */
const READ = "SELECT record_id, raw, flags, record_hash FROM record_processing_state WHERE state = ";
const READ_OTHER = "SELECT record_id, raw, flags, record_hash FROM record_processing_state_other WHERE state = ";

/** Whose records are changed, by which run. */
export interface RecordScope {
  readonly dataType: DataType;
  readonly state: number;
  /** Id and number of the run. */
  readonly run: string;
  readonly number: number;
  /** Whether the changelog hears of it. */
  readonly isLogged: boolean;
}

/** All records of a state, as they come. */
export async function* readRecords(client: PostgresClient, state: number): AsyncGenerator<RecordRows> {
  for await (const rows of binaryRows(copyBinaryOut(client, `${READ}${Math.trunc(state)}`))) yield toColumns(rows, (id) => String(id.readBigInt64BE()));
  for await (const rows of binaryRows(copyBinaryOut(client, `${READ_OTHER}${Math.trunc(state)}`))) yield toColumns(rows, (id) => id.toString());
}

/** Makes the staging table of this transaction, empty. */
export async function stage(client: PostgresClient): Promise<void> {
  await client.query(STAGE);
  await client.query("TRUNCATE deadwax_differences");
}

/** Whether nothing is known of a state, so that rows need not be compared. */
export async function isUnknown(client: PostgresClient, state: number): Promise<boolean> {
  return (await client.query<{ empty: boolean }>(IS_EMPTY, [state])).rows[0]?.empty === true;
}

/** Does what the staging table says. */
export async function applyStaged(client: PostgresClient, { dataType, state, run, number, isLogged }: RecordScope): Promise<void> {
  await client.query("ANALYZE deadwax_differences");
  await client.query(REMOVE_OTHER, [state]);
  await client.query(STORE_OTHER, [state, number]);
  await client.query(REMOVE, [state]);
  await client.query(STORE, [state, number]);
  if (isLogged) await client.query(LOG, [dataType, run]);
}

/** Drops what the changelog has of all but the last completed runs. */
export async function forgetChanges(client: PostgresClient, state: number, runsKept: number): Promise<void> {
  await client.query(FORGET, [state, runsKept]);
}

function toColumns(rows: readonly (Buffer | null)[][], idOf: (bytes: Buffer) => string): RecordRows {
  const ids: (string | null)[] = [];
  const raws = new BigUint64Array(rows.length);
  const hashes = new Uint8Array(rows.length * HASH_BYTES);
  const flags = new Uint8Array(rows.length);
  for (const [index, [id = null, raw = null, flag = null, hash = null]] of rows.entries()) {
    if (raw === null || flag === null || hash === null) throw new Error("a row of record_processing_state lacks a value");
    ids.push(id === null ? null : idOf(id));
    raws[index] = raw.readBigUInt64BE();
    flags[index] = flag.readInt16BE();
    hashes.set(hash, index * HASH_BYTES);
  }
  return { ids, raws, hashes, flags };
}
