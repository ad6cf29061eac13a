import { resolve } from "node:path";
import { DumpError } from "../../errors.ts";

export const COMPRESSIONS = ["none", "gzip"] as const;
/** How the file sink compresses what it writes. */
export type Compression = (typeof COMPRESSIONS)[number];

/** What a `file:` URL asks for. */
export interface FileSinkConfig {
  /** Absolute path of the folder that holds one folder per version. */
  readonly folder: string;
  readonly compress: Compression;
}

/** Reads `file:DIR[?compress=gzip|none]`; DIR is taken as it stands up to the first `?`, without percent decoding. */
export function parseFileUrl(url: string): FileSinkConfig {
  const [path = "", ...rest] = url.slice("file:".length).split("?");
  const problems: string[] = [];
  // file:///abs/dir is the other usual spelling of an absolute path; file://host/dir would need a network.
  const folder = path.startsWith("///") ? path.slice(2) : path;
  if (folder === "") problems.push("the folder is missing: write file:DIR");
  else if (folder.startsWith("//")) problems.push("a host is not possible: write file:DIR or file:/abs/DIR");
  else if (folder.includes("\0")) problems.push("the folder's name holds a NUL byte");

  let compress: Compression = "none";
  const seen = new Set<string>();
  for (const [key, value] of new URLSearchParams(rest.join("?"))) {
    if (key !== "compress") problems.push(`unknown option "${key}": known is compress`);
    else if (seen.has(key)) problems.push(`the option "${key}" is given twice`);
    else if (!isCompression(value)) problems.push(`compress=${value} is not one of ${COMPRESSIONS.join(", ")}`);
    else compress = value;
    seen.add(key);
  }
  if (problems.length > 0) throw new DumpError("CONFIG_INVALID", `sink ${url}: ${problems.join("; ")}`);
  return { folder: resolve(folder), compress };
}

function isCompression(value: string): value is Compression {
  return (COMPRESSIONS as readonly string[]).includes(value);
}
