import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DumpError } from "../../errors.ts";
import { DATA_TYPES, type DataType } from "../../model.ts";
import { parseChecksums } from "../checksum.ts";
import { unreadable } from "../unreadable.ts";
import { diskFault } from "./disk-space.ts";
import { replaceFile } from "./durable-file.ts";
import type { ListedFile } from "./listing.ts";
import { Metadata } from "./metadata.ts";
import { versionOfPart } from "./part-file.ts";
import { checksumName, isThere, pathOf } from "./published-name.ts";
import type { DiscogsSite } from "./site.ts";
import type { ListedVersion } from "./versions.ts";

/** A dump that lies in the root and is, as far as can be known, the published one. */
export interface PresentFile {
  readonly name: string;
  readonly dataType: DataType;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Whether it was compared with a published SHA-256. */
  readonly verified: boolean;
  /** False: it was there and is kept. */
  readonly downloaded: boolean;
}

/** What fetching asks of whoever keeps state, and tells it. */
export interface FetchHooks {
  /** Whether the file's SHA-256 is this one. The caller may know without reading it, if it is the very file that was verified before. */
  isGood(path: string, sha256: string, signal: AbortSignal): Promise<boolean>;
  onDownload(file: ListedFile): Promise<void>;
  /** Comes for each dump, downloaded or kept, before the next one is looked at. */
  onPresent(file: PresentFile): Promise<void>;
  warned(text: string): void;
}

/** What one call of {@link fetchVersion} works with. */
interface Work {
  readonly site: DiscogsSite;
  readonly root: string;
  readonly metadata: Metadata;
  readonly hooks: FetchHooks;
  readonly signal: AbortSignal;
}

/** One dump of the version, and the SHA-256 it is published with, if that is known. */
interface Wanted {
  readonly file: ListedFile;
  readonly dataType: DataType;
  readonly published: string | null;
}

/** Brings the four dumps of a version into the root, one after the other, keeping what is there and good; the first failure ends it. */
export async function fetchVersion(
  site: DiscogsSite,
  root: string,
  listed: ListedVersion,
  hooks: FetchHooks,
  signal: AbortSignal,
): Promise<readonly PresentFile[]> {
  await mkdir(root, { recursive: true }).catch((error: unknown) => {
    throw diskFault(root, error);
  });
  await removeForeignParts(root, listed.version);
  const metadata = await Metadata.read(root, hooks.warned);
  const work: Work = { site, root, metadata, hooks, signal };
  const byName = await fetchChecksums(listed, work);
  const present: PresentFile[] = [];
  for (const dataType of DATA_TYPES) {
    const file = listed.dumps[dataType];
    const published = byName?.get(file.name) ?? null;
    if (byName !== null && published === null) hooks.warned(`${checksumName(listed.version)} has no line for ${file.name}: it is not verified against it`);
    const wanted: Wanted = { file, dataType, published };
    const ready = (await keep(wanted, work)) ?? (await fetch(wanted, work));
    await hooks.onPresent(ready);
    present.push(ready);
  }
  return present;
}

/** The published hashes, which are also kept beside the dumps; if they cannot be had now, those that were kept before, else none. */
async function fetchChecksums({ checksum, version }: ListedVersion, { site, root, hooks, signal }: Work): Promise<ReadonlyMap<string, string> | null> {
  const path = pathOf(root, checksumName(version));
  const fetched = await site.checksums(checksum, signal).catch((error: unknown) => {
    if (error instanceof DumpError) return error;
    throw error;
  });
  if (!(fetched instanceof DumpError)) {
    await replaceFile(path, fetched.text);
    return fetched.byName;
  }
  const kept = parseChecksums(await readFile(path, "utf8").catch(() => ""));
  const instead =
    kept.size > 0 ? "the one kept from an earlier run counts" : "the dumps are not verified against it, only read through before their first record";
  hooks.warned(`the CHECKSUM of ${version} cannot be had, so that ${instead}: ${fetched.message}`);
  return kept.size > 0 ? kept : null;
}

/** The dump if it is there and good. One that is known to be bad is removed, so that nobody takes it for the published one. */
async function keep({ file, dataType, published }: Wanted, { root, metadata, hooks, signal }: Work): Promise<PresentFile | null> {
  const { name } = file;
  const path = pathOf(root, name);
  const known = metadata.get(name);
  const sha256 = published ?? known?.sha256 ?? null;
  if (sha256 === null || !(await isThere(root, name))) return null;
  if (!(await hooks.isGood(path, sha256, signal))) {
    const whose = published === null ? "it was downloaded with" : "is published";
    hooks.warned(`${path} does not have the SHA-256 that ${whose} (${sha256}); it is removed and downloaded again`);
    await metadata.delete(name);
    await rm(path, { force: true }).catch((error: unknown) => {
      throw diskFault(path, error);
    });
    return null;
  }
  const { size: bytes } = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (known?.sha256 !== sha256 || known.bytes !== bytes) await metadata.set(name, { sha256, bytes });
  return { name, dataType, path, bytes, sha256, verified: published !== null, downloaded: false };
}

async function fetch({ file, dataType, published }: Wanted, { site, root, metadata, hooks, signal }: Work): Promise<PresentFile> {
  await hooks.onDownload(file);
  const { path, bytes, sha256 } = await site.download(file, root, published, signal);
  await metadata.set(file.name, { sha256, bytes });
  return { name: file.name, dataType, path, bytes, sha256, verified: published !== null, downloaded: true };
}

/** Parts of other versions will not be finished any more. */
async function removeForeignParts(root: string, version: string): Promise<void> {
  try {
    for (const name of await readdir(root)) {
      if ((versionOfPart(name) ?? version) !== version) await rm(join(root, name), { force: true });
    }
  } catch (error) {
    throw diskFault(root, error);
  }
}
