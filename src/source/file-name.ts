import { basename } from "node:path";
import { DATA_TYPES, type DataType } from "../model.ts";

const PUBLISHED = /^discogs_(\d{8})_([a-z]+)\.xml(\.gz)?$/i;
const SUFFIXES = /\.(xml\.gz|xml|gz)$/i;

/** The version of bytes that have no name. */
export const UNKNOWN_VERSION = "unknown";

/** What the name of a dump says about it. */
export interface NamedDump {
  readonly version: string;
  readonly dataType: DataType | null;
  /** Carries the `.gz` that published dumps have. */
  readonly compressed: boolean;
}

/** Reads version and data type from a published name; any other name is its own version: its stem. */
export function readFileName(path: string): NamedDump {
  const name = basename(path);
  const [, version, type, suffix] = PUBLISHED.exec(name) ?? [];
  const dataType = DATA_TYPES.find((known) => known === type?.toLowerCase());
  if (version !== undefined && dataType !== undefined) return { version, dataType, compressed: suffix !== undefined };
  return { version: stem(name), dataType: null, compressed: /\.gz$/i.test(name) };
}

/** The version becomes a folder's name, so it holds plain characters only and does not lead elsewhere. */
function stem(name: string): string {
  const text = name.replace(SUFFIXES, "").replace(/[^A-Za-z0-9._-]/g, "_");
  return text === "" || text === "." || text === ".." ? UNKNOWN_VERSION : text;
}
