/** Steps of writing so that a crash leaves the old or the new, apart from what anybody makes of their failures. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "./errors.ts";

/** File systems that cannot sync a folder: there a rename is as durable as it gets. */
const CANNOT_SYNC: readonly (string | undefined)[] = ["EINVAL", "ENOTSUP", "EISDIR", "EPERM", "EACCES"];

/** Writes a file and resolves once its bytes are on disk. */
export async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, "w");
  await file.writeFile(text);
  await file.sync();
}

/** Makes durable what was created, renamed or removed in a folder. */
export async function syncFolder(path: string): Promise<void> {
  try {
    await using folder = await open(path, "r");
    await folder.sync();
  } catch (error) {
    if (!CANNOT_SYNC.includes(systemCode(error))) throw error;
  }
}

/** Replaces a small file: writes `<path>.tmp`, syncs, renames, syncs the folder. */
export async function replaceDurably(path: string, text: string): Promise<void> {
  const beside = `${path}.tmp`;
  try {
    await writeSynced(beside, text);
    await rename(beside, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {}); // gives its space back where that was what lacked
    throw error;
  }
}
