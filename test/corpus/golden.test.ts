import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ParsePool } from "../../dist/parse/pool.js";
import { CONTRACTS } from "../../src/model.ts";
import { corpusFiles, corpusFolder, goldenBodies } from "../support/corpus.ts";
import { joined, readAll } from "./read-all.ts";

/** Two excerpts end inside a record: the bodies before it come out, then the file fails. */
const CUT_SHORT = new Set(["20260401-masters-jgyonzo", "20260401-releases-jgyonzo"]);
const FILES = 30;

describe.skipIf(corpusFolder === null)("real excerpts give the golden bodies", () => {
  test("the whole folder is looked at", () => expect(corpusFiles()).toHaveLength(FILES));

  for (const chunkBytes of [4 * 1024, 64 * 1024, 2 * 1024 * 1024]) {
    for (const threads of [1, 2, 5]) {
      describe(`in pieces of ${chunkBytes} bytes on ${threads} threads`, () => {
        let pool: ParsePool;
        beforeAll(() => {
          pool = new ParsePool({ threads, chunkBytes });
        });
        afterAll(() => pool[Symbol.asyncDispose]());

        test.for(corpusFiles())("$stem", async ({ stem, path, dataType }) => {
          for (const contract of CONTRACTS) {
            const reading = await readAll(pool, path, dataType, contract);
            expect(reading.bytes.equals(joined(goldenBodies(stem, contract))), `${contract} bodies`).toBe(true);
            expect(reading.outcome).toBe(CUT_SHORT.has(stem) ? "fatal" : "ok");
            expect(reading.read).toBe(reading.written + reading.rejects + reading.empty);
          }
        });
      });
    }
  }
});
