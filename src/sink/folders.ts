import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { diskError } from "./disk-errors.ts";
import { osCode } from "./sink-errors.ts";

/** File systems that cannot sync a folder, and folders that may be written but not read: nothing more can be had there. */
const CANNOT_SYNC: readonly (string | undefined)[] = ["EINVAL", "ENOTSUP", "ENOSYS", "EACCES"];

/** Creates a folder, and the ones above it where they are missing, durably. */
export async function makeFolder(path: string): Promise<void> {
  let first: string | undefined;
  try {
    first = await mkdir(path, { recursive: true });
  } catch (error) {
    throw diskError(path, error);
  }
  if (first === undefined) return;
  // Each new folder is an entry in the one above it.
  const top = dirname(resolve(first));
  let folder = resolve(path);
  do {
    folder = dirname(folder);
    await syncFolder(folder);
  } while (folder !== top && folder !== dirname(folder));
}

/** Makes durable what was created, renamed or removed in a folder. */
export async function syncFolder(path: string): Promise<void> {
  try {
    await using handle = await open(path, "r");
    await handle.sync();
  } catch (error) {
    if (!CANNOT_SYNC.includes(osCode(error))) throw diskError(path, error);
  }
}
