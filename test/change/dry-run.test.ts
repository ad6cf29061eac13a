import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { sha256 } from "../../native/index.js";
import { dumpPath } from "../system/support/dumps.ts";
import { seeded } from "../system/support/random.ts";
import { A, B, Scene } from "./scene.ts";

const random = seeded("dry-run");

const RULES = `
skip_records:
  labels:
    - { field: id, contains: "9", reason: "has a nine" }
rules:
  labels:
    - { name: nope, field: nope, condition: { type: required }, severity: error }
`;

/** What lies below a folder: names of folders, and of files with their hashes. */
async function below(folder: string): Promise<Record<string, string | null>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const told = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    return [path, entry.isDirectory() ? null : sha256(await readFile(path))] as const;
  });
  return Object.fromEntries(await Promise.all(told));
}

test("a dry run writes nothing at all, and leaves what runs have written", async () => {
  await using scene = await Scene.create({ labels: 60 }, random.seed);
  await scene.next(B, "updated=5,deleted=1", { seed: random.seed });
  // One record that cannot be delivered.
  for (const version of [A, B]) {
    const path = dumpPath(scene.place(), "labels", version);
    const xml = gunzipSync(await readFile(path)).toString();
    await writeFile(path, gzipSync(xml.replace("</name>", "</x></name>")));
    await rm(join(scene.place(), `discogs_${version}_CHECKSUM.txt`));
  }
  const dataQualityRules = join(scene.path, "rules.yaml");
  await writeFile(dataQualityRules, RULES);
  await mkdir(scene.place("here"));
  const [flags, contract] = [{ dataQualityRules }, "fanout"] as const;
  const dryRun = async (version: string) => {
    const before = await below(scene.path);
    const { reports } = await scene.run("here", { version, contract, flags: { ...flags, dryRun: true } });
    expect(reports.labels).toMatchObject({ read: 60 + (version === B ? -1 : 0), rejected: 1, skipped: expect.toSatisfy((count: number) => count > 0) });
    expect(await below(scene.path)).toEqual(before);
    return Object.keys(before);
  };
  await dryRun(A);
  await scene.run("here", { version: A, contract, flags });
  const left = await dryRun(A);
  expect(left).toEqual(expect.arrayContaining([expect.stringMatching(/violations\.jsonl$/), expect.stringMatching(/rejects\.ndjson$/)]));
  await dryRun(B);
});
