import { constants } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder as syncNames } from "../../durable.ts";
import { diskFault } from "./disk-space.ts";

const FILE_MODE = 0o644;
/** Replaces a small file, so that it is the old one or the new one whatever happens: writes `<path>.tmp`, syncs, renames, syncs the folder. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const beside = `${path}.tmp`;
  try {
    {
      const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
      await using file = await open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, FILE_MODE);
      await file.writeFile(text);
      await file.sync();
    }
    await rename(beside, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {}); // gives its space back where that was what lacked
    throw diskFault(path, error);
  }
}

/** Makes durable what was created, renamed or removed in a folder. */
export async function syncFolder(path: string): Promise<void> {
  try {
    await syncNames(path);
  } catch (error) {
    throw diskFault(path, error);
  }
}
