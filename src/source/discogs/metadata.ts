/** `.discogs_metadata.json`: what lies in the root, for upstream's extractors, which decide by it what they need not download. */
import { constants } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { fault } from "#fault";
import { systemCode } from "../../errors.ts";
import { unreadable } from "../unreadable.ts";
import { replaceFile } from "./durable-file.ts";
import { pathOf, readPublishedName } from "./published-name.ts";

const METADATA_NAME = ".discogs_metadata.json";
const METADATA_BYTES_MAX = 4 * 2 ** 20;
/** A version there is `YYYYMM`. */
const MONTH_DIGITS = 6;
const SHA256_HEX = /^[0-9a-f]{64}$/i;

/** What is known of one dump in the root. */
export interface KnownDump {
  /** Lower-case hex. */
  readonly sha256: string;
  readonly bytes: number;
}

/** The metadata of a root, in memory and on disk. */
export class Metadata {
  readonly #root: string;
  readonly #dumps: Map<string, KnownDump>;

  private constructor(root: string, dumps: Map<string, KnownDump>) {
    this.#root = root;
    this.#dumps = dumps;
  }

  /** Reads what any of upstream's three extractors left. A file that is none is moved aside, single entries that are none are left out, both with a warning. */
  static async read(root: string, onWarning: (text: string) => void): Promise<Metadata> {
    const path = join(root, METADATA_NAME);
    const text = await readBounded(path);
    if (text === null) return new Metadata(root, new Map());
    const entries = parseEntries(text);
    if (entries === null) {
      const aside = `${path}.corrupt`;
      await rename(path, aside).catch((error: unknown) => {
        throw unreadable(path, error);
      });
      onWarning(`${path} is not readable JSON of dumps; it is kept as ${aside}, and the dumps are looked at afresh`);
      return new Metadata(root, new Map());
    }
    const bad = entries.filter(([, dump]) => dump === null).map(([name]) => JSON.stringify(name));
    if (bad.length > 0) onWarning(`${path}: ${bad.length} entries say nothing that can be used: ${bad.slice(0, 3).join(", ")}`);
    return new Metadata(root, new Map(entries.filter((entry): entry is [string, KnownDump] => entry[1] !== null && isDump(entry[0]))));
  }

  get(name: string): KnownDump | undefined {
    return this.#dumps.get(name);
  }

  /** Resolves once it is on disk. */
  async set(name: string, dump: KnownDump): Promise<void> {
    this.#dumps.set(name, dump);
    await this.#save();
    fault("metadata-saved");
  }

  async delete(name: string): Promise<void> {
    if (this.#dumps.delete(name)) await this.#save();
  }

  /** Keys in upstream's order; files by name. */
  async #save(): Promise<void> {
    const entries = [...this.#dumps]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { sha256, bytes }]) => {
        const version = readPublishedName(name)?.version.slice(0, MONTH_DIGITS) ?? "";
        return [name, { path: pathOf(this.#root, name), checksum: sha256, version, size: bytes }] as const;
      });
    await replaceFile(join(this.#root, METADATA_NAME), JSON.stringify(Object.fromEntries(entries), null, 2));
  }
}

async function readBounded(path: string): Promise<string | null> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await file.stat();
    return size > METADATA_BYTES_MAX ? "" : await file.readFile("utf8"); // too large to be one: as unreadable as an empty file
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw unreadable(path, error);
  }
}

/** Null for a text that is no object; an entry's dump is null if it is none. */
function parseEntries(text: string): [string, KnownDump | null][] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return Object.entries(value).map(([name, entry]) => [name, parseEntry(entry)]);
}

function parseEntry(entry: unknown): KnownDump | null {
  if (typeof entry !== "object" || entry === null) return null;
  const { checksum, size } = entry as Readonly<Record<string, unknown>>;
  if (typeof checksum !== "string" || !SHA256_HEX.test(checksum) || !Number.isSafeInteger(size) || Number(size) < 0) return null;
  return { sha256: checksum.toLowerCase(), bytes: Number(size) };
}

/** The Python extractor lists the CHECKSUM file too, which is no dump. */
function isDump(name: string): boolean {
  return (readPublishedName(name)?.dataType ?? null) !== null;
}
