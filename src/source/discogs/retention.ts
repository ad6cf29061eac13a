import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DATA_TYPES } from "../../model.ts";
import { unreadable } from "../unreadable.ts";
import { syncFolder } from "./durable-file.ts";
import { versionOfPart } from "./part-file.ts";
import { readPublishedName } from "./published-name.ts";

/** One file that retention has removed. */
export interface RemovedFile {
  readonly name: string;
  readonly version: string;
  readonly bytes: number;
}

/**
 * Removes dumps, CHECKSUMs and parts of the versions that are older than the newest `keepVersions` complete ones in `root`, but nothing
 * of `inWork`. What cannot be removed is left with a warning; links and whatever is called otherwise are left alone.
 */
export async function removeOldVersions(
  root: string,
  keepVersions: number,
  inWork: string | null,
  onWarning: (text: string) => void,
): Promise<readonly RemovedFile[]> {
  const names = await readdir(root).catch((error: unknown) => {
    throw unreadable(root, error);
  });
  const removed: RemovedFile[] = [];
  for (const { name, version } of oldFiles(names, keepVersions, inWork)) {
    const path = join(root, name);
    try {
      const found = await lstat(path);
      if (!found.isFile()) continue;
      await rm(path, { force: true });
      removed.push({ name, version, bytes: found.size });
    } catch (error) {
      onWarning(`an old dump stays: ${unreadable(path, error).message}`);
    }
  }
  if (removed.length > 0) await syncFolder(root);
  return removed;
}

/** The files among `names` that may go, by name. */
export function oldFiles(names: readonly string[], keepVersions: number, inWork: string | null): { readonly name: string; readonly version: string }[] {
  const found = new Set(names);
  const files = names.flatMap((name) => {
    const version = readPublishedName(name)?.version ?? versionOfPart(name);
    return version === null ? [] : [{ name, version }];
  });
  const isComplete = (version: string) => DATA_TYPES.every((type) => found.has(`discogs_${version}_${type}.xml.gz`));
  const complete = [...new Set(files.map((file) => file.version))].filter(isComplete).sort().reverse();
  const oldestKept = complete[Math.max(keepVersions, 1) - 1];
  if (oldestKept === undefined) return [];
  return files.filter(({ version }) => version < oldestKept && version !== inWork).sort((a, b) => (a.name < b.name ? -1 : 1));
}
