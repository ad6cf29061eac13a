/** `CURRENT.json`: which generation of each data type's index is the last good one. One file for all, so that they move together. */
import { z } from "zod";
import { canonicalJson, checksumOf } from "../canonical.ts";
import { DumpError } from "../errors.ts";
import { CONTRACTS, type Contract, DATA_TYPES, type DataType } from "../model.ts";

/** Name of the folder, in that of the state, that holds an index for every sink and contract. */
export const INDEX_FOLDER = ".deadwax_index";
export const POINTER_NAME = "CURRENT.json";
/** Version of the file's form. */
export const POINTER_VERSION = 1;
/**
 * Version of what a body's hash is made of. It is raised with every change of the canonical JSON, so that records which only look different to a
 * new release are not taken for updated. (Whoever raises it: the index then knows new hashes of records that are stored downstream with the old
 * ones, and a tombstone goes by the hash. It has to carry both.)
 */
export const HASH_VERSION = 1;

/** One data type's index, as of the last run that came to its end. */
export interface Generation {
  /** Name of the file, beside the pointer. */
  readonly file: string;
  readonly number: number;
  /** The version of the dump, and the run that delivered it. */
  readonly version: string;
  readonly run: string;
  readonly records: number;
  /** Records that a dump no longer holds and whose deletion is held back. */
  readonly pending: number;
  /** What that run has found, by ids. */
  readonly changes: FoundChanges;
  readonly rulesDigest: string | null;
  readonly hashVersion: number;
  /** Something was delivered to the sink since, which nothing here tells of. */
  readonly doubted?: boolean | undefined;
}

/** Ids by what became of them; `repeated`: records whose id had come before in the file. */
export interface FoundChanges {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
  readonly repeated: number;
}

export const NO_CHANGES: FoundChanges = { created: 0, updated: 0, deleted: 0, unchanged: 0, repeated: 0 };

/** What a generation's file says of itself. */
export function generationMeta(
  dataType: DataType,
  contract: Contract,
  { version, run, rulesDigest, hashVersion }: Pick<Generation, "version" | "run" | "rulesDigest" | "hashVersion">,
): string {
  return canonicalJson({ dataType, version, contract, run, rulesDigest, hashVersion });
}

/** What downstream has: of which sink, in which contract. */
export interface Pointer {
  readonly sink: string;
  readonly contract: Contract;
  readonly types: Readonly<Partial<Record<DataType, Generation>>>;
}

const count = z.int().nonnegative();
const found = z.strictObject({ created: count, updated: count, deleted: count, unchanged: count, repeated: count });
const generation: z.ZodType<Generation> = z.strictObject({
  file: z.string().regex(/^[a-z]+\.\d+\.idx$/),
  number: count,
  version: z.string(),
  run: z.uuid(),
  records: count,
  pending: count,
  changes: found,
  rulesDigest: z.string().nullable(),
  hashVersion: count,
  doubted: z.boolean().optional(),
});
const versioned = z.object({ pointerVersion: z.int() });
const stored = z.strictObject({
  pointerVersion: z.int(),
  sink: z.string(),
  contract: z.enum(CONTRACTS),
  types: z.partialRecord(z.enum(DATA_TYPES), generation),
  checksum: z.string(),
});

/** Changes as a database has kept them. */
export function storedChanges(value: unknown): FoundChanges {
  return found.catch(NO_CHANGES).parse(value);
}

/** The pointer as text, with a checksum over itself. */
export function writePointer({ sink, contract, types }: Pointer): string {
  // As it will be read: a member that is undefined is not there.
  const body: unknown = JSON.parse(JSON.stringify({ pointerVersion: POINTER_VERSION, sink, contract, types }));
  return `${JSON.stringify({ ...(body as object), checksum: checksumOf(body) }, null, 2)}\n`;
}

/** The pointer, or in a sentence why the text is none. Throws STATE_TOO_NEW for one of another release, which is no damage. */
export function readPointer(text: string): Pointer | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  // What a newer one writes may have other members.
  const { data: version } = versioned.safeParse(json);
  if (version !== undefined && version.pointerVersion !== POINTER_VERSION) {
    const known = `pointerVersion ${version.pointerVersion}, and this deadwax knows ${POINTER_VERSION}`;
    throw new DumpError("STATE_TOO_NEW", `the pointer of a record index has ${known}: use the release that wrote it`);
  }
  const parsed = stored.safeParse(json);
  if (!parsed.success) return "it is not what this deadwax writes";
  const { checksum, ...body } = parsed.data;
  if (checksum !== checksumOf(body)) return "its checksum is not that of what it says";
  const { sink, contract, types } = body;
  return { sink, contract, types: types as Pointer["types"] };
}
