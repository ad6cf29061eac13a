/** Indexes that come from elsewhere: what of them may be believed, and how they become the last good generation. */
import { stat } from "node:fs/promises";
import { syncFolder } from "../durable.ts";
import type { Contract, DataType } from "../model.ts";
import { copySynced } from "./backups.ts";
import { OpenIndex } from "./ledger.ts";
import { type Doubt, type Given, type Restored, rebuild } from "./rebuild.ts";
import type { RecordIndex } from "./record-index.ts";
import { faultOf } from "./soundness.ts";
import { settleLedger } from "./superseded.ts";

/**
 * How far what is given is believed. `whole`: it is what downstream has, but for what a run that was never ended may have delivered. `beside`:
 * something else may have been delivered since, which is told from what is known now; where the two differ, records equal nothing and are
 * delivered again.
 */
export type Belief = "whole" | "beside";

/**
 * Makes `given` the last good generation of a data type. What an unfinished run may have delivered is not forgotten, unless the index is damaged
 * that alone tells what its ledger means; the ledger goes. `before`: file of an older generation that held what `given` may lack; where the two
 * differ, records equal nothing.
 */
export async function restore(
  index: RecordIndex,
  dataType: DataType,
  contract: Contract,
  given: Given,
  belief: Belief,
  before: string | null = null,
): Promise<Restored> {
  await index.makeFolder();
  const hasLedger = (await stat(index.ledgerPath(dataType)).catch(() => null)) !== null;
  let known = index.generation(dataType);
  let isSound = known === null || (await faultOf(index.pathOf(known), known)) === null;
  if (hasLedger && isSound) {
    isSound = await folds(index, dataType, contract);
    known = index.generation(dataType);
  }
  if (before !== null) {
    using old = new OpenIndex(before);
    const restored = await rebuild(index, dataType, contract, given, known?.doubted === true ? "all" : "beside", old);
    if (hasLedger && !(await folds(index, dataType, contract))) await index.doubt(dataType);
    await index.removeLedgers([dataType]);
    return restored;
  }
  // Without what is known now nobody can tell what has been delivered since.
  if (belief === "whole" && !hasLedger) return { records: await take(index, dataType, given), doubted: 0 };
  const doubt: Doubt = !isSound || known === null || known.doubted === true ? "all" : belief === "whole" ? "unended" : "beside";
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
