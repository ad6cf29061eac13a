import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DumpError, systemCode } from "../errors.ts";
import { type HistoryLine, readHistory } from "./history.ts";
import { INDEX_FOLDER, POINTER_NAME, type Pointer, readPointer } from "./pointer.ts";
import { endedNumbers } from "./salvage.ts";

/** A record index as it is shown. */
export interface ListedIndex {
  readonly folder: string;
  /** Null if it cannot be read. */
  readonly pointer: Pointer | null;
  readonly fault: string | null;
  /** What runs have found, oldest first. */
  readonly history: readonly HistoryLine[];
}

/** The pointer, or why there is none that can be used; throws ENOENT where no run has ended yet. */
async function pointerOf(folder: string): Promise<Pointer | string> {
  try {
    return readPointer(await readFile(join(folder, POINTER_NAME), "utf8"));
  } catch (error) {
    if (error instanceof DumpError) return error.message;
    if (systemCode(error) === "ENOENT" && (await endedNumbers(folder)).size > 0) return `${POINTER_NAME} is not there`;
    throw error;
  }
}

/** Every record index in a state folder; looks at no record. */
export async function listIndexes(stateRoot: string): Promise<ListedIndex[]> {
  const names = await readdir(join(stateRoot, INDEX_FOLDER)).catch(() => []);
  const listed: ListedIndex[] = [];
  for (const name of names.sort()) {
    const folder = join(stateRoot, INDEX_FOLDER, name);
    try {
      const pointer = await pointerOf(folder);
      const history = await readHistory(folder);
      listed.push(typeof pointer === "string" ? { folder, pointer: null, fault: pointer, history } : { folder, pointer, fault: null, history });
    } catch (error) {
      // The first run has not ended, or somebody else's file lies there.
      if (!["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) throw error;
    }
  }
  return listed;
}
