import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip, gunzipSync, gzipSync } from "node:zlib";
import type { DataType } from "../../../src/model.ts";
import { deadwax } from "./deadwax.ts";

export const VERSION = "20260801";

export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A folder that is removed when it is disposed of. */
export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "deadwax-system-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export interface Sizes {
  readonly releases?: number;
  readonly artists?: number;
  readonly masters?: number;
  readonly labels?: number;
  readonly version?: string;
  readonly seed?: number;
}

/** What the generator says it wrote. */
export interface Manifest {
  readonly types: Readonly<Record<DataType, { readonly file: string; readonly records: number; readonly xmlBytes: number; readonly gzBytes: number }>>;
}

/** Writes a synthetic version, with its CHECKSUM. */
export async function makeDump(folder: string, { releases = 0, artists = 0, masters = 0, labels = 0, version = VERSION, seed = 1 }: Sizes): Promise<Manifest> {
  const counts = { releases, artists, masters, labels, version, seed };
  const options = Object.entries(counts).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const ended = await deadwax(["generate", ...options, "--out", folder, "--output", "json"]);
  if (ended.code !== 0) throw new Error(`generate failed: ${ended.stderr}`);
  return JSON.parse(ended.stdout.toString()) as Manifest;
}

/** Path of one dump of a version. */
export function dumpPath(folder: string, type: DataType, version = VERSION): string {
  return join(folder, `discogs_${version}_${type}.xml.gz`);
}

/** Removes the published hashes, so that a full pass has to verify. */
export function removeChecksums(folder: string, version = VERSION): Promise<void> {
  return rm(join(folder, `discogs_${version}_CHECKSUM.txt`));
}

/** Rewrites the XML of a small dump; its CHECKSUM no longer holds and is removed. */
export async function rewrite(folder: string, type: DataType, change: (xml: string) => string): Promise<void> {
  const path = dumpPath(folder, type);
  await writeFile(path, gzipSync(change(gunzipSync(await readFile(path)).toString()), { level: 1 }));
  await rm(join(folder, `discogs_${VERSION}_CHECKSUM.txt`), { force: true });
}

/** Makes every n-th release of a dump malformed, by an end tag of another name; returns how many. */
export async function breakEvery(n: number, folder: string): Promise<number> {
  const path = dumpPath(folder, "releases");
  const beside = `${path}.new`;
  let records = 0;
  let broken = 0;
  await pipeline(
    createReadStream(path),
    createGunzip(),
    async function* lines(source: AsyncIterable<Buffer>) {
      let rest = "";
      for await (const bytes of source) {
        const parts = (rest + bytes.toString("latin1")).split("\n");
        rest = parts.pop() ?? "";
        const done = parts.map((line) => {
          if (!line.startsWith("<release ")) return line;
          records += 1;
          if (records % n !== 0) return line;
          broken += 1;
          return line.replace("</title>", "</titel>");
        });
        yield Buffer.from(done.map((line) => `${line}\n`).join(""), "latin1");
      }
      yield Buffer.from(rest, "latin1");
    },
    createGzip({ level: 1 }),
    createWriteStream(beside),
  );
  await rm(path);
  await rename(beside, path);
  await rm(join(folder, `discogs_${VERSION}_CHECKSUM.txt`), { force: true });
  return broken;
}
