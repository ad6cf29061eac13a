import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DumpError, systemCode } from "../errors.ts";

const SHA256_HEX = /^[0-9a-f]{64}$/i;

/** The SHA-256 that a file is published with, and who says so. */
export interface ExpectedChecksum {
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  /** Path of the CHECKSUM file it was read from. */
  readonly from: string;
}

/** Reads the lines `<64 hex digits> [*]<path>` of a CHECKSUM file into hash by base name; other lines are ignored. */
export function parseChecksums(text: string): ReadonlyMap<string, string> {
  const checksums = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, hash = "", name = ""] = /^(\S+)\s+\*?(.+)$/.exec(line.trim()) ?? [];
    if (SHA256_HEX.test(hash)) checksums.set(basename(name.trim()), hash.toLowerCase());
  }
  return checksums;
}

/** The SHA-256 that the CHECKSUM file beside a dump gives for it, or null if there is no such file or line. */
export async function findChecksum(path: string, version: string): Promise<ExpectedChecksum | null> {
  const from = join(dirname(path), `discogs_${version}_CHECKSUM.txt`);
  const text = await readFile(from, "utf8").catch((cause: unknown) => {
    if (systemCode(cause) === "ENOENT") return "";
    throw new DumpError("SOURCE_UNREADABLE", `${from}: cannot be read (${systemCode(cause)}); make it readable or move it away`, { cause });
  });
  const sha256 = parseChecksums(text).get(basename(path));
  return sha256 === undefined ? null : { sha256, from };
}
