/** Copies of a record index in a folder of somebody's choice: each export is a folder of its own, written as a whole or not at all. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { checksumOf } from "../canonical.ts";
import { syncFolder, writeSynced } from "../durable.ts";
import { DumpError, systemCode } from "../errors.ts";
import type { Contract, DataType } from "../model.ts";
import { HISTORY_NAME } from "./history.ts";
import { type Generation, POINTER_NAME, type Pointer, readPointer, writePointer } from "./pointer.ts";
import type { IndexKey, RecordIndex } from "./record-index.ts";
import { soundRecords } from "./soundness.ts";

export const EXPORT_VERSION = 1;
const MANIFEST_NAME = "EXPORT.json";

const manifest = z.strictObject({
  exportVersion: z.literal(EXPORT_VERSION),
  /** When it was made, ISO in UTC. */
  at: z.iso.datetime(),
  files: z.record(z.string(), z.strictObject({ bytes: z.int().nonnegative(), sha256: z.string() })),
  checksum: z.string(),
});

/** An export that was found to be what was written. */
export interface Backup {
  readonly folder: string;
  readonly at: string;
  readonly pointer: Pointer;
}

/** Copies the last good generations into a new folder below `place`, verified before and after; resolves with it. */
export async function exportIndex(index: RecordIndex, place: string, now: Date): Promise<Backup> {
  const at = now.toISOString();
  const { pointer } = index;
  const name = `${at.replace(/[-:.]/g, "")}-${basename(index.folder)}`;
  const [final, beside] = [join(place, name), join(place, `.${name}.tmp`)];
  const generations = Object.values(pointer.types);
  for (const generation of generations) await soundRecords(index.pathOf(generation), generation);
  try {
    if ((await stat(final).catch(() => null)) !== null) throw new DumpError("STATE_UNWRITABLE", `${final} is there already; export again`);
    await rm(beside, { recursive: true, force: true });
    await mkdir(beside, { recursive: true });
    const files: Record<string, { bytes: number; sha256: string }> = {};
    await writeSynced(join(beside, POINTER_NAME), writePointer(pointer));
    for (const { file } of generations) await copySynced(join(index.folder, file), join(beside, file));
    const history = await readFile(join(index.folder, HISTORY_NAME), "utf8").catch(() => null);
    if (history !== null) await writeSynced(join(beside, HISTORY_NAME), history);
    for (const file of await readdir(beside)) files[file] = await contentOf(join(beside, file));
    const body = { exportVersion: EXPORT_VERSION, at, files };
    await writeSynced(join(beside, MANIFEST_NAME), `${JSON.stringify({ ...body, checksum: checksumOf(body) }, null, 2)}\n`);
    for (const generation of generations) await soundRecords(join(beside, generation.file), generation);
    await syncFolder(beside);
    await rename(beside, final);
    await syncFolder(place);
  } catch (error) {
    await rm(beside, { recursive: true, force: true }).catch(() => {});
    if (error instanceof DumpError) throw error;
    throw new DumpError("STATE_UNWRITABLE", `${place}: the export cannot be written (${systemCode(error) ?? "unknown"}); look at the folder and its disk`, {
      cause: error,
    });
  }
  return { folder: final, at, pointer };
}

/** The export that a folder is, or the newest of the sink and contract in it, held against its checksums; throws if there is none that is sound. */
export async function findBackup(place: string, key: IndexKey): Promise<Backup> {
  const names = await readdir(place).catch((error: unknown) => {
    throw new DumpError("CONFIG_INVALID", `${place} cannot be read (${systemCode(error) ?? "unknown"}); name the folder of an export, or that of all`, {
      cause: error,
    });
  });
  if (names.includes(MANIFEST_NAME)) return await readBackup(place, key);
  const suffix = `-${key.contract}-`;
  const others: string[] = [];
  // Their names begin with the time.
  for (const name of names
    .filter((one) => !one.startsWith(".") && one.includes(suffix))
    .sort()
    .reverse()) {
    const folder = join(place, name);
    const pointer = readPointer(await readFile(join(folder, POINTER_NAME), "utf8").catch(() => ""));
    if (typeof pointer !== "string" && pointer.sink !== key.sink) others.push(pointer.sink);
    else return await readBackup(folder, key);
  }
  const there = others.length === 0 ? "" : `; there are some of ${[...new Set(others)].join(", ")}`;
  throw new DumpError("CONFIG_INVALID", `${place}: no export of ${key.sink} in the ${key.contract} contract${there}`);
}

async function readBackup(folder: string, { sink, contract }: IndexKey): Promise<Backup> {
  const damaged = (why: string) => new DumpError("INDEX_CORRUPT", `${folder}: ${why}; import another export`);
  const text = await readFile(join(folder, MANIFEST_NAME), "utf8").catch(() => "");
  const parsed = manifest.safeParse(jsonOf(text));
  if (!parsed.success) throw damaged(`${MANIFEST_NAME} is not what this deadwax writes`);
  const { checksum, ...body } = parsed.data;
  if (checksumOf(body) !== checksum) throw damaged(`the checksum of ${MANIFEST_NAME} is not that of what it says`);
  for (const [file, { bytes, sha256 }] of Object.entries(body.files)) {
    const found = await contentOf(join(folder, file)).catch(() => null);
    if (found === null) throw damaged(`${file} cannot be read`);
    if (found.bytes !== bytes || found.sha256 !== sha256) throw damaged(`${file} is not what was exported`);
  }
  const pointer = readPointer(await readFile(join(folder, POINTER_NAME), "utf8"));
  if (typeof pointer === "string") throw damaged(`${POINTER_NAME}: ${pointer}`);
  if (pointer.sink !== sink || pointer.contract !== contract) {
    throw new DumpError(
      "CONFIG_INVALID",
      `${folder} is an export of ${pointer.sink} in the ${pointer.contract} contract, not of ${sink} in the ${contract} contract`,
    );
  }
  for (const generation of Object.values(pointer.types)) await soundRecords(join(folder, generation.file), generation);
  return { folder, at: body.at, pointer };
}

/** The generations of an export, by data type. */
export function generationsOf({ pointer }: Backup): readonly (readonly [DataType, Generation])[] {
  return Object.entries(pointer.types) as [DataType, Generation][];
}

/** How an index is called in messages. */
export function named({ sink, contract }: { readonly sink: string; readonly contract: Contract }): string {
  return `${sink} (${contract})`;
}

/** Copies a file; it is on disk when this resolves. */
export async function copySynced(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await using file = await open(to, "r+");
  await file.sync();
}

async function contentOf(path: string): Promise<{ bytes: number; sha256: string }> {
  await using file = await open(path, "r");
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of file.createReadStream({ autoClose: false })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
