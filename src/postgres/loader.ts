import { fault } from "#fault";
import { type BodyKeys, bodyKeys, copyRows } from "../../native/index.js";
import { DumpError, systemCode } from "../errors.ts";
import type { DataType } from "../model.ts";
import type { PostgresConfig } from "./config.ts";
import type { PostgresClient } from "./connect.ts";
import { copyInto } from "./copy.ts";
import { changedRows, createStaging, type Merged, mergeStaged, stage, stagingName } from "./merge.ts";
import type { Portion } from "./portion.ts";
import { isEmpty, move, type Position, storedRecords } from "./position.ts";
import { markSeen } from "./seen.ts";
import type { Session } from "./session.ts";
import { holdTombstones } from "./tombstones.ts";
import { inTransaction } from "./transaction.ts";

/** What became of the records of a portion. */
export interface Loaded extends Merged {
  /** Records whose row had their hash already, or that another record of the same id came after. */
  readonly unchanged: number;
  /** Documents in which NUL or half a surrogate pair, which `jsonb` cannot hold, became U+FFFD. */
  readonly replaced: number;
  /** Records that no row can hold, such as those without an id, and why the first of them cannot. */
  readonly refused: { readonly records: number; readonly reason: string } | null;
}

/** Whose records a loader stores. */
export interface LoaderOptions {
  readonly dataType: DataType;
  /** Names what this process leaves in the database for as long as it works: letters and digits. */
  readonly run: string;
  /** The position that moves with the records; null: nobody keeps one, as where a broker remembers what is done. */
  readonly position: Position | null;
}

/** What a loader is told of a portion. */
export interface PortionFacts {
  /** The keys of its bodies, where they are known already. */
  readonly keys?: BodyKeys;
  /** The version that its ids are remembered for; null: they are not. */
  readonly seenIn: string | null;
  /** Tombstones of the type may be applied at the same time, on another connection: one waits for the other. */
  readonly besideTombstones?: boolean;
  /** Records of the target up to the end of the portion; left out: as many more as it has. */
  readonly upTo?: number;
}

/** The table as we left it: whether it holds nothing but what we have put there, and the highest id that is a number. */
interface Fresh {
  readonly isFresh: boolean;
  readonly highest: number;
}

/** A transaction that has come to its end, but for the commit. */
interface Ready {
  readonly loaded: Loaded;
  readonly fresh: Fresh;
  readonly position: Position | null;
}

/** A release may be announced for next year. */
const YEARS_AHEAD = 1;
const UNIQUE_VIOLATION = "23505";

/**
 * Stores records, a portion in a transaction. Ids and hashes go first: bodies follow only of those that are new or differ, and no other
 * row is touched. A table that was empty takes rows as they are, for as long as ids ascend. Whatever fails in passing is done again as
 * a whole, so that a portion is stored once however often the connection breaks, also where nobody said whether it was committed.
 */
export class Loader {
  readonly #session: Session;
  readonly #derive: boolean;
  readonly #dataType: DataType;
  readonly #staging: string;
  /** The connection that has the staging table. */
  #prepared: PostgresClient | null = null;
  #position: Position | null;
  /** Null: nobody has looked yet. */
  #fresh: Fresh | null;

  constructor(session: Session, { derive }: Pick<PostgresConfig, "derive">, { dataType, run, position }: LoaderOptions) {
    this.#session = session;
    this.#derive = derive && dataType === "releases";
    this.#dataType = dataType;
    this.#position = position;
    this.#staging = stagingName(dataType, run, position?.attempt ?? 0);
    this.#fresh = position === null ? null : { isFresh: position.fresh, highest: position.highest ?? -1 };
  }

  /** Records of the target that are stored, as the position says. */
  get records(): number {
    return this.#position?.records ?? 0;
  }

  /** The table was empty when the first record came. */
  get isFirstLoad(): boolean {
    return this.#fresh?.isFresh === true;
  }

  /**
   * Stores a portion and resolves once that is committed. Throws the driver's error where a record is to blame (see `failureKind`), else
   * SINK_UNAVAILABLE.
   */
  async commit(portion: Portion, about: PortionFacts, signal: AbortSignal): Promise<Loaded> {
    const keys = about.keys ?? bodyKeys(portion.bytes, portion.ends, false);
    let ready: Ready | null = null;
    const work = async (client: PostgresClient): Promise<Ready> => {
      if (this.#prepared !== client) await createStaging(client, this.#staging);
      this.#prepared = client;
      // The last attempt may have been committed, though nobody could say so any more.
      if (ready?.position != null && (await storedRecords(client, ready.position)) === ready.position.records) return ready;
      const store = () =>
        inTransaction(client, async () => {
          ready = await this.#store(client, portion, keys, about);
          fault("portion-stored");
          return ready;
        });
      try {
        return await store();
      } catch (error) {
        if (!this.isFirstLoad || systemCode(error) !== UNIQUE_VIOLATION) throw error;
        this.#fresh = { isFresh: false, highest: -1 }; // somebody else writes here too
        return await store();
      }
    };
    const done = await this.#session.run(`${portion.ends.length} records of ${this.#dataType} cannot be stored`, work, signal);
    fault("portion-committed");
    this.#fresh = done.fresh;
    this.#position = done.position;
    return done.loaded;
  }

  async #store(client: PostgresClient, portion: Portion, keys: BodyKeys, { seenIn, besideTombstones = false, upTo }: PortionFacts): Promise<Ready> {
    const dataType = this.#dataType;
    if (besideTombstones) await holdTombstones(client, dataType);
    const records = portion.ends.length;
    this.#fresh ??= { isFresh: await isEmpty(client, dataType), highest: -1 };
    const { isFresh } = this.#fresh;
    const fresh = { isFresh, highest: isFresh ? highestOf(keys.numbers, this.#fresh.highest) : -1 };
    let merged: Merged = { inserted: 0, updated: 0 };
    let replaced = 0;
    if (isFresh && ascendsFrom(keys.numbers, this.#fresh.highest)) {
      const rows = copyRows(portion.bytes, portion.ends, this.#rowOptions(false));
      await copyInto(client, `${dataType} (data_id, hash, data)`, rows.bytes);
      ({ replaced } = rows);
      merged = { inserted: rows.rows, updated: 0 };
    } else {
      const which = await changedRows(client, dataType, keys, ascendsFrom(keys.numbers, -1));
      if (which.length > 0) {
        const rows = copyRows(portion.bytes, portion.ends, { ...this.#rowOptions(true), which });
        await stage(client, this.#staging, rows.bytes);
        ({ replaced } = rows);
        merged = await mergeStaged(client, dataType, this.#staging);
      }
    }
    if (seenIn !== null) await markSeen(client, seenIn, dataType, keys);
    const [first] = keys.bad;
    const refused = first === undefined ? null : { records: keys.bad.length, reason: first.reason };
    const loaded = { ...merged, unchanged: records - keys.bad.length - merged.inserted - merged.updated, replaced, refused };
    return { loaded, fresh, position: await this.#move(client, upTo ?? this.records + records, fresh) };
  }

  async #move(client: PostgresClient, records: number, { isFresh, highest }: Fresh): Promise<Position | null> {
    if (this.#position === null) return null;
    const position = { ...this.#position, records, fresh: isFresh, highest: isFresh && highest >= 0 ? highest : null };
    if (await move(client, position)) return position;
    const { version } = position.key;
    throw new DumpError("SINK_UNAVAILABLE", `${this.#dataType} of ${version}: another run has taken the table over; let one of them end`);
  }

  #rowOptions(numbered: boolean) {
    return { numbered, derive: this.#derive, yearMax: new Date().getUTCFullYear() + YEARS_AHEAD };
  }
}

/** Whether numbers ascend strictly, from above `below` on; never where one is none. */
function ascendsFrom(numbers: Float64Array, below: number): boolean {
  let last = below;
  for (const number of numbers) {
    if (!(number > last)) return false;
    last = number;
  }
  return true;
}

function highestOf(numbers: Float64Array, least: number): number {
  let highest = least;
  for (const number of numbers) if (number > highest) highest = number;
  return highest;
}
