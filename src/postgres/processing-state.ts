/** `processing_state`: at which run the records of each data type are. */
import type { Contract, DataType } from "../model.ts";
import type { PostgresClient } from "./connect.ts";

/** Of what a row speaks. */
export interface StateKey {
  readonly dataType: DataType;
  readonly contract: Contract;
  readonly sink: string;
}

/** The end of a run, as the row keeps it. */
export interface StoredEnd {
  readonly version: string;
  readonly run: string;
  readonly number: number;
  readonly records: number;
  readonly pending: number;
  readonly changes: unknown;
  readonly rulesDigest: string | null;
  readonly hashVersion: number;
}

export interface StoredState {
  /** Stands for the key in the other tables. */
  readonly id: number;
  /** Null before the first run has ended. */
  readonly end: StoredEnd | null;
}

/** The dump that a run has read. */
export interface StoredFile {
  readonly name: string;
  readonly checksum: string | null;
  readonly bytes: number | null;
}

interface Row {
  readonly id: number;
  readonly version: string | null;
  readonly run_id: string | null;
  readonly generation: number;
  readonly records: string;
  readonly pending_deletes: string;
  readonly changes: unknown;
  readonly rules_digest: string | null;
  readonly hash_version: number | null;
}

const READ = `SELECT id, version, run_id, generation, records, pending_deletes, changes, rules_digest, hash_version
  FROM processing_state WHERE data_type = $1 AND contract = $2 AND sink = $3`;
const READ_RUN = "SELECT run_id FROM processing_state WHERE id = $1";
const MAKE = `INSERT INTO processing_state (data_type, contract, sink)
  SELECT $1::text, $2::text, $3::text WHERE NOT EXISTS (SELECT FROM processing_state WHERE data_type = $1 AND contract = $2 AND sink = $3)
  ON CONFLICT DO NOTHING`;
/** Only from where we think that it stands. */
const MOVE = `UPDATE processing_state SET version = $3, run_id = $4, generation = $5, records = $6, pending_deletes = $7, changes = $8, rules_digest = $9,
    hash_version = $10, updated_at = now()
  WHERE id = $1 AND run_id IS NOT DISTINCT FROM $2`;
const COMPLETE = `UPDATE processing_state SET last_processed_at = now(), last_file_url = $2, last_file_checksum = $3, last_file_size = $4,
    total_records_processed = $5, processing_status = 'idle', error_message = NULL, updated_at = now()
  WHERE id = $1`;
const TELL = `UPDATE processing_state SET processing_status = $2, error_message = $3, updated_at = now()
  WHERE id = ANY ($1) AND (processing_status, error_message) IS DISTINCT FROM ($2, $3)`;

/** Null: nobody has ever processed it. */
export async function readState(client: PostgresClient, { dataType, contract, sink }: StateKey): Promise<StoredState | null> {
  const { rows } = await client.query<Row>(READ, [dataType, contract, sink]);
  const [row] = rows;
  if (row === undefined) return null;
  const { id, version, run_id: run, generation: number, changes, rules_digest: rulesDigest, hash_version: hashVersion } = row;
  if (run === null || version === null) return { id, end: null };
  const [records, pending] = [Number(row.records), Number(row.pending_deletes)];
  return { id, end: { version, run, number, records, pending, changes, rulesDigest, hashVersion: hashVersion ?? 0 } };
}

/** The run at whose end a row is. */
export async function readRun(client: PostgresClient, id: number): Promise<string | null> {
  return (await client.query<{ run_id: string | null }>(READ_RUN, [id])).rows[0]?.run_id ?? null;
}

/** Like {@link readState}, with a row made where there is none. */
export async function ensureState(client: PostgresClient, key: StateKey): Promise<StoredState> {
  await client.query(MAKE, [key.dataType, key.contract, key.sink]);
  const state = await readState(client, key);
  if (state === null) throw new Error("the row of a state that was just made is not there");
  return state;
}

/** Moves a row from the end of one run to that of another; false: it stands elsewhere by now. */
export async function moveState(client: PostgresClient, id: number, from: string | null, to: StoredEnd): Promise<boolean> {
  const { version, run, number, records, pending, changes, rulesDigest, hashVersion } = to;
  const values = [id, from, version, run, number, records, pending, JSON.stringify(changes), rulesDigest, hashVersion];
  return (await client.query(MOVE, values)).rowCount === 1;
}

/** What the row says of the last file. */
export async function completeState(client: PostgresClient, id: number, file: StoredFile, records: number): Promise<void> {
  await client.query(COMPLETE, [id, file.name, file.checksum, file.bytes, records]);
}

/** Says what goes on with rows. */
export async function tellStates(
  client: PostgresClient,
  ids: readonly number[],
  status: "idle" | "processing" | "error",
  message: string | null,
): Promise<void> {
  await client.query(TELL, [ids, status, message]);
}
