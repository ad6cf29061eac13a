import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DumpError, systemCode } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { readFileName } from "./file-name.ts";
import { unreadable } from "./unreadable.ts";

const VERSIONS_NAMED_MAX = 3;

/** The newest version of which all four dumps are in a folder. */
export interface Discovered {
  readonly version: string;
  readonly paths: Readonly<Record<DataType, string>>;
  /** Newer versions that are not complete, as `20260901 lacks masters and releases`. */
  readonly passedOver: readonly string[];
}

/** Finds the newest complete version among the `discogs_<version>_<type>.xml.gz` of a folder. */
export async function discover(root: string): Promise<Discovered> {
  const versions = await listVersions(root);
  const passedOver: string[] = [];
  for (const version of [...versions.keys()].sort().reverse()) {
    const found = versions.get(version) ?? {};
    const missing = DATA_TYPES.filter((type) => found[type] === undefined);
    if (missing.length === 0) return { version, paths: found as Record<DataType, string>, passedOver };
    passedOver.push(`${version} lacks ${missing.join(" and ")}`);
  }
  const newest = passedOver.slice(0, VERSIONS_NAMED_MAX).join("; ");
  const older = passedOver.length > VERSIONS_NAMED_MAX ? `; and ${passedOver.length - VERSIONS_NAMED_MAX} older` : "";
  const seen = passedOver.length === 0 ? "no discogs_YYYYMMDD_<type>.xml.gz is there" : newest + older;
  throw new DumpError("SOURCE_MISSING", `${root}: no version has all four dumps (${seen}); add the missing files, or name single files instead of --root`);
}

async function listVersions(root: string): Promise<Map<string, Partial<Record<DataType, string>>>> {
  const names = await readdir(root).catch((cause: unknown) => {
    if (systemCode(cause) === "ENOENT") throw new DumpError("SOURCE_MISSING", `${root}: there is no such folder; check --root`, { cause });
    if (systemCode(cause) === "ENOTDIR") throw new DumpError("SOURCE_UNREADABLE", `${root}: is not a folder; name a single dump without --root`, { cause });
    throw unreadable(root, cause);
  });
  const versions = new Map<string, Partial<Record<DataType, string>>>();
  for (const name of names.sort()) {
    const { version, dataType, compressed } = readFileName(name);
    if (dataType === null || !compressed) continue;
    versions.set(version, { ...versions.get(version), [dataType]: join(root, name) });
  }
  return versions;
}
