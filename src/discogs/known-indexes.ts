/** What there is of record indexes in a state folder, and what becomes of them by a run that is not theirs. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { INDEX_FOLDER } from "../change/pointer.ts";
import { type IndexKey, RecordIndex } from "../change/record-index.ts";
import { doubtRivals } from "../change/rivals.ts";
import { type Contract, DATA_TYPES, type DataType } from "../model.ts";
import type { FileState } from "../state/marker.ts";
import type { ExtractRequest, IndexPlace } from "./request.ts";

/** Whether a state folder has any record index, of whatever sink. */
export function hasAnyIndex({ indexRoot }: IndexPlace): boolean {
  return existsSync(join(indexRoot, INDEX_FOLDER));
}

/** Whether runs from this folder have looked for changes, so that all have to keep the index right. Whoever never did needs no database to deliver everything. */
export async function hasIndex({ indexRoot, sinkName, database }: IndexPlace, contract: Contract): Promise<boolean> {
  return !(await RecordIndex.open(indexRoot, { sink: sinkName, contract }, database?.name ?? null)).isNew;
}

/** Before something is delivered: what other indexes of the folder know of a part of the sink is in doubt from now on. */
export async function doubtOthers({ incremental, kept, contract, inputs }: ExtractRequest, warn: (text: string) => void): Promise<void> {
  const place = incremental ?? kept;
  if (place === null || incremental?.dryRun === true) return;
  const key: IndexKey = { sink: place.sinkName, contract };
  const own = RecordIndex.folderOf(place.indexRoot, key, place.database?.name ?? null);
  const dataTypes = DATA_TYPES.filter((dataType) => inputs.some((input) => input.dataType === null || input.dataType === dataType));
  for (const sink of await doubtRivals(place.indexRoot, key, own, dataTypes)) {
    warn(`${sink}: a part of it gets records beside what its record index knows of; the next incremental run into it delivers everything once more`);
  }
}

/**
 * Whether the index knows less than a version brought that the state calls delivered, since an older index was brought back: then its files
 * are to be read again.
 */
export async function isForgotten(
  { indexRoot, sinkName }: Pick<IndexPlace, "indexRoot" | "sinkName">,
  contract: Contract,
  version: string,
  files: ReadonlyMap<DataType, FileState | null>,
) {
  const index = await RecordIndex.open(indexRoot, { sink: sinkName, contract });
  return [...files].some(([dataType, state]) => {
    const generation = index.generation(dataType);
    if (state === null || state.ledger === null || (generation !== null && generation.version > version)) return false;
    return generation?.run !== state.ledger.run || generation.doubted === true;
  });
}
