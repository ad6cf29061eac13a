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
