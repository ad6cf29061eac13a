/** The entries of one or two indexes in the order of their keys, see `native/src/index/key.rs`. */
import { indexEntries, xxh3_64 } from "../../native/index.js";
import { indexFault } from "./index-fault.ts";
import type { OpenIndex } from "./ledger.ts";

/** It equals nothing: downstream may have it or not. */
export const DIRTY = 2;
const ENTRIES_AT_ONCE = 4096;
const HASH_BYTES = 16;
const CANONICAL = /^(?:0|[1-9]\d{0,15})$/;
const ODD = 1n << 63n;
const NAMELESS = ODD | (1n << 62n);

/** One record as an index has it. */
export interface IndexEntry {
  readonly key: bigint;
  /** Null: it has none. */
  readonly id: string | null;
  readonly raw: bigint;
  readonly hash: Buffer;
  readonly flags: number;
}

/** All that two indexes have of one id. */
export interface Group {
  readonly theirs: readonly IndexEntry[];
  readonly ours: readonly IndexEntry[];
}

/** Every id of two indexes, or of one, once. */
export function* groupsOf(theirs: OpenIndex, ours: OpenIndex | null): Generator<Group> {
  const sides = [new Ahead(entriesOf(theirs)), new Ahead(ours === null ? [].values() : entriesOf(ours))] as const;
  for (;;) {
    const [one, other] = [sides[0].key, sides[1].key];
    if (one === null && other === null) return;
    const key = one === null || (other !== null && other < one) ? other : one;
    yield { theirs: sides[0].take(key), ours: sides[1].take(key) };
  }
}

/** The entries of one index. */
export function* entriesOf({ handle }: OpenIndex): Generator<IndexEntry> {
  for (let from: number | null = 0; from !== null; ) {
    const at: number = from;
    const { ids, raws, hashes, flags, next } = indexFault(() => indexEntries(handle, at, ENTRIES_AT_ONCE));
    for (const [i, id] of ids.entries()) {
      const hash = Buffer.from(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
      yield { key: keyOf(id, hash), id, raw: raws[i] ?? 0n, hash, flags: flags[i] ?? 0 };
    }
    from = next;
  }
}

function keyOf(id: string | null, hash: Buffer): bigint {
  if (id === null) return NAMELESS | (hash.readBigUInt64BE() >> 2n);
  if (CANONICAL.test(id) && Number.isSafeInteger(Number(id))) return BigInt(id);
  return ((xxh3_64(Buffer.from(id)) >> 1n) & ~(1n << 62n)) | ODD;
}

/** Entries, the next of which is known. */
class Ahead {
  readonly #entries: Iterator<IndexEntry>;
  #head: IndexEntry | null = null;

  constructor(entries: Iterator<IndexEntry>) {
    this.#entries = entries;
    this.#step();
  }

  get key(): bigint | null {
    return this.#head?.key ?? null;
  }

  take(key: bigint | null): IndexEntry[] {
    const taken: IndexEntry[] = [];
    while (this.#head !== null && this.#head.key === key) {
      taken.push(this.#head);
      this.#step();
    }
    return taken;
  }

  #step(): void {
    const { done, value } = this.#entries.next();
    this.#head = done === true ? null : value;
  }
}
