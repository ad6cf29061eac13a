import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bodyKeys, copyRows } from "../../native/index.js";
import { CONTRACTS, type DataType } from "../../src/model.ts";
import { corpusFiles, corpusFolder, edgeBodies, edgeCases, goldenBodies } from "../support/corpus.ts";
import { asBatch, columnsOf, derived, storable } from "./rows.ts";

const YEAR_MAX = 2027;
const PLAIN = { numbered: false, derive: false, yearMax: YEAR_MAX };

describe("the boundary", () => {
  const { bytes, ends } = asBatch(['{"id":7,"sha256":"a"}', "[]", '{"id":"x,y","sha256":"b","released":"1999"}']);

  test("gives columns of keys", () => {
    const { ids, hashes, numbers, bad } = bodyKeys(bytes, ends, true);
    expect([ids, hashes]).toEqual(['{7,NULL,"x,y"}', "{a,NULL,b}"]);
    expect(numbers).toEqual(Float64Array.of(7, Number.NaN, Number.NaN));
    expect(bad).toEqual([{ index: 1, reason: "not a JSON object" }]);
  });

  test("gives rows, numbered and chosen", () => {
    const all = copyRows(bytes, ends, { ...PLAIN, numbered: true });
    expect(all.bytes).toBeInstanceOf(Buffer);
    expect(all.bytes.toString()).toBe('0\t7\ta\t{"id":7,"sha256":"a"}\n2\tx,y\tb\t{"id":"x,y","sha256":"b","released":"1999"}\n');
    expect([all.rows, all.replaced]).toEqual([2, 0]);
    const chosen = copyRows(bytes, ends, { ...PLAIN, derive: true, which: Uint32Array.of(2) });
    expect(chosen.bytes.toString()).toBe('x,y\tb\t{"id":"x,y","sha256":"b","released":"1999","year":1999}\n');
    expect(copyRows(bytes, ends, { ...PLAIN, which: new Uint32Array() })).toEqual({ bytes: Buffer.alloc(0), rows: 0, replaced: 0 });
    expect(copyRows(new Uint8Array(), new Uint32Array(), PLAIN).rows).toBe(0);
  });

  test("reads a part of a larger memory, shared or not", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 20)).subarray(9, 9 + bytes.length);
    shared.set(bytes);
    expect(copyRows(shared, ends, PLAIN)).toEqual(copyRows(bytes, ends, PLAIN));
    expect(bodyKeys(shared, ends.subarray(0, 1), false).ids).toBe("{7}");
  });

  test("refuses what lies outside", () => {
    expect(() => bodyKeys(bytes, Uint32Array.of(bytes.length + 1), false)).toThrow("do not ascend");
    expect(() => copyRows(bytes, Uint32Array.of(21, 21), PLAIN)).toThrow("do not ascend");
    expect(() => copyRows(bytes, ends, { ...PLAIN, which: Uint32Array.of(3) })).toThrow("fewer bodies");
  });
});

/** Holds what comes of our own bodies against what JavaScript reads in them: bodies that have become rows, rows with replaced characters. */
function holds(bodies: readonly Buffer[], dataType: DataType): { rows: number; replaced: number } {
  const { bytes, ends } = asBatch(bodies);
  const keys = bodyKeys(bytes, ends, true);
  expect(bodyKeys(bytes, ends, false)).toEqual(keys);
  const texts = bodies.map((body) => body.toString("utf8"));
  const want = texts.map((text) => {
    const [, id, hash] = /^\{"type":"data","id":("(?:[^"\\]|\\.)*"),"sha256":"([0-9a-f]{64})"/.exec(text) ?? expect.fail(text);
    return { text, id: storable(JSON.parse(id ?? "")) as string, hash };
  });
  // Records of a dump may have ids that no table takes.
  const bad = want.flatMap(({ id }, index) =>
    id === "" ? [{ index, reason: "id is empty" }] : id.length > 255 ? [{ index, reason: "id is longer than 255 characters" }] : [],
  );
  expect(keys.bad).toEqual(bad);
  const good = want.filter((_, index) => !bad.some((one) => one.index === index));
  const rows = copyRows(bytes, ends, PLAIN);
  const columns = columnsOf(rows.bytes);
  expect(columns.map(([id, hash]) => ({ id, hash }))).toEqual(good.map(({ id, hash }) => ({ id, hash })));
  expect(rows.rows).toBe(good.length);
  let replaced = 0;
  const parsed = good.map(({ text }, index) => {
    const body: Record<string, unknown> = JSON.parse(text);
    if (columns[index]?.[2] !== text) {
      replaced++;
      expect(JSON.parse(columns[index]?.[2] ?? "")).toEqual(storable(body));
    }
    return storable(body) as Record<string, unknown>;
  });
  expect(rows.replaced).toBe(replaced);
  if (dataType === "releases") {
    const all = columnsOf(copyRows(bytes, ends, { ...PLAIN, derive: true }).bytes);
    expect(all.map(([, , data]) => JSON.parse(data ?? ""))).toEqual(parsed.map((body) => ({ ...body, ...derived(body, YEAR_MAX) })));
  }
  return { rows: rows.rows, replaced };
}

describe.skipIf(corpusFolder === null)("bodies of the corpus become rows", () => {
  test.for(corpusFiles())("$stem", ({ stem, dataType }) => {
    for (const contract of CONTRACTS) {
      const bodies = goldenBodies(stem, contract);
      expect(holds(bodies, dataType)).toEqual({ rows: bodies.length, replaced: 0 });
    }
  });

  test("of the edge cases", () => {
    let all = 0;
    let replaced = 0;
    for (const edge of edgeCases()) {
      for (const contract of CONTRACTS) {
        const held = holds(edgeBodies(edge, contract), edge.type);
        all += held.rows;
        replaced += held.replaced;
      }
    }
    expect(all).toBeGreaterThan(500);
    expect(replaced).toBeGreaterThan(0);
  });

  test("releases of both contracts have the same derived keys", () => {
    for (const { stem } of corpusFiles().filter((file) => file.dataType === "releases")) {
      const [topic, fanout] = CONTRACTS.map((contract) => {
        const { bytes, ends } = asBatch(goldenBodies(stem, contract));
        const rows = columnsOf(copyRows(bytes, ends, { ...PLAIN, derive: true }).bytes);
        return rows.map(([, , data]) => JSON.parse(data ?? "")).map(({ id, year, artist }) => ({ id, year, artist }));
      });
      expect(topic).toEqual(fanout);
      expect(topic?.filter(({ artist }) => typeof artist === "string").length).toBeGreaterThan((topic?.length ?? 0) * 0.9);
    }
  });
});

const text = fc
  .array(fc.constantFrom("a", "é", "\u{1f3b5}", "\ud83c", "\udfb5", "\0", "\\", '"', "\n", "\t", "\\N", "\u2028", ",", "{", "NULL"), { maxLength: 8 })
  .map((parts) => parts.join(""));

test("bodies of other programs become rows, however they are laid out", () => {
  const body = fc.record({ id: fc.oneof(text, fc.integer()), sha256: text, a: fc.jsonValue(), b: text, blank: fc.constantFrom("", " ", "\t", "\r\n") });
  const isUsable = (key: unknown) => key !== "";
  fc.assert(
    fc.property(fc.array(body, { maxLength: 5 }), (list) => {
      const { bytes, ends } = asBatch(list.map(({ blank, ...members }) => JSON.stringify(members, null, blank)));
      const usable = list.filter(({ id, sha256 }) => isUsable(id) && isUsable(sha256));
      const { bad } = bodyKeys(bytes, ends, true);
      expect(bad.map(({ index }) => index)).toEqual(list.flatMap((one, index) => (usable.includes(one) ? [] : [index])));
      const columns = columnsOf(copyRows(bytes, ends, PLAIN).bytes);
      expect(columns.map(([id, hash, data]) => [id, hash, JSON.parse(data ?? "")])).toEqual(
        usable.map(({ id, sha256, a, b }) => [String(storable(id)), storable(sha256), storable(JSON.parse(JSON.stringify({ id, sha256, a, b })))]),
      );
    }),
  );
});
