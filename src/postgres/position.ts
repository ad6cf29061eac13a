import type { Contract, DataType } from "../model.ts";
import type { PostgresClient } from "./connect.ts";
import { forgetSeen } from "./seen.ts";
import { inTransaction } from "./transaction.ts";

/** What a position is kept for: the records of one file, as a contract has them, or the tombstones that came of it. */
export interface PositionKey {
  readonly version: string;
  readonly dataType: DataType;
  readonly contract: Contract;
  readonly stream: "records" | "deletions";
}

/** How far a target has come: what the database itself says, so that it is true of the rows beside it. */
export interface Position {
  readonly key: PositionKey;
  /** Names the process that writes; another one that takes over changes it. */
  readonly run: string;
  /** Counts who has taken the target over, from 1. */
  readonly attempt: number;
  /** Records of the file that are stored. */
  readonly records: number;
  /** The table was empty when the target was begun, and nobody else has written to it as far as we know. */
  readonly fresh: boolean;
  /** Of a fresh table: the highest id, if all of them are numbers. */
  readonly highest: number | null;
}

interface Row {
  readonly attempt: number;
  readonly records: string;
  readonly fresh: boolean;
  readonly highest: string | null;
}

const SELECT = `SELECT attempt, records, fresh, highest FROM deadwax_positions
  WHERE version = $1 AND data_type = $2 AND contract = $3 FOR UPDATE`;
const TAKE_OVER = `UPDATE deadwax_positions SET run = $4, attempt = $5, updated_at = now()
  WHERE version = $1 AND data_type = $2 AND contract = $3`;
const BEGIN_AFRESH = `INSERT INTO deadwax_positions (version, data_type, contract, run, attempt, records, fresh, highest)
  VALUES ($1, $2, $3, $4, $5, 0, $6, NULL)
  ON CONFLICT (version, data_type, contract) DO UPDATE
  SET run = excluded.run, attempt = excluded.attempt, records = 0, fresh = excluded.fresh, highest = NULL, updated_at = now()`;
/** Nothing is moved that another run has taken over, or that stands elsewhere than we think. */
const MOVE = `UPDATE deadwax_positions SET records = $6, fresh = $7, highest = $8, updated_at = now()
  WHERE version = $1 AND data_type = $2 AND contract = $3 AND run = $4 AND attempt = $5 AND records <= $6`;
const IS_KNOWN = "SELECT FROM deadwax_positions WHERE version = $1 AND data_type = $2 AND contract = $3";
const READ = `SELECT records FROM deadwax_positions
  WHERE version = $1 AND data_type = $2 AND contract = $3 AND run = $4 AND attempt = $5`;

/**
 * Takes a target over for `run`: from its beginning, or, with `atLeast`, from where the database says that it stands. Null: it does not
 * hold so many records, so that the target has to be begun afresh.
 */
export function takeOver(client: PostgresClient, key: PositionKey, run: string, atLeast: number | null): Promise<Position | null> {
  const values = valuesOf(key);
  return inTransaction(client, async () => {
    const { rows } = await client.query<Row>(SELECT, values);
    const [row] = rows;
    const attempt = (row?.attempt ?? 0) + 1;
    if (atLeast === null) {
      const fresh = key.stream === "records" && (await isEmpty(client, key.dataType));
      await client.query(BEGIN_AFRESH, [...values, run, attempt, fresh]);
      if (key.stream === "records") await forgetSeen(client, key.version, key.dataType); // the file may have other records than when they were seen
      return { key, run, attempt, records: 0, fresh, highest: null };
    }
    if (row === undefined || Number(row.records) < atLeast) return null;
    await client.query(TAKE_OVER, [...values, run, attempt]);
    const highest = row.highest === null ? null : Number(row.highest);
    return { key, run, attempt, records: Number(row.records), fresh: row.fresh, highest };
  });
}

/** Moves a position within the transaction of its records; false: another run has taken the target over. */
export async function move(client: PostgresClient, { key, run, attempt, records, fresh, highest }: Position): Promise<boolean> {
  const { rowCount } = await client.query(MOVE, [...valuesOf(key), run, attempt, records, fresh, highest]);
  return rowCount === 1;
}

/** Whether the database knows of the target at all; one that was made anew does not. */
export async function isKnown(client: PostgresClient, key: PositionKey): Promise<boolean> {
  return (await client.query(IS_KNOWN, valuesOf(key))).rows.length > 0;
}

/** How many records the position says are stored, as long as it is still this run's. */
export async function storedRecords(client: PostgresClient, { key, run, attempt }: Position): Promise<number | null> {
  const { rows } = await client.query<Pick<Row, "records">>(READ, [...valuesOf(key), run, attempt]);
  return rows[0] === undefined ? null : Number(rows[0].records);
}

/** A key as the table has it: deletions stand beside the records of their file, as a contract of their own. */
function valuesOf({ version, dataType, contract, stream }: PositionKey): string[] {
  return [version, dataType, stream === "records" ? contract : `${contract} deletions`];
}

/** Whether a table holds no row. */
export async function isEmpty(client: PostgresClient, dataType: DataType): Promise<boolean> {
  const { rows } = await client.query<{ empty: boolean }>(`SELECT NOT EXISTS (SELECT FROM ${dataType}) AS empty`);
  return rows[0]?.empty === true;
}
