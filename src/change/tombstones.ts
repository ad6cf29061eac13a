import type { Batch, Contract, DataType, Tombstone } from "../model.ts";
import type { Gone } from "./ledger.ts";

/** What all tombstones of a data type have in common. */
export interface TombstoneRun {
  readonly version: string;
  readonly dataType: DataType;
  readonly contract: Contract;
  readonly run: string;
}

/** Records that are gone as a batch of the `deletions` stream, `firstOrdinal` of which came before. */
export function tombstones({ ids, hashes }: Gone, firstOrdinal: number, of: TombstoneRun, now: Date): Batch {
  const timestamp = now.toISOString();
  const bodies = ids.map((record_id, index): Buffer => {
    const hash = hashes[index] ?? "";
    const tombstone: Tombstone = { data_type: of.dataType, record_id, change_type: "deleted", processing_run_id: of.run, timestamp, hash };
    return Buffer.from(`${JSON.stringify(tombstone)}\n`);
  });
  let end = -1;
  const ends = Uint32Array.from(bodies, ({ length }) => {
    end += length;
    return end;
  });
  const { version, dataType, contract } = of;
  return { version, dataType, contract, firstOrdinal, bytes: Buffer.concat(bodies), ends, rejects: [], changes: null };
}
