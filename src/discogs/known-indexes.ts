/** What there is of record indexes in a state folder, and what becomes of them by a run that is not theirs. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { INDEX_FOLDER } from "../change/pointer.ts";
import { PostgresIndex } from "../change/postgres-index.ts";
import { type IndexKey, RecordIndex } from "../change/record-index.ts";
import { doubtRivals } from "../change/rivals.ts";
import { DumpError } from "../errors.ts";
import { type Contract, DATA_TYPES, type DataType } from "../model.ts";
import type { FileState } from "../state/marker.ts";
import type { ExtractRequest, IndexPlace } from "./request.ts";

/** Whether a state folder has any record index, of whatever sink. */
export function hasAnyIndex({ indexRoot }: IndexPlace): boolean {
  return existsSync(join(indexRoot, INDEX_FOLDER));
}

/** Whether runs have looked for changes, from this folder or with this database, so that all have to keep the index right. */
export async function hasIndex({ indexRoot, sinkName, database, changelogRuns }: IndexPlace, request: ExtractRequest, warn: (text: string) => void) {
  const key: IndexKey = { sink: sinkName, contract: request.contract };
  const { isNew } = await RecordIndex.open(indexRoot, key, database?.name ?? null);
  if (!isNew || database === null) return !isNew;
  try {
    return await PostgresIndex.isThere({ config: database, indexRoot, key, dataTypes: typesOf(request), dryRun: true, runsKept: changelogRuns, warn });
  } catch (error) {
    // The service may be told of a database that is another service's; who names it for one run wants it.
    const isAway = error instanceof DumpError || (error instanceof Error && error.name === "TimeoutError");
    if (!isAway || !request.fetched) throw error;
    warn(`${error.message}; if incremental runs have used that database, they will not know what this run delivers: begin them anew in another schema`);
    return false;
  }
}

function typesOf({ inputs }: ExtractRequest): readonly DataType[] {
  return DATA_TYPES.filter((dataType) => inputs.some((input) => input.dataType === null || input.dataType === dataType));
}

/** Before something is delivered: what other indexes of the folder know of a part of the sink is in doubt from now on. */
export async function doubtOthers(request: ExtractRequest, warn: (text: string) => void): Promise<void> {
  const { incremental, kept, contract } = request;
  const place = incremental ?? kept;
  if (place === null || incremental?.dryRun === true) return;
  const key: IndexKey = { sink: place.sinkName, contract };
  const own = RecordIndex.folderOf(place.indexRoot, key, place.database?.name ?? null);
  for (const sink of await doubtRivals(place.indexRoot, key, own, typesOf(request))) {
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
