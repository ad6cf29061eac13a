import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bodyKeys, copyRows } from "../../native/index.js";
import { parsePostgresUrl } from "../../src/postgres/config.ts";
import { connect, type PostgresClient } from "../../src/postgres/connect.ts";
import { copyInto } from "../../src/postgres/copy.ts";
import { asBatch, storable } from "../native/rows.ts";
import { Database } from "../services/database.ts";
import { POSTGRES_VERSIONS } from "../services/postgres.ts";

const PLAIN = { numbered: true, derive: false, yearMax: 2027 };
const PIECES = [
  "a",
  "é",
  "\u{1f3b5}",
  "\ud83c",
  "\udfb5",
  "\0",
  "\\",
  '"',
  "'",
  "\n",
  "\r",
  "\t",
  "\b",
  "\u001f",
  "\u007f",
  "\ufffe",
  "\\N",
  "\\.",
  ",",
  "{",
  "}",
  " ",
  "NULL",
  "null",
];
const text = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(null, true, 12345678901234),
    fc.array(tie("value")),
    fc.dictionary(text, tie("value")),
  ),
}));
const body = fc.record({ id: fc.oneof(text, fc.integer()), sha256: text, value, blank: fc.constantFrom("", "\t", "\r\n ") });

describe.each(POSTGRES_VERSIONS)("PostgreSQL %s", (version) => {
  let database: Database;
  let client: PostgresClient;
  beforeAll(async () => {
    database = await Database.create(version);
    client = await connect(parsePostgresUrl(database.url));
    await client.query("CREATE TEMP TABLE read_back (n integer, data_id varchar NOT NULL, hash varchar NOT NULL, data jsonb NOT NULL)");
  });
  afterAll(async () => {
    await client.end();
    await database[Symbol.asyncDispose]();
  });

  async function readBack(rows: Uint8Array): Promise<unknown[][]> {
    await client.query("TRUNCATE read_back");
    await copyInto(client, "read_back", rows);
    const { rows: found } = await client.query<{ n: number; data_id: string; hash: string; data: unknown }>("SELECT * FROM read_back ORDER BY n");
    return found.map(({ n, data_id: id, hash, data }) => [n, id, hash, data]);
  }

  test("reads in rows and arrays what was in the bodies", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(body, { minLength: 1, maxLength: 30 }), async (list) => {
        const { bytes, ends } = asBatch(list.map(({ blank, ...members }) => JSON.stringify(members, null, blank)));
        const keys = bodyKeys(bytes, ends, true);
        expect(keys.bad).toEqual([]);
        const want = list.map(({ id, sha256 }) => [String(storable(id)), storable(sha256)]);
        const { rows: arrays } = await client.query<{ id: string; hash: string }>("SELECT * FROM unnest($1::text[], $2::text[]) AS keys (id, hash)", [
          keys.ids,
          keys.hashes,
        ]);
        expect(arrays.map(({ id, hash }) => [id, hash])).toEqual(want);
        const stored = list.map((one) => storable({ id: one.id, sha256: one.sha256, value: one.value }));
        expect(await readBack(copyRows(bytes, ends, PLAIN).bytes)).toEqual(want.map((key, n) => [n, ...key, stored[n]]));
      }),
      { numRuns: 50 },
    );
  });

  test("reads escaped keys and members of one name as we do", async () => {
    const odd = String.raw`{"\u0069d":"first","sha256":"h","id":"last","released":"1999","artists":[{"name":"A","join":"&","n\u0061me":"B"},{"name":"C"}],"year":"x"}`;
    const { bytes, ends } = asBatch([odd]);
    const data = { id: "last", sha256: "h", released: "1999", artists: [{ name: "B", join: "&" }, { name: "C" }], year: 1999, artist: "B & C" };
    expect(await readBack(copyRows(bytes, ends, { ...PLAIN, derive: true }).bytes)).toEqual([[0, "first", "h", data]]);
  });

  test("takes the deepest body, and refuses numbers beyond its range, which no check of ours does", async () => {
    const [deep, huge] = [`${"[".repeat(511)}1${"]".repeat(511)}`, "1e999999"].map((json) => asBatch([`{"id":1,"sha256":"h","x":${json}}`]));
    if (deep === undefined || huge === undefined) throw new Error("there are two");
    for (const { bytes, ends } of [deep, huge]) expect(bodyKeys(bytes, ends, true).bad).toEqual([]);
    expect(await readBack(copyRows(deep.bytes, deep.ends, PLAIN).bytes)).toHaveLength(1);
    await expect(readBack(copyRows(huge.bytes, huge.ends, PLAIN).bytes)).rejects.toThrow(/out of range|overflow/);
  });
});
