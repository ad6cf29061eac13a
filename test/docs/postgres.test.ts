import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONTRACTS, DATA_TYPES, type DataType } from "../../src/model.ts";
import { readIndexes } from "../../src/postgres/indexes.ts";
import { migrated } from "../postgres/migrating.ts";
import { Database } from "../services/database.ts";
import { POSTGRES_VERSIONS } from "../services/postgres.ts";
import { corpusFiles } from "../support/corpus.ts";
import { type Document, fill } from "./postgres-rows.ts";

const LOAD_MS = 300_000;
const OLD_TRANSACTIONS_MS = 90_000;
const text = readFileSync(new URL("../../docs/postgres.md", import.meta.url), "utf8");

/** A question of the document: its heading, its SQL, and the indexes that are said to be used. */
const QUESTIONS = [...(text.split("\n## Questions\n")[1] ?? "").matchAll(/^### (.+)\n\n```sql\n([^`]+)\n```\n\nUses (.+)/gm)].map(
  ([, title = "", sql = "", uses = ""]) => ({
    title,
    sql,
    uses: [...(/^[^.]*/.exec(uses)?.[0] ?? "").matchAll(/`(\w+)`/g)].map(([, name = ""]) => name).sort(),
  }),
);

type Documents = Record<DataType, Map<string, Document>>;
type Row = Readonly<Record<string, unknown>>;
/** What a question has to find: all of these rows, or, with a limit, as many of them. */
const ANSWERS: Readonly<Record<string, (documents: Documents) => { rows: Row[]; limit?: number }>> = {
  "Releases with something in their title": ({ releases }) => ({
    rows: those(releases, ({ title }) => has(title, /dark side/i)).map((release) => ({ title: release["title"], year: yearOf(release)?.toString() ?? null })),
    limit: 10,
  }),
  "An artist by name": ({ artists }) => ({
    rows: those(artists, ({ name }) => name === "Miles Davis").map(({ name, profile = null }) => ({ name, profile })),
  }),
  "Releases of a year": ({ releases }) => ({
    rows: those(releases, (release) => yearOf(release) === 1969).map((release) => ({ title: release["title"], artist: artistOf(release) })),
    limit: 10,
  }),
  "Releases with certain words in their title, in any order and form": ({ releases }) => ({
    rows: those(releases, ({ title }) => has(title, /\bmoons?\b/i) && has(title, /\bsides?\b/i) && !has(title, /\blive\b/i)).map(withArtist),
  }),
  "Anything with certain words in its name": (documents) => ({ rows: named(documents, (name) => /\bsveks?\b/i.test(name)) }),
  "A name that may be misspelt": (documents) => ({ rows: named(documents, (name) => similarity(name, "Mils Davies") >= 0.3) }),
  "What came out on a label": ({ releases }) => ({ rows: those(releases, (release) => labelsOf(release).includes("5")).map(withArtist) }),
  "What came out on a label, by its name": ({ releases }) => ({
    rows: those(releases, (release) => labelsOf(release).includes("5")).map(({ id, title }) => ({ data_id: id, title })),
  }),
  "Releases by an artist": ({ releases }) => ({
    rows: those(releases, (release) => artistsOf(release).some(({ id }) => id === "2")).map((release) => ({
      data_id: release.id,
      title: release["title"],
      year: yearOf(release)?.toString() ?? null,
    })),
  }),
  "Masters of a year": ({ masters }) => ({ rows: those(masters, ({ year }) => year === "1999").map(({ id, title }) => ({ data_id: id, title })), limit: 100 }),
  "The main release of a master": ({ masters, releases }) => ({
    rows: those(releases, ({ id }) => id === masters.get("18500")?.["main_release"]).map(withArtist),
  }),
  "What has changed since": (documents) => ({
    rows: DATA_TYPES.flatMap((type) => those(documents[type], ({ id }) => id.endsWith("7")).map(({ id }) => ({ type, data_id: id }))),
  }),
};

test("every question has an answer here, and every index a question", async () => {
  expect(QUESTIONS.map(({ title }) => title)).toEqual(Object.keys(ANSWERS));
  expect(QUESTIONS.length).toBeGreaterThanOrEqual(10);
  const names = (await Promise.all(DATA_TYPES.map(readIndexes))).flat().map(({ name }) => name);
  expect(new Set(QUESTIONS.flatMap(({ uses }) => uses))).toEqual(new Set([...names, "masters_pkey", "releases_pkey"]));
});

describe.skipIf(corpusFiles().length === 0).each(POSTGRES_VERSIONS.flatMap((version) => CONTRACTS.map((contract) => ({ version, contract }))))(
  "in the tables of PostgreSQL $version, loaded in the contract $contract",
  ({ version, contract }) => {
    let database: Database;
    let documents: Documents;
    beforeAll(async () => {
      database = await Database.create(version);
      await migrated(database.url);
      documents = await fill(database, contract);
    }, LOAD_MS);
    afterAll(() => database[Symbol.asyncDispose]());

    test.each(QUESTIONS)("$title", async ({ title, sql, uses }) => {
      const { rows: expected, limit = Number.POSITIVE_INFINITY } = ANSWERS[title]?.(documents) ?? { rows: [] };
      const found = await database.query(sql);
      expect(expected.length).toBeGreaterThan(0);
      expect(found).toHaveLength(Math.min(expected.length, limit));
      if (expected.length <= limit) expect(sorted(found)).toEqual(sorted(expected));
      else expect(sorted(expected)).toEqual(expect.arrayContaining(sorted(found)));
      // The server leaves an index alone while a transaction runs, in whatever database, that is older than the index and may want rows that were
      // updated before it was built; other tests have such transactions.
      let plan: unknown;
      await expect
        .poll(
          async () => {
            [plan] = await database.query(`EXPLAIN (FORMAT JSON) ${sql}`);
            return indexesIn(plan);
          },
          { timeout: OLD_TRANSACTIONS_MS },
        )
        .toEqual(uses);
      expect(JSON.stringify(plan)).not.toContain("Seq Scan");
    });
  },
);

function those(documents: ReadonlyMap<string, Document>, are: (document: Document) => boolean): Document[] {
  return [...documents.values()].filter(are);
}

function has(member: unknown, pattern: RegExp): boolean {
  return typeof member === "string" && pattern.test(member);
}

function named({ artists, labels, masters }: Documents, are: (name: string) => boolean): Row[] {
  const kinds = [
    ["artist", artists, "name"],
    ["label", labels, "name"],
    ["master", masters, "title"],
  ] as const;
  return kinds.flatMap(([kind, documents, key]) =>
    those(documents, (document) => typeof document[key] === "string" && are(document[key])).map((document) => ({
      kind,
      data_id: document.id,
      name: document[key],
    })),
  );
}

function withArtist(release: Document): Row {
  return { data_id: release.id, artist: artistOf(release), title: release["title"] };
}

function yearOf({ released }: Document): number | null {
  const year = typeof released === "string" ? Number(/^(\d{4})(?!\d)/.exec(released)?.[1] ?? Number.NaN) : Number.NaN;
  return year >= 1860 && year <= new Date().getUTCFullYear() + 1 ? year : null;
}

/** The members of a list in either contract: `[…]`, `{ [key]: […] }` or `{ [key]: … }`. */
function listOf(list: unknown, key: string): Row[] {
  const inner = typeof list === "object" && list !== null && !Array.isArray(list) ? (list as Row)[key] : list;
  return (Array.isArray(inner) ? inner : [inner]).filter((member) => typeof member === "object" && member !== null);
}

function artistsOf({ artists }: Document): Row[] {
  return listOf(artists, "artist");
}

function labelsOf({ labels }: Document): unknown[] {
  return listOf(labels, "label").map((label) => label["id"] ?? label["@id"]);
}

function artistOf(release: Document): string | null {
  const artists = artistsOf(release).filter(({ name }) => typeof name === "string");
  const texts = artists.map(({ name, join }, index) => {
    if (index === artists.length - 1) return name;
    return typeof join !== "string" || join === "" || join === "," ? `${name}, ` : `${name} ${join} `;
  });
  return texts.length === 0 ? null : texts.join("");
}

/** As pg_trgm reckons it. */
function similarity(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => {
    const words = name.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
    return new Set(words.flatMap((word) => Array.from({ length: word.length + 1 }, (_, at) => `  ${word} `.slice(at, at + 3))));
  }) as [Set<string>, Set<string>];
  const common = [...left].filter((trigram) => right.has(trigram)).length;
  return common / (left.size + right.size - common);
}

function sorted(rows: readonly Row[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

function indexesIn(plan: unknown): string[] {
  return [...new Set([...JSON.stringify(plan).matchAll(/"Index Name":"(\w+)"/g)].map(([, name = ""]) => name))].sort();
}
