import { readFile, writeFile } from "node:fs/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectChanges } from "../change/expect-changes.ts";
import { expectedChanges } from "../change/oracle.ts";
import { A, B, Scene } from "../change/scene.ts";
import { corpusFiles, corpusFolder } from "../support/corpus.ts";
import { dumpPath } from "../system/support/dumps.ts";

const TYPES = ["artists", "masters", "releases"] as const;
const FLAGS = { chunk: "64KiB", allowDeletes: true };
/** Attributes of releases keep references as they are written in the topic contract, and the two forms write them differently. */
const UPDATED = { fanout: 0, topic: 88 } as const;

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.empty(TYPES);
  if (corpusFolder === null) return;
  for (const [version, origin] of [[A, "philipmat"] as const, [B, "restored"] as const]) {
    for (const type of TYPES) await writeFile(dumpPath(scene.place(), type, version), await closed(`20200806-${type}-${origin}`, type));
  }
});
afterAll(() => scene[Symbol.asyncDispose]());

describe.skipIf(corpusFolder === null)("the same month of real records in two forms", () => {
  test.each(["fanout", "topic"] as const)("%s: what differs is told, and nothing else", async (contract) => {
    await scene.run(contract, { version: A, contract, flags: FLAGS });
    const { reports, complete } = await scene.run(contract, { version: B, contract, flags: FLAGS });
    expect(complete).toBe(true);
    for (const type of TYPES) {
      const [before, after] = [await scene.full(type, A, { contract }), await scene.full(type, B, { contract })];
      const stream = await scene.stream(contract, type, B);
      expectChanges(`${contract} ${type}`, { before: before.last, after, report: reports[type], stream });
    }
    expect(reports.releases).toMatchObject({ read: 1000, created: 0, updated: UPDATED[contract], deleted: 0, unchanged: 1000 - UPDATED[contract] });
    // The bytes of none are equal: each was parsed, and its hash decided.
    const [old, now] = [await recordsOf(A), await recordsOf(B)];
    expect([...now.values()].filter((record) => old.has(record)).length).toBeLessThan(now.size / 2);
    const back = await scene.run(contract, { version: A, contract, flags: { ...FLAGS, force: true } });
    const { created, updated, deleted } = expectedChanges(
      (await scene.full("releases", B, { contract })).last,
      (await scene.full("releases", A, { contract })).last,
    );
    expect(back.reports.releases).toMatchObject({ created: created.length, updated: updated.length, deleted: deleted.length });
  });
});

/** An excerpt with its root closed: some end inside a record. */
async function closed(stem: string, type: (typeof TYPES)[number]): Promise<Buffer> {
  const excerpt = corpusFiles().find((file) => file.stem === stem);
  if (excerpt === undefined) throw new Error(`${stem} is not in the corpus`);
  const xml = gunzipSync(await readFile(excerpt.path)).toString();
  const end = `</${type.slice(0, -1)}>`;
  return gzipSync(`${xml.slice(0, xml.lastIndexOf(end) + end.length)}\n</${type}>\n`, { level: 1 });
}

/** The XML of the releases of a version. */
async function recordsOf(version: string): Promise<Set<string>> {
  const xml = gunzipSync(await readFile(dumpPath(scene.place(), "releases", version))).toString();
  return new Set(xml.split(/(?<=<\/release>)\s*(?=<release )/).map((record) => record.trim()));
}
