import type { DataType } from "../model.ts";
import type { PostgresClient } from "./connect.ts";
import { wasSeen } from "./seen.ts";
import { inTransaction } from "./transaction.ts";

/** What a version is said to hold, and how much of a table may go because of it. */
export interface PurgeRequest {
  readonly version: string;
  readonly dataType: DataType;
  /** Records that the whole version has. */
  readonly records: number;
  /** Largest share of the rows that may be deleted, 0 to 1. */
  readonly shareMax: number;
}

/** How many rows of records that vanished are gone, or why all of them stay. */
export type Purged = { readonly deleted: number } | { readonly kept: string };

/** Distinct ids that were seen; `bit_count` is there since PostgreSQL 14. */
const COUNT = `SELECT (SELECT coalesce(sum(bit_count(bits)), 0) FROM deadwax_seen WHERE version = $1 AND data_type = $2)
  + (SELECT count(*) FROM deadwax_seen_other WHERE version = $1 AND data_type = $2) AS seen`;
const FORGET = `DELETE FROM deadwax_seen WHERE data_type = $2 AND (version <= $1 OR version = '')`;
const FORGET_OTHER = `DELETE FROM deadwax_seen_other WHERE data_type = $2 AND (version <= $1 OR version = '')`;

/**
 * Deletes the rows whose records a complete version no longer has, by the ids that were seen in it: unchanged rows keep their `updated_at`,
 * so that nothing else tells. All in one transaction; nothing goes where what is known is not the whole version.
 */
export function purge(client: PostgresClient, { version, dataType, records, shareMax }: PurgeRequest): Promise<Purged> {
  return inTransaction(client, async (): Promise<Purged> => {
    const { rows } = await client.query<{ seen: string }>(COUNT, [version, dataType]);
    const seen = Number(rows[0]?.seen ?? 0);
    if (records === 0) return { kept: "the version is said to have no records of this type" };
    if (seen !== records) return { kept: `${seen} different ids were seen, and the version is said to have ${records} records` };
    await client.query(`CREATE TEMP TABLE deadwax_vanished ON COMMIT DROP AS ${vanished(dataType)}`, [version]);
    const { rows: counts } = await client.query<{ gone: string; total: string }>(
      `SELECT (SELECT count(*) FROM deadwax_vanished) AS gone, (SELECT count(*) FROM ${dataType}) AS total`,
    );
    const [gone, total] = [Number(counts[0]?.gone ?? 0), Number(counts[0]?.total ?? 0)];
    if (gone > total * shareMax) {
      return { kept: `${gone} of ${total} rows would be deleted, more than the share of ${shareMax} that purge_max allows` };
    }
    const { rowCount } = await client.query(`DELETE FROM ${dataType} USING deadwax_vanished AS vanished WHERE ${dataType}.data_id = vanished.data_id`);
    await client.query(FORGET, [version, dataType]);
    await client.query(FORGET_OTHER, [version, dataType]);
    return { deleted: rowCount ?? 0 };
  });
}

/** The rows that the version does not have. */
function vanished(dataType: DataType): string {
  return `SELECT data_id FROM ${dataType} AS stored WHERE NOT ${wasSeen("stored.data_id", dataType, "= $1")}`;
}
