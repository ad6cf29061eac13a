/** Ledgers that were left behind: what is to become of them before a file is begun afresh. */
import { stat } from "node:fs/promises";
import { z } from "zod";
import { canonicalJson } from "../canonical.ts";
import { DumpError, type ErrorCode } from "../errors.ts";
import { CONTRACTS, DATA_TYPES, type DataType } from "../model.ts";
import type { IndexStore } from "./index-store.ts";
import { Ledger, OpenIndex } from "./ledger.ts";
import { NO_CHANGES } from "./pointer.ts";

/** The version of a generation that holds only what runs which never ended may have delivered. It comes before all others. */
export const NEVER_ENDED = "";

const subject = z.strictObject({
  version: z.string(),
  dataType: z.enum(DATA_TYPES),
  contract: z.enum(CONTRACTS),
  /** Digest of the data quality rules. */
  rules: z.string().nullable(),
  hash: z.int(),
  /** File of the generation that pieces were held against; null: none. */
  index: z.string().nullable(),
  /** The bytes of the dump. */
  source: z.string().nullable(),
});
/** What a ledger is of; two runs of the same find the same. */
export type LedgerSubject = z.infer<typeof subject>;

const header = z.strictObject({ run: z.uuid(), ...subject.shape });

/** Of such a ledger nothing is known. */
const UNTELLABLE: readonly ErrorCode[] = ["LEDGER_MISMATCH", "INDEX_CORRUPT"];

/** The same for who has other files of the same content. */
export function subjectOf({ index: _, ...of }: LedgerSubject): string {
  return canonicalJson(of);
}

/** The header of a ledger. */
export function writeHeader(run: string, of: LedgerSubject): string {
  return canonicalJson({ run, ...of });
}

/**
 * Looks at the ledger that an earlier run has left. One of the same subject is simply begun again: its run's id is returned, since everything that
 * it delivered comes again. What another one may have delivered becomes part of the index, as records that equal nothing: they are delivered
 * again if the dump has them, and deleted if it has not. `onFolded` hears of that. Of one that is damaged or of another index nothing can be
 * told: everything that is known is in doubt then.
 */
export async function settleLedger(index: IndexStore, of: LedgerSubject, onFolded: (text: string) => void): Promise<string | null> {
  const path = index.ledgerPath(of.dataType);
  if ((await stat(path).catch(() => null)) === null) return null;
  const generation = index.generation(of.dataType);
  using opened = generation === null ? null : new OpenIndex(index.pathOf(generation));
  using ledger = reopened(path, opened);
  if (ledger === null) {
    if (isOfLastRun(index, of.dataType)) return null;
    onFolded(
      `${of.dataType}: ${path} is damaged or of another record index; what its run has delivered nobody can tell, so that all records are looked at anew`,
    );
    await index.doubt(of.dataType);
    return null;
  }
  if (ledger.counts.header === "") return null; // killed before it held anything, and so before anything was delivered
  const { run, ...was } = readHeader(ledger);
  if (generation?.run === run) return null; // all of it is in the index
  const { created, updated, repeated, corrected, rewound, deletedUpTo } = ledger.counts;
  // The same tombstones need not come again: they may be held back this time.
  if (canonicalJson(was) === canonicalJson(of) && deletedUpTo === null) return run;
  // What came as it was behind something else may have been delivered as something else: that it counts as unchanged says nothing.
  const hasDelivered = created + updated + repeated > 0 || rewound || corrected || deletedUpTo !== null;
  if (!hasDelivered) {
    await index.discard(run);
    return null;
  }
  await fold(index, of.dataType, ledger, run);
  const found = rewound ? "all records" : created + updated > 0 ? `the ${created + updated} records` : "deletions";
  onFolded(`${of.dataType}: a run of version ${was.version} was never ended; ${found} that it may have delivered are looked at anew`);
  return null;
}

/** Null: the ledger is damaged, or of another index. */
function reopened(path: string, index: OpenIndex | null): Ledger | null {
  try {
    return Ledger.reopen(path, index);
  } catch (error) {
    if (error instanceof DumpError && UNTELLABLE.includes(error.code)) return null;
    throw error;
  }
}

/** Whether the ledger is what the last good generation was made of: the run was killed behind the pointer's move, before it could remove it. */
function isOfLastRun(index: IndexStore, dataType: DataType): boolean {
  const last = index.generation(dataType);
  if (last === null) return false;
  const before = last.number === 1 ? null : index.pathOf({ file: `${dataType}.${last.number - 1}.idx` });
  try {
    using opened = before === null ? null : new OpenIndex(before);
    using ledger = reopened(index.ledgerPath(dataType), opened);
    return ledger !== null && readHeader(ledger).run === last.run;
  } catch (error) {
    // The generation before is gone or damaged, so that nothing tells.
    if (error instanceof DumpError) return false;
    throw error;
  }
}

function readHeader(ledger: Ledger) {
  return header.parse(JSON.parse(ledger.counts.header));
}

async function fold(index: IndexStore, dataType: DataType, ledger: Ledger, run: string): Promise<void> {
  const base = index.generation(dataType);
  const next = index.next(dataType);
  const known = base ?? { version: NEVER_ENDED, pending: 0, changes: NO_CHANGES, rulesDigest: null, hashVersion: 0 };
  const { version, rulesDigest, hashVersion } = known;
  const { records } = await ledger.fold(index.pathOf(next), canonicalJson({ dataType, folded: run, version, run, rulesDigest, hashVersion }));
  await index.commit({ [dataType]: { ...known, ...next, run, records } }, run);
}
