import { lstat, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { DumpError, systemCode } from "../../errors.ts";
import { DATA_TYPES, type DataType } from "../../model.ts";
import { unreadable } from "../unreadable.ts";

const DUMP = /^discogs_(\d{8})_(artists|labels|masters|releases)\.xml\.gz$/;
const CHECKSUM = /^discogs_(\d{8})_CHECKSUM\.txt$/;

/** What a published name says. */
export interface PublishedName {
  readonly version: string;
  /** Null: the CHECKSUM file. */
  readonly dataType: DataType | null;
}

/** Reads a name that may become a file of ours, or null: names come from a remote page, so that only these two forms are taken. */
export function readPublishedName(name: string): PublishedName | null {
  const [, version, type] = DUMP.exec(name) ?? CHECKSUM.exec(name) ?? [];
  if (version === undefined) return null;
  return { version, dataType: DATA_TYPES.find((known) => known === type) ?? null };
}

/** Name of a version's CHECKSUM file. */
export function checksumName(version: string): string {
  return `discogs_${version}_CHECKSUM.txt`;
}

/** Where a published file lies, whatever is there now; throws on any other name. */
export function pathOf(root: string, name: string): string {
  if (readPublishedName(name) === null) throw new DumpError("INTERNAL", `${JSON.stringify(name)} is not the name of a published file`);
  return join(root, name);
}

/** Whether a published file is there: a regular file, or a link to one that stays in the root. A link that leads out of it is refused. */
export async function isThere(root: string, name: string): Promise<boolean> {
  const path = pathOf(root, name);
  try {
    const found = await lstat(path);
    if (found.isFile()) return true;
    if (!found.isSymbolicLink()) throw new DumpError("SOURCE_UNREADABLE", `${path}: is no regular file; move it away`);
    const target = await realpath(path);
    if (!target.startsWith(`${await realpath(root)}${sep}`)) {
      throw new DumpError("SOURCE_UNREADABLE", `${path}: is a link that leads out of ${root}; put the file itself there, or remove the link`);
    }
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false; // a link to nothing too: a download takes its place
    throw error instanceof DumpError ? error : unreadable(path, error);
  }
}
