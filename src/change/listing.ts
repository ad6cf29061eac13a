import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../errors.ts";
import { type HistoryLine, readHistory } from "./history.ts";
import { INDEX_FOLDER, POINTER_NAME, type Pointer, readPointer } from "./pointer.ts";

/** A record index as it is shown. */
export interface ListedIndex {
  readonly folder: string;
  /** Null if it cannot be read. */
  readonly pointer: Pointer | null;
  readonly fault: string | null;
  /** What runs have found, oldest first. */
  readonly history: readonly HistoryLine[];
}

/** Every record index in a state folder; looks at no record. */
export async function listIndexes(stateRoot: string): Promise<ListedIndex[]> {
  const names = await readdir(join(stateRoot, INDEX_FOLDER)).catch(() => []);
  const listed: ListedIndex[] = [];
  for (const name of names.sort()) {
    const folder = join(stateRoot, INDEX_FOLDER, name);
    try {
      const pointer = readPointer(await readFile(join(folder, POINTER_NAME), "utf8"));
      const history = await readHistory(folder);
      listed.push(typeof pointer === "string" ? { folder, pointer: null, fault: pointer, history } : { folder, pointer, fault: null, history });
    } catch (error) {
      // The first run has not ended, or somebody else's file lies there.
      if (!["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) throw error;
    }
  }
  return listed;
}
