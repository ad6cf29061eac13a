/** Several indexes may know something of one place: that of a folder alone, and that of the same folder together with a broker. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DumpError } from "../errors.ts";
import { type DataType, sinkNames } from "../model.ts";
import { INDEX_FOLDER } from "./pointer.ts";
import { type IndexKey, RecordIndex } from "./record-index.ts";

/** How a folder is written to is no part of which folder it is. */
const FORM = "?compress=gzip";
/** A table has one document for an id. In a broker the contracts have exchanges of their own, and in a folder each version is of one of them. */
const OF_ANY_CONTRACT = /^postgres(ql)?:/;
/** What goes there is nobody's to keep. */
const NOWHERE: readonly string[] = ["null:", "-"];

/**
 * Doubts what other indexes know of data types, where a part of their sinks gets what is delivered to `key` now; `own` is the folder of the index
 * that knows of it. Resolves with the names of those sinks. A pointer that cannot be read is left to who uses it.
 */
export async function doubtRivals(indexRoot: string, key: IndexKey, own: string, dataTypes: readonly DataType[]): Promise<string[]> {
  const doubted: string[] = [];
  for (const name of await readdir(join(indexRoot, INDEX_FOLDER)).catch(() => [])) {
    const folder = join(indexRoot, INDEX_FOLDER, name);
    const rival = folder === own ? null : await openRival(folder);
    if (rival === null || !meet(rival.pointer, key)) continue;
    if (await rival.mistrust(dataTypes)) doubted.push(rival.pointer.sink);
  }
  return doubted;
}

/** Whether something goes to one place under both keys. */
function meet(one: IndexKey, other: IndexKey): boolean {
  const isShared = (name: string) => !NOWHERE.includes(name) && (one.contract === other.contract || OF_ANY_CONTRACT.test(name));
  const places = new Set(sinkNames(other.sink).map(placeOf));
  return sinkNames(one.sink).some((name) => isShared(name) && places.has(placeOf(name)));
}

function placeOf(name: string): string {
  return name.endsWith(FORM) ? name.slice(0, -FORM.length) : name;
}

async function openRival(folder: string): Promise<RecordIndex | null> {
  try {
    return await RecordIndex.at(folder);
  } catch (error) {
    // That of a newer release is no damage, after which it would be doubted anyway.
    if (error instanceof DumpError && error.code !== "STATE_TOO_NEW") return null;
    throw error;
  }
}
