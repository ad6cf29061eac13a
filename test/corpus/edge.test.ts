import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ParsePool } from "../../dist/parse/pool.js";
import { CONTRACTS, type Contract } from "../../src/model.ts";
import { readGzip } from "../oracle/gzip.ts";
import { allowedOutcomes, corpusFolder, type EdgeCase, edgeBodies, edgeCases, edgePath } from "../support/corpus.ts";
import { joined, type Reading, readAll } from "./read-all.ts";

const CASES = 170;

/** Why a reading is none of what the case allows; null if it is one. */
function objection(edge: EdgeCase, contract: Contract, reading: Reading): string | null {
  const tried = allowedOutcomes(edge, contract).map(({ outcome, bodies, rejects }) => {
    if (outcome !== reading.outcome) return `outcome ${reading.outcome} instead of ${outcome}`;
    const wanted = joined(bodies);
    // What left before a fatal fault is a beginning of the bodies, possibly nothing.
    if (outcome === "fatal") return wanted.subarray(0, reading.bytes.length).equals(reading.bytes) ? null : "not a beginning of the bodies";
    if (!wanted.equals(reading.bytes)) return "other bodies";
    if (rejects !== null && rejects !== reading.rejects) return `${reading.rejects} rejects instead of ${rejects}`;
    if (reading.empty !== edge.empty) return `${reading.empty} empty instead of ${edge.empty}`;
    return reading.read === reading.written + reading.rejects + reading.empty ? null : "not conserved";
  });
  return tried.includes(null) ? null : `${tried.join("; or ")} (${reading.error})`;
}

describe.skipIf(corpusFolder === null)("odd and broken input comes out as the edge cases say", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "deadwax-edge-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("every case is looked at", () => expect(edgeCases()).toHaveLength(CASES));

  for (const chunkBytes of [1, 7, 64, 4 * 1024, 64 * 1024, 2 * 1024 * 1024]) {
    describe(`cut every ${chunkBytes} bytes`, () => {
      let pool: ParsePool;
      beforeAll(() => {
        pool = new ParsePool({ threads: 2, chunkBytes });
      });
      afterAll(() => pool[Symbol.asyncDispose]());

      test.for(edgeCases())("$case: $why", async (edge) => {
        const gzip = readGzip(readFileSync(edgePath(edge)));
        for (const contract of CONTRACTS) {
          expect(objection(edge, contract, await readAll(pool, edgePath(edge), edge.type, contract))).toBeNull();
          // The same XML without gzip, where the gzip is not what is broken.
          if (gzip.fatal !== undefined) continue;
          const plain = join(folder, `${edge.case}.xml`);
          writeFileSync(plain, gzip.bytes);
          expect(objection(edge, contract, await readAll(pool, plain, edge.type, contract)), "plain").toBeNull();
        }
        expect(edgeBodies(edge, "topic").length).toBe(edge.records);
      });
    });
  }
});
