import type { DataType } from "../model.ts";
import type { PostgresClient } from "./connect.ts";
import { type Deleted, deleteRows, type Gone, isTombstoneHash } from "./deletions.ts";
import { forgetOldSeen } from "./seen.ts";
import { inTransaction } from "./transaction.ts";

/** A tombstone, and the version whose run has found that the record is gone; null: nobody said. */
export interface VersionedGone extends Gone {
  readonly version: string | null;
}

/** What became of tombstones; `waiting` ones came before the records of their version had come to their end. */
export interface Buried extends Deleted {
  readonly waiting: number;
}

const ENDED = "SELECT version FROM deadwax_ended WHERE data_type = $1 FOR UPDATE";
const HOLD = "SELECT FROM deadwax_ended WHERE data_type = $1 FOR SHARE";
const END = `UPDATE deadwax_ended SET version = greatest(version, $2) WHERE data_type = $1`;
const REMEMBER = `INSERT INTO deadwax_tombstones (version, data_type, id, hash)
  SELECT given.version, $1, id, hash FROM unnest($2::text[], $3::text[], $4::text[]) AS given (version, id, hash) ON CONFLICT DO NOTHING`;
const DUE = "DELETE FROM deadwax_tombstones WHERE data_type = $1 AND version <= $2 RETURNING version, id, hash";

/**
 * Applies tombstones of one type, in a transaction. One that comes before the records of its version have come to their end may mean a
 * record that is still on its way: it is remembered, and applied by {@link endRecords}.
 */
export function bury(client: PostgresClient, dataType: DataType, tombstones: readonly VersionedGone[]): Promise<Buried> {
  const meant = tombstones.filter(({ hash }) => isTombstoneHash(hash));
  return inTransaction(client, async () => {
    const { rows } = await client.query<{ version: string }>(ENDED, [dataType]);
    const ended = rows[0]?.version ?? "";
    const early = meant.filter(({ version }) => version !== null && version > ended);
    if (early.length > 0) {
      const values = [early.map(({ version }) => version), early.map(({ record_id }) => record_id), early.map(({ hash }) => hash)];
      await client.query(REMEMBER, [dataType, ...values]);
    }
    const due = meant.filter(({ version }) => version === null || version <= ended);
    const deleted = await deleteRows(client, dataType, due);
    return { ...deleted, absent: deleted.absent + tombstones.length - meant.length, waiting: early.length };
  });
}

/** No tombstone of the type is applied until the transaction ends: a row that its record finds unchanged is not to go in the same moment. */
export async function holdTombstones(client: PostgresClient, dataType: DataType): Promise<void> {
  await client.query(HOLD, [dataType]);
}

/** The records of a version have come to their end, so that its tombstones are due: those that wait are applied, all in one transaction. */
export function endRecords(client: PostgresClient, dataType: DataType, version: string): Promise<Deleted> {
  return inTransaction(client, async () => {
    await client.query(END, [dataType, version]);
    await forgetOldSeen(client, dataType);
    const { rows } = await client.query<{ version: string; id: string; hash: string }>(DUE, [dataType, version]);
    return await deleteRows(
      client,
      dataType,
      rows.map((row) => ({ version: row.version, record_id: row.id, hash: row.hash })),
    );
  });
}
