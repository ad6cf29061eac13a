import type { DataType } from "../model.ts";
import type { PostgresClient } from "./connect.ts";

/** Ids of one block; the column is `bit(1024)`. */
const BLOCK_IDS = 1024;
/** Twelve digits, as `purge.ts` reads them: the number of a block is an `integer` then. */
const ID_MAX = 999_999_999_999;

/** A bit for each id, most significant first, as `bit(1024)` is read from hexadecimal digits; ids that are no numbers stand in a table of their own. */
const MARK = `INSERT INTO deadwax_seen AS seen (version, data_type, block, bits)
  SELECT $1, $2, block, ('x' || digits)::bit(${BLOCK_IDS}) FROM unnest($3::integer[], $4::text[]) AS given (block, digits)
  ON CONFLICT (version, data_type, block) DO UPDATE SET bits = seen.bits | excluded.bits
  WHERE seen.bits IS DISTINCT FROM seen.bits | excluded.bits`;
const MARK_OTHER = `INSERT INTO deadwax_seen_other (version, data_type, id)
  SELECT $1, $2, id FROM unnest($3::text[], $4::integer[]) WITH ORDINALITY AS given (id, is_other, n)
  WHERE is_other = 1 AND id IS NOT NULL
  ON CONFLICT DO NOTHING`;
const FORGET = `DELETE FROM deadwax_seen WHERE version = $1 AND data_type = $2`;
const FORGET_OTHER = `DELETE FROM deadwax_seen_other WHERE version = $1 AND data_type = $2`;

/** Ids of the bitmaps, in SQL: what is a number the canonical way. A longer one is among the others. */
const IS_NUMBER = "~ '^(0|[1-9][0-9]{0,11})$'";

/** Whether an id was seen, in SQL; `id` and what `where` compares `seen.version` with are expressions. Bit 0 of a block is its lowest id, as {@link markSeen} writes them. */
export function wasSeen(id: string, dataType: DataType, where: string): string {
  return `CASE WHEN ${id} ${IS_NUMBER}
    THEN EXISTS (SELECT FROM deadwax_seen AS seen WHERE seen.version ${where} AND seen.data_type = '${dataType}'
      AND seen.block = ${id}::bigint / ${BLOCK_IDS} AND get_bit(seen.bits, (${id}::bigint % ${BLOCK_IDS})::integer) = 1)
    ELSE EXISTS (SELECT FROM deadwax_seen_other AS seen WHERE seen.version ${where} AND seen.data_type = '${dataType}' AND seen.id = ${id}) END`;
}

/** Versions whose ids are remembered: a tombstone that is later than so many cannot be told from the return of its record any more. */
const VERSIONS_MAX = 6;
const FORGET_OLD = "DELETE FROM deadwax_seen WHERE data_type = $1 AND version <> '' AND version < $2";
const FORGET_OLD_OTHER = "DELETE FROM deadwax_seen_other WHERE data_type = $1 AND version <> '' AND version < $2";
const OLDEST = `SELECT min(version) AS version FROM (SELECT DISTINCT version FROM deadwax_seen
  WHERE data_type = $1 ORDER BY version DESC LIMIT ${VERSIONS_MAX}) AS newest`;

/** Forgets what was seen of any but the newest versions: in incremental runs no extraction_complete ever does. */
export async function forgetOldSeen(client: PostgresClient, dataType: DataType): Promise<void> {
  const { rows } = await client.query<{ version: string | null }>(OLDEST, [dataType]);
  const oldest = rows[0]?.version ?? "";
  for (const statement of [FORGET_OLD, FORGET_OLD_OTHER]) await client.query(statement, [dataType, oldest]);
}

/** Ids of bodies, as the addon gives them. */
export interface SeenIds {
  /** Array literal of all ids. */
  readonly ids: string;
  /** Each id as a number; NaN where it is none. */
  readonly numbers: Float64Array;
}

/** Remembers, within the transaction of the records, which ids a version has. */
export async function markSeen(client: PostgresClient, version: string, dataType: DataType, { ids, numbers }: SeenIds): Promise<void> {
  const blocks = new Map<number, Uint8Array>();
  let others = 0;
  for (const id of numbers) {
    if (!isBlockId(id)) {
      others += 1;
      continue;
    }
    const number = Math.floor(id / BLOCK_IDS);
    const bits = blocks.get(number) ?? new Uint8Array(BLOCK_IDS / 8);
    blocks.set(number, bits);
    const bit = id % BLOCK_IDS;
    bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  }
  if (blocks.size > 0) {
    const digits = [...blocks.values()].map((bits) => Buffer.from(bits).toString("hex"));
    await client.query(MARK, [version, dataType, [...blocks.keys()], digits]);
  }
  if (others > 0) await client.query(MARK_OTHER, [version, dataType, ids, Array.from(numbers, (id) => (isBlockId(id) ? 0 : 1))]);
}

/** Forgets what a version has been seen to have, before it is begun afresh. */
export async function forgetSeen(client: PostgresClient, version: string, dataType: DataType): Promise<void> {
  await client.query(FORGET, [version, dataType]);
  await client.query(FORGET_OTHER, [version, dataType]);
}

function isBlockId(id: number): boolean {
  return id >= 0 && id <= ID_MAX; // false for NaN
}
