/** Indexes that come from elsewhere: what of them may be believed, and how they become the last good generation. */
import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { closeBuild, finishBuild, openBuild, pushBuild } from "../../native/index.js";
import { canonicalJson } from "../canonical.ts";
import { syncFolder } from "../durable.ts";
import type { Contract, DataType } from "../model.ts";
import { copySynced } from "./backups.ts";
import { DIRTY, type Group, groupsOf } from "./entries.ts";
import { indexFault } from "./index-fault.ts";
import { OpenIndex } from "./ledger.ts";
import { type Generation, NO_CHANGES } from "./pointer.ts";
import type { RecordIndex } from "./record-index.ts";
import { faultOf } from "./soundness.ts";
import { settleLedger } from "./superseded.ts";

/** An index file that is to become the last good generation. */
export interface Given {
  readonly path: string;
  readonly generation: Omit<Generation, "file" | "number">;
}

/**
 * How far what is given is believed. `whole`: it is what downstream has, but for what a run that was never ended may have delivered. `beside`:
 * something else may have been delivered since, which is told from what is known now; where the two differ, records equal nothing and are
 * delivered again.
 */
export type Belief = "whole" | "beside";

/** Which ids equal nothing: none, those that an unfinished run may have touched, those of which something else is known now, or all. */
type Doubt = "none" | "unended" | "beside" | "all";

/** What became of it. `doubted`: ids that equal nothing now. */
export interface Restored {
  readonly records: number;
  readonly doubted: number;
}

const ENTRIES_AT_ONCE = 8192;

/** Makes `given` the last good generation of a data type. What an unfinished run may have delivered is never forgotten, and its ledger goes. */
export async function restore(index: RecordIndex, dataType: DataType, contract: Contract, given: Given, belief: Belief): Promise<Restored> {
  await index.makeFolder();
  const hasLedger = (await stat(index.ledgerPath(dataType)).catch(() => null)) !== null;
  let known = index.generation(dataType);
  let isSound = known === null || (await faultOf(index.pathOf(known), known)) === null;
  if (hasLedger && isSound) {
    isSound = await folds(index, dataType, contract);
    known = index.generation(dataType);
  }
  // Without what is known now nobody can tell what has been delivered since.
  if (belief === "whole" && !hasLedger) return { records: await take(index, dataType, given), doubted: 0 };
  const doubt: Doubt = !isSound || known === null ? "all" : belief === "whole" ? "unended" : "beside";
  using old = doubt === "all" || known === null ? null : new OpenIndex(index.pathOf(known));
  const restored = await rebuild(index, dataType, contract, given, doubt, old);
  await index.removeLedgers([dataType]);
  return restored;
}

/** False if the ledger cannot be read, so that nobody knows what was delivered. */
async function folds(index: RecordIndex, dataType: DataType, contract: Contract): Promise<boolean> {
  const nothing = { version: "", dataType, contract, rules: null, hash: -1, index: null, source: null };
  try {
    await settleLedger(index, nothing, () => {});
    return true;
  } catch {
    return false;
  }
}

/** The file as it is. */
export async function take(index: RecordIndex, dataType: DataType, { path, generation }: Given): Promise<number> {
  const next = index.next(dataType);
  await copySynced(path, index.pathOf(next));
  await syncFolder(index.folder);
  await index.commit({ [dataType]: { ...generation, ...next } });
  return generation.records;
}

/** The file's entries, those in doubt as such. It is a run of its own: no file that was read before counts as read now. */
async function rebuild(index: RecordIndex, dataType: DataType, contract: Contract, { path, generation }: Given, doubt: Doubt, old: OpenIndex | null) {
  const next = index.next(dataType);
  const run = randomUUID();
  const { version, rulesDigest, hashVersion } = generation;
  using given = new OpenIndex(path);
  const build = new Build(index.pathOf(next));
  let doubted = 0;
  try {
    for (const { theirs, ours } of groupsOf(given, old)) {
      const isDoubted = doubt === "all" || (doubt === "unended" ? ours.some(({ flags }) => (flags & DIRTY) !== 0) : differ(theirs, ours));
      doubted += isDoubted ? 1 : 0;
      const entries = isDoubted ? [...theirs, ...ours].map((entry) => ({ ...entry, raw: 0n, flags: entry.flags | DIRTY })) : theirs;
      for (const entry of entries) build.push(entry);
    }
    const { records } = await build.finish(canonicalJson({ dataType, version, contract, run, rulesDigest, hashVersion }));
    await index.commit({ [dataType]: { ...generation, ...next, run, records, pending: 0, changes: NO_CHANGES } });
    return { records, doubted };
  } catch (error) {
    build.close();
    throw error;
  }
}

function differ(theirs: Group["theirs"], ours: Group["ours"]): boolean {
  const [one, other] = [theirs[0], ours[0]];
  if (one === undefined || other === undefined || theirs.length > 1 || ours.length > 1) return true;
  return ((one.flags | other.flags) & DIRTY) !== 0 || !one.hash.equals(other.hash);
}

/** An index file on its way, fed in portions. */
class Build {
  readonly #handle: number;
  #rows: Group["ours"][number][] = [];

  constructor(path: string) {
    this.#handle = openBuild(path);
  }

  push(entry: Group["ours"][number]): void {
    this.#rows.push(entry);
    if (this.#rows.length >= ENTRIES_AT_ONCE) this.#flush();
  }

  async finish(meta: string): Promise<{ readonly records: number }> {
    this.#flush();
    return await indexFault(() => finishBuild(this.#handle, meta));
  }

  close(): void {
    closeBuild(this.#handle);
  }

  #flush(): void {
    const rows = this.#rows;
    this.#rows = [];
    indexFault(() =>
      pushBuild(this.#handle, {
        ids: rows.map(({ id }) => id),
        hashes: Buffer.concat(rows.map(({ hash }) => hash)),
        raws: BigUint64Array.from(rows, ({ raw }) => raw),
        flags: Uint8Array.from(rows, ({ flags }) => flags),
      }),
    );
  }
}
