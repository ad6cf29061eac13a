import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { extract } from "../../dist/index.js";

export const VERSION = "20260801";
export const NAME = `discogs_${VERSION}_labels.xml.gz`;

/** One label, as dumps have it. */
export function label(id: string | null, name: string, profile = ""): string {
  return `<label>${id === null ? "" : `<id>${id}</id>`}<name>${name}</name><profile>${profile}</profile></label>`;
}

/** A dump of labels. */
export function dumpOf(records: readonly string[]): string {
  return `<labels>\n${records.join("\n")}\n</labels>\n`;
}

/** So many labels of about 1 kB with ids from 1, in no order if `random` gives numbers from 0 to 1. */
export function manyLabels(count: number, random: (() => number) | null): string[] {
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  if (random !== null) {
    for (let last = ids.length - 1; last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [ids[last], ids[other]] = [ids[other] ?? 0, ids[last] ?? 0];
    }
  }
  return ids.map((id) => label(String(id), `Label ${id} &amp; Söhne`, `${id} is what it is. `.repeat(50)));
}

/** A folder with files, which goes with the test. */
export async function folderWith(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "deadwax-look-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

export function zipped(text: string): Uint8Array {
  return gzipSync(text, { level: 1 });
}

/** What a full extraction delivers, the last body of an id, as a consumer has it in the end. */
export async function bodiesIn(path: string, contract: "topic" | "fanout" = "topic"): Promise<Map<string, string>> {
  const bodies = new Map<string, string>();
  for await (const batch of extract(path, { contract, threads: 1 })) {
    for (let index = 0; index < batch.length; index += 1) {
      const body = Buffer.from(batch.body(index)).toString();
      bodies.set(/"id":"([^"]*)"/.exec(body)?.[1] ?? "", body);
    }
  }
  return bodies;
}
