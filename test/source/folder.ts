import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder with these files, which goes with the test. */
export async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "deadwax-source-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

/** Names of a version's dumps, each with some text. */
export function dumps(version: string, types = ["artists", "labels", "masters", "releases"]): Record<string, string> {
  return Object.fromEntries(types.map((type) => [`discogs_${version}_${type}.xml.gz`, type]));
}
