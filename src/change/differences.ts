/** What two generations say differently, as rows for the staging table of the database. */
import { diffIndexes } from "../../native/index.js";
import { BinaryRows } from "../postgres/copy-binary.ts";
import { KINDS, STEPS } from "../postgres/record-states.ts";
import { indexFault } from "./index-fault.ts";
import type { OpenIndex } from "./ledger.ts";

/** Ids that are asked for at once. */
const IDS_AT_ONCE = 8192;
const HASH_BYTES = 16;
const NEW = 1;
const NUMBER = /^(0|[1-9]\d{0,15})$/;

type Columns = Awaited<ReturnType<typeof diffIndexes>>;
type Kind = (typeof KINDS)[keyof typeof KINDS];

/** Rows for an empty table of records, without those that it does not take; see {@link RECORD_COLUMNS}. */
export async function* recordRows(next: OpenIndex, state: number, run: number): AsyncGenerator<Buffer> {
  const rows = new BinaryRows();
  for await (const columns of differences(null, next)) {
    for (const { id, news } of groups(columns)) {
      const at = news[0];
      if (!isPlain(id, news) || at === undefined) continue;
      rows.row(6);
      rows.number(Number(id));
      rows.bigint(columns.raws[at] ?? 0n);
      rows.integer(run);
      rows.smallint(state);
      rows.smallint(columns.flags[at] ?? 0);
      rows.uuid(columns.hashes, at * HASH_BYTES);
    }
    if (rows.isFull) yield rows.take();
  }
  yield rows.end();
}

/** What is to be logged of a change, and which rows are left to others. */
export interface StagingOptions {
  /** Other hashes are no other contents. */
  readonly isRebased: boolean;
  /** Plain records stand in the table already. */
  readonly withoutPlain: boolean;
}

/** Rows for the staging table; see {@link STAGING_COLUMNS}. */
export async function* stagingRows(old: OpenIndex | null, next: OpenIndex, { isRebased, withoutPlain }: StagingOptions): AsyncGenerator<Buffer> {
  const staging = new Staging();
  for await (const columns of differences(old, next)) {
    for (const group of groups(columns)) {
      if (withoutPlain && isPlain(group.id, group.news)) continue;
      staging.add(columns, group, isRebased);
    }
    if (staging.rows.isFull) yield staging.rows.take();
  }
  yield staging.rows.end();
}

/** All entries of one id, by their indexes in the columns. */
interface Group {
  readonly id: string | null;
  readonly olds: readonly number[];
  readonly news: readonly number[];
}

class Staging {
  readonly rows = new BinaryRows();

  /** What is to be done about one id: a plain entry stands in the table of records, all else in that of others. */
  add(columns: Columns, group: Group, isRebased: boolean): void {
    const { id, olds, news } = group;
    const kind = kindOf(columns, group, isRebased);
    const [wasPlain, isNowPlain] = [isPlain(id, olds), isPlain(id, news)];
    const old = olds[0] ?? null;
    let told: Kind = kind;
    const row = (step: number, at: number | null) => {
      this.#row(columns, { step, kind: told, id, at, old });
      told = KINDS.none; // once
    };
    if (isNowPlain) row(STEPS.store, news[0] ?? null);
    else if (wasPlain) row(STEPS.remove, null);
    if (!wasPlain && olds.length > 0) row(STEPS.removeOther, id === null ? old : null);
    if (!isNowPlain) for (const at of news) row(STEPS.storeOther, at);
  }

  #row(
    { raws, flags, hashes }: Columns,
    { step, kind, id, at, old }: { step: number; kind: Kind; id: string | null; at: number | null; old: number | null },
  ): void {
    const { rows } = this;
    const isOther = step === STEPS.storeOther || step === STEPS.removeOther;
    rows.row(8);
    rows.smallint(step);
    rows.smallint(kind);
    if (isOther || id === null) rows.absent();
    else rows.number(Number(id));
    if (!isOther || id === null) rows.absent();
    else rows.text(id);
    if (at === null) rows.absent();
    else rows.bigint(raws[at] ?? 0n);
    if (at === null) rows.absent();
    else rows.smallint(flags[at] ?? 0);
    if (at === null) rows.absent();
    else rows.uuid(hashes, at * HASH_BYTES);
    if (old === null) rows.absent();
    else rows.uuid(hashes, old * HASH_BYTES);
  }
}

/** What consumers were told of an id. That a record without one is gone nobody is told. */
function kindOf({ hashes }: Columns, { id, olds, news }: Group, isRebased: boolean): Kind {
  const [old, at] = [olds[0], news[0]];
  if (old === undefined) return KINDS.created;
  if (at === undefined) return id === null ? KINDS.none : KINDS.deleted;
  if (isRebased) return KINDS.none;
  return olds.length === 1 && isSame(hashes, old, at) ? KINDS.none : KINDS.updated;
}

function isSame(hashes: Uint8Array, one: number, other: number): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (hashes[one * HASH_BYTES + i] !== hashes[other * HASH_BYTES + i]) return false;
  return true;
}

function isPlain(id: string | null, entries: readonly number[]): boolean {
  return entries.length === 1 && id !== null && NUMBER.test(id) && Number.isSafeInteger(Number(id));
}

async function* differences(old: OpenIndex | null, next: OpenIndex): AsyncGenerator<Columns> {
  for (let from: Columns["next"] = { old: 0, new: 0 }; from !== null; ) {
    const at: NonNullable<Columns["next"]> = from;
    const columns: Columns = await indexFault(() => diffIndexes(old?.handle ?? null, next.handle, at, IDS_AT_ONCE));
    yield columns;
    from = columns.next;
  }
}

/** Entries of one id come together, the old ones first; of records without an id, those of one content. */
function* groups({ ids, sides, hashes }: Columns): Generator<Group> {
  for (let from = 0; from < ids.length; ) {
    const id = ids[from] ?? null;
    const [olds, news]: [number[], number[]] = [[], []];
    let to = from;
    while (to < ids.length && (ids[to] ?? null) === id && (id !== null || isSame(hashes, from, to))) {
      (sides[to] === NEW ? news : olds).push(to);
      to += 1;
    }
    yield { id, olds, news };
    from = to;
  }
}
