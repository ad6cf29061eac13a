/** Generations that a database has the last word on, as files of the folder. */
import { access } from "node:fs/promises";
import { closeBuild, finishBuild, indexInfo, openBuild, pushBuild } from "../../native/index.js";
import type { RecordRows } from "../postgres/record-states.ts";
import { indexFault } from "./index-fault.ts";
import { OpenIndex } from "./ledger.ts";

/** Equal to nothing: see `IndexEntries.flags`. */
const DIRTY = 2;

/** What a file says of itself; null: there is none, or none that can be read. */
export async function metaOf(path: string): Promise<Readonly<Record<string, unknown>> | null> {
  try {
    await access(path);
    using index = new OpenIndex(path);
    const meta: unknown = JSON.parse(indexInfo(index.handle).meta);
    return typeof meta === "object" && meta !== null ? (meta as Record<string, unknown>) : null;
  } catch {
    return null; // it is made anew then
  }
}

/** Makes the file of a generation of rows in any order. `isDoubted`: no record equals any of them. */
export async function buildGeneration(path: string, meta: string, rows: AsyncIterable<RecordRows>, isDoubted: boolean): Promise<void> {
  const build = openBuild(path);
  try {
    for await (const columns of rows) {
      const flags = isDoubted ? columns.flags.map((flag) => flag | DIRTY) : columns.flags;
      indexFault(() => pushBuild(build, { ...columns, flags }));
    }
  } catch (error) {
    closeBuild(build);
    throw error;
  }
  await indexFault(() => finishBuild(build, meta));
}
