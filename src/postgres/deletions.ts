import { fault } from "#fault";
import { DumpError } from "../errors.ts";
import type { DataType, Tombstone } from "../model.ts";
import type { PostgresClient } from "./connect.ts";
import { move, type Position, storedRecords } from "./position.ts";
import { wasSeen } from "./seen.ts";
import type { Session } from "./session.ts";
import { inTransaction } from "./transaction.ts";

/** Which record a tombstone means, and the beginning of the hash that it had; where the version that lacks it is known, a row that was seen in a later one stays. */
export type Gone = Pick<Tombstone, "record_id" | "hash"> & { readonly version?: string | null };

/** What became of tombstones. */
export interface Deleted {
  /** Rows that are gone. */
  readonly deleted: number;
  /** Rows that have another hash: a later record, which the tombstone does not mean. */
  readonly kept: number;
  /** Tombstones without a row. */
  readonly absent: number;
}

const HASH = /^[0-9a-f]{32,64}$/;

/** Whether a hash says which record is meant; by too short a one, or none, every row would be. */
export function isTombstoneHash(hash: unknown): hash is string {
  return typeof hash === "string" && HASH.test(hash);
}

/** Deletes the rows that tombstones mean, within a transaction: those of their ids that still have their hashes. */
export async function deleteRows(client: PostgresClient, dataType: DataType, gone: readonly Gone[]): Promise<Deleted> {
  const meant = gone.filter(({ hash }) => isTombstoneHash(hash));
  const { rows } = await client.query<{ deleted: string; kept: string }>({
    name: `deadwax_delete_${dataType}`,
    text: `WITH given AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS given (id, hash, version)),
      there AS (SELECT count(DISTINCT data_id) AS rows FROM ${dataType} JOIN given ON data_id = given.id),
      gone AS (
        DELETE FROM ${dataType} AS stored USING given
        WHERE stored.data_id = given.id AND starts_with(stored.hash, given.hash)
          AND (given.version IS NULL OR NOT ${wasSeen("given.id", dataType, "> given.version")})
        RETURNING 1
      )
      SELECT (SELECT count(*) FROM gone) AS deleted, (SELECT rows FROM there) - (SELECT count(*) FROM gone) AS kept`,
    values: [meant.map(({ record_id }) => record_id), meant.map(({ hash }) => hash), meant.map(({ version }) => version ?? null)],
  });
  const [deleted, kept] = [Number(rows[0]?.deleted ?? 0), Number(rows[0]?.kept ?? 0)];
  return { deleted, kept, absent: gone.length - deleted - kept };
}

/** A transaction that has come to its end, but for the commit. */
interface Ready {
  readonly deleted: Deleted;
  readonly position: Position;
}

/** Applies the tombstones of a target, a portion in a transaction, with the position that says how many of them are applied: each once. */
export class Deleter {
  readonly #session: Session;
  #position: Position;

  constructor(session: Session, position: Position) {
    this.#session = session;
    this.#position = position;
  }

  /** Tombstones of the target that are applied, as the position says. */
  get records(): number {
    return this.#position.records;
  }

  /** Applies a portion, up to the `upTo`-th tombstone of the target, and resolves once that is committed. */
  async commit(gone: readonly Gone[], upTo: number, signal: AbortSignal): Promise<Deleted> {
    const { dataType, version } = this.#position.key;
    let ready: Ready | null = null;
    const work = async (client: PostgresClient): Promise<Ready> => {
      // The last attempt may have been committed, though nobody could say so any more.
      if (ready !== null && (await storedRecords(client, ready.position)) === ready.position.records) return ready;
      return await inTransaction(client, async () => {
        const position = { ...this.#position, records: upTo };
        ready = { deleted: await deleteRows(client, dataType, gone), position };
        const isOurs = await move(client, position);
        if (!isOurs) throw new DumpError("SINK_UNAVAILABLE", `${dataType} of ${version}: another run has taken the deletions over; let one of them end`);
        fault("portion-stored");
        return ready;
      });
    };
    const done = await this.#session.run(`${gone.length} records of ${dataType} cannot be deleted`, work, signal);
    fault("portion-committed");
    this.#position = done.position;
    return done.deleted;
  }
}
