import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Contract, DataType } from "../../src/model.ts";
import { migrated } from "../postgres/scene.ts";
import { Database } from "../services/database.ts";
import { corpusFiles, corpusFolder, goldenBodies } from "../support/corpus.ts";
import { deadwax } from "../system/support/deadwax.ts";

/** They end inside of a record. */
const PARTIAL = ["20260401-masters-jgyonzo", "20260401-releases-jgyonzo"];

type Document = Record<string, unknown> & { readonly id: string; readonly sha256: string };

/** What derived keys should say, told as simply as can be. */
function derived(document: Document): { year?: number; artist?: string } {
  const year = /^(\d{4})(?!\d)/.exec(typeof document["released"] === "string" ? document["released"] : "");
  const inRange = year !== null && Number(year[1]) >= 1860 && Number(year[1]) <= new Date().getUTCFullYear() + 1;
  const container = document["artists"] as { artist?: unknown } | readonly unknown[] | null | undefined;
  const listed = Array.isArray(container) ? container : (container as { artist?: unknown } | null | undefined)?.artist;
  const artists = (Array.isArray(listed) ? listed : [listed]) as ({ name?: unknown; join?: unknown } | null | undefined)[];
  const named = artists.filter((artist) => typeof artist?.name === "string");
  const text = named.map((artist, index) => {
    const join = typeof artist?.join === "string" ? artist.join : "";
    const glue = join === "" || join === "," ? ", " : ` ${join} `;
    return `${artist?.name as string}${index === named.length - 1 ? "" : glue}`;
  });
  return { ...(inRange ? { year: Number(year[1]) } : {}), ...(named.length > 0 ? { artist: text.join("") } : {}) };
}

/** The last body of each id, as a table has it; what `jsonb` cannot hold is replaced. */
function expected(stem: string, contract: Contract, dataType: DataType): Map<string, Document> {
  const documents = new Map<string, Document>();
  for (const body of goldenBodies(stem, contract)) {
    const text = body.toString();
    const id = (JSON.parse(text.slice(0, text.indexOf(',"sha256"')).concat("}")) as { id: string }).id;
    const document = JSON.parse(text) as Document;
    documents.set(id, dataType === "releases" ? { ...document, ...derived(document) } : document);
  }
  return documents;
}

/** Each contract once, and each server once. */
const PAIRS = [
  ["18", "topic"],
  ["15", "fanout"],
] as const;

describe.skipIf(corpusFolder === null)("a table", () => {
  test.each(PAIRS)("of PostgreSQL %s holds every real record whole, as the golden bodies of the %s contract have it", async (version, contract) => {
    await using database = await Database.create(version);
    const folder = await mkdtemp(join(tmpdir(), "deadwax-corpus-"));
    let records = 0;
    try {
      for (const [index, { path, stem, dataType }] of corpusFiles().entries()) {
        const schema = `s_${index}`;
        const url = database.with({ schema });
        await migrated(url);
        const { code } = await deadwax(["extract", path, "--type", dataType, "--contract", contract, "--sink", url, "--state", join(folder, stem)]);
        const isPartial = PARTIAL.includes(stem);
        expect([stem, code]).toEqual([stem, isPartial ? 4 : 0]);
        const rows = await database.query<{ data_id: string; hash: string; data: Document }>(`SELECT data_id, hash, data FROM ${schema}.${dataType}`);
        const documents = expected(stem, contract, dataType);
        // Of a file that breaks off a sink has what was committed before.
        expect([stem, rows.length]).toEqual([stem, isPartial ? expect.any(Number) : documents.size]);
        for (const { data_id, hash, data } of rows) {
          expect(data).toEqual(documents.get(data_id));
          expect(hash).toBe(documents.get(data_id)?.sha256);
        }
        records += rows.length;
        await database.query(`DROP SCHEMA ${schema} CASCADE`);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    expect(records).toBeGreaterThan(8000);
  });
});
