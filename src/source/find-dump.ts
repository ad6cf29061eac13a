import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { DumpError } from "../errors.ts";
import type { DataType } from "../model.ts";
import { readFileName } from "./file-name.ts";
import { unreadable } from "./unreadable.ts";

/** One dump to look at. */
export interface FoundDump {
  readonly path: string;
  /** Its base name. */
  readonly name: string;
  readonly version: string;
  readonly dataType: DataType;
}

/**
 * Finds the dump of a data type: `place` is the file itself or a folder. In a folder it is the one of `version`, else the newest;
 * other types of that version may be missing. Gzip goes before plain XML.
 */
export async function findDump(place: string, type: DataType | null, version: string | null): Promise<FoundDump> {
  const found = await stat(place).catch((cause: unknown) => {
    throw unreadable(place, cause);
  });
  if (found.isDirectory()) return await inFolder(place, type, version);
  if (!found.isFile()) throw new DumpError("SOURCE_UNREADABLE", `${place}: is no regular file; single records can be looked up in a file only`);
  const named = readFileName(place);
  const dataType = type ?? named.dataType;
  if (dataType === null) throw new DumpError("CONFIG_INVALID", `${place}: its name does not tell the data type; give the type`);
  if (named.dataType !== null && named.dataType !== dataType)
    throw new DumpError("CONFIG_INVALID", `${place}: is the dump of ${named.dataType}, not of ${dataType}`);
  if (version !== null && version !== named.version) throw new DumpError("CONFIG_INVALID", `${place}: is of version ${named.version}, not ${version}`);
  return { path: place, name: basename(place), version: named.version, dataType };
}

async function inFolder(root: string, type: DataType | null, version: string | null): Promise<FoundDump> {
  if (type === null) throw new DumpError("CONFIG_INVALID", `${root}: is a folder; say which data type to look at`);
  const names = await readdir(root).catch((cause: unknown) => {
    throw unreadable(root, cause);
  });
  const dumps = names
    .map((name) => ({ name, ...readFileName(name) }))
    .filter(({ dataType }) => dataType === type)
    .sort((a, b) => (a.version === b.version ? Number(b.compressed) - Number(a.compressed) : a.version < b.version ? 1 : -1));
  const chosen = dumps.find((dump) => version === null || dump.version === version);
  if (chosen !== undefined) return { path: join(root, chosen.name), name: chosen.name, version: chosen.version, dataType: type };
  const there = [...new Set(dumps.map((dump) => dump.version))].join(", ") || "none";
  const what = `discogs_${version ?? "YYYYMMDD"}_${type}.xml.gz`;
  throw new DumpError("SOURCE_MISSING", `${root}: no ${what} is there; versions of ${type} there: ${there}`);
}
