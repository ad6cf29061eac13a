import { isDeepStrictEqual } from "node:util";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { CONTRACTS, type Contract } from "../../src/model.ts";
import { brokenDump, oddDump, type Sample, wellFormedDump } from "../oracle/arbitrary.ts";
import { DEFAULT_LIMITS, type OracleLimits } from "../oracle/document.ts";
import { type Outcome, readXml } from "../oracle/outcome.ts";
import { inputFolder, type NativeOutcome, runNative } from "./run.ts";

/** `DEADWAX_CASES` documents a test, and a seed (`DEADWAX_SEED`) to repeat a run. */
const RUNS = Number(process.env["DEADWAX_CASES"] ?? 300);
const SEED = process.env["DEADWAX_SEED"];
const TIMEOUT_MS = 20_000 + RUNS * 20;
const PARAMETERS = { numRuns: RUNS, endOnFailure: true, ...(SEED === undefined ? {} : { seed: Number(SEED) }) };

const inputs = inputFolder();
afterAll(() => inputs.remove());

const chunkBytes = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(4096));
const backend = fc.constantFrom("zlib-ng" as const, "zlib-rs" as const);

/** Limits that small documents exceed, in the words of the oracle and of the addon. */
const LOW_LIMITS = { ...DEFAULT_LIMITS, depthMax: 4, attributesMax: 2, nameBytesMax: 9 };

/** How the addon is to read a document; `cuts` are the places between gzip members, null is plain. */
interface Way {
  readonly chunkBytes: number;
  readonly backend: "zlib-ng" | "zlib-rs";
  readonly cuts: readonly number[] | null;
  readonly limits: OracleLimits;
}

/** What must be equal, as text that shows a difference. Of a file that fails, only what it delivered: its rejects go nowhere. */
function account(read: Outcome | NativeOutcome): unknown {
  const bodies = read.bodies.map(String);
  if (read.outcome === "fatal") return { outcome: read.outcome, bodies };
  const rejects = read.rejects.map(({ offset, kind }) => `${offset} ${kind}`);
  return { outcome: read.outcome, bodies, empty: read.empty, unknownIds: read.unknownIds, rejects };
}

/** Cuts a document into gzip members at the given places. */
function gzipped(xml: Buffer, cuts: readonly number[]): Buffer {
  const bounds = [0, ...cuts.map((cut) => cut % (xml.length + 1)).sort((a, b) => a - b), xml.length];
  return Buffer.concat(bounds.slice(1).map((bound, index) => gzipSync(xml.subarray(bounds[index], bound))));
}

/** Compares the two on one document. */
function same({ dataType, xml }: Sample, contract: Contract, { cuts, limits, ...options }: Way): boolean {
  if (xml.length === 0) return true;
  const got = runNative(inputs.write(cuts === null ? xml : gzipped(xml, cuts)), dataType, contract, { ...options, ...limits });
  const isConserved = got.fault !== null || got.read === got.bodies.length + got.rejects.length + got.empty;
  return isConserved && isDeepStrictEqual(account(got), account(readXml(xml, dataType, contract, limits)));
}

/** Cuts out of a document what the difference does not need; by bytes, since shrinking what made the document is slow. */
function shrink(sample: Sample, contract: Contract, way: Way): Buffer {
  let { xml } = sample;
  for (let size = xml.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < xml.length; ) {
      const less = Buffer.concat([xml.subarray(0, at), xml.subarray(at + size)]);
      if (same({ ...sample, xml: less }, contract, way)) at += size;
      else xml = less;
    }
  }
  return xml;
}

function expectSame(contract: Contract, arbitrary: fc.Arbitrary<Sample>): void {
  const way: fc.Arbitrary<Way> = fc.record({
    chunkBytes,
    backend,
    limits: fc.constantFrom(DEFAULT_LIMITS, DEFAULT_LIMITS, LOW_LIMITS),
    cuts: fc.option(fc.array(fc.nat(), { maxLength: 2 }), { nil: null }),
  });
  fc.assert(
    fc.property(arbitrary, way, (sample, chosen) => {
      if (same(sample, contract, chosen)) return;
      const { dataType } = sample;
      const xml = shrink(sample, contract, chosen);
      const { cuts: _, limits, ...options } = chosen;
      const got = runNative(inputs.write(xml), dataType, contract, { ...options, ...limits });
      const text = `${dataType}, ${JSON.stringify(chosen)}, ${JSON.stringify(xml.toString("latin1"))}`;
      expect(account(got), text).toEqual(account(readXml(xml, dataType, contract, limits)));
      expect(got.read, text).toBe(got.bodies.length + got.rejects.length + got.empty);
      throw new Error(`a difference that is not there with plain bytes: ${text}`);
    }),
    PARAMETERS,
  );
}

describe.each(CONTRACTS)("the addon gives what the oracle gives, %s", (contract) => {
  test("on dumps as Discogs writes them", { timeout: TIMEOUT_MS }, () => expectSame(contract, wellFormedDump()));
  test("on odd ones", { timeout: TIMEOUT_MS }, () => expectSame(contract, oddDump()));
  test("on broken ones", { timeout: TIMEOUT_MS }, () => expectSame(contract, brokenDump()));
});
