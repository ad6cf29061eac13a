import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CONTRACTS, type Contract, type DataType } from "../../src/model.ts";
import { allowedOutcomes, corpusFiles, corpusFolder, edgeCases, edgePath, goldenBodies } from "../support/corpus.ts";
import { type Outcome, readDump } from "./outcome.ts";

/** These two stop inside a record: the bodies are right, the file is not. */
const CUT_STEMS = ["20260401-masters-jgyonzo", "20260401-releases-jgyonzo"];
const FILE_TIMEOUT_MS = 60_000;

const files = corpusFiles();
const cases = edgeCases();

describe.skipIf(corpusFolder === null)("oracle on the corpus", () => {
  test("the corpus is whole", () => {
    expect(files).toHaveLength(30);
    expect(cases).toHaveLength(170);
  });

  describe.each(CONTRACTS)("golden, %s", (contract) => {
    test.each(files)("$stem", { timeout: FILE_TIMEOUT_MS }, ({ stem, path, dataType }) => {
      const read = readDump(readFileSync(path), dataType, contract);
      expect(read.outcome).toBe(CUT_STEMS.includes(stem) ? "fatal" : "ok");
      expectSameBodies(read.bodies, goldenBodies(stem, contract));
      expect(read).toMatchObject({ empty: 0, rejects: [], unknownIds: 0 });
    });
  });

  describe.each(CONTRACTS)("edge, %s", (contract) => {
    test.each(cases)("$case", (edge) => {
      const read = readDump(readFileSync(edgePath(edge)), edge.type, contract);
      const allowed = allowedOutcomes(edge, contract);
      const match = allowed.find((one) => passes(read, one));
      expect(match, `${describeOutcome(read)} is none of ${JSON.stringify(allowed.map(describeAllowed))}: ${edge.why}`).toBeDefined();
      if (read.outcome !== "fatal") expect(read.empty).toBe(edge.empty);
      if (edge.ids !== undefined && read.outcome === "rejects") expect(read.bodies.map(envelopeId)).toEqual(edge.ids);
      // Where the gzip is sound, the oracle reads up to the fault and so gives every body, not just a prefix.
      if (edge.outcome === "fatal" && edge.mayLeave === "any") expect(read.bodies).toHaveLength(edge.records);
    });
  });
});

type Allowed = ReturnType<typeof allowedOutcomes>[number];

function passes(read: Outcome, allowed: Allowed): boolean {
  if (read.outcome !== allowed.outcome) return false;
  if (read.outcome === "fatal") return read.bodies.every((body, index) => allowed.bodies[index]?.equals(body) ?? false);
  if (allowed.rejects !== null && read.rejects.length !== allowed.rejects) return false;
  return read.bodies.length === allowed.bodies.length && read.bodies.every((body, index) => allowed.bodies[index]?.equals(body));
}

function describeOutcome(read: Outcome): string {
  return `${read.outcome} with ${read.bodies.length} bodies, rejects ${JSON.stringify(read.rejects)}, ${JSON.stringify(read.fatal ?? null)}`;
}

function describeAllowed(allowed: Allowed): string {
  return `${allowed.outcome} with ${allowed.bodies.length} bodies, rejects ${allowed.rejects}`;
}

function envelopeId(body: Buffer): string {
  return /^\{"type":"data","id":"((?:[^"\\]|\\.)*)"/.exec(body.toString())?.[1] ?? "";
}

function expectSameBodies(actual: readonly Buffer[], expected: readonly Buffer[]): void {
  // One body at a time, so that a difference is one line and not a megabyte.
  for (const [index, body] of expected.entries()) {
    if (!actual[index]?.equals(body)) expect(`${index}: ${actual[index]}`).toBe(`${index}: ${body}`);
  }
  expect(actual).toHaveLength(expected.length);
}

describe("oracle on the vectors of the contract", () => {
  test.each(vectors())("$name $contract", ({ type, xml, contract, record, sha256, id }) => {
    const read = readDump(Buffer.from(xml), type, contract);
    expect(read.outcome).toBe("ok");
    expect(read.bodies.map(String)).toEqual([`{"type":"data","id":"${id}","sha256":"${sha256}",${record.slice(1)}`]);
  });
});

interface Vector {
  readonly name: string;
  readonly type: DataType;
  readonly xml: string;
  readonly contract: Contract;
  readonly record: string;
  readonly sha256: string;
  readonly id: string;
}

function vectors(): Vector[] {
  const path = new URL("../fixtures/vectors.json", import.meta.url);
  const read: Omit<Vector, "name">[] = JSON.parse(readFileSync(path, "utf8")).vectors;
  return read.map((vector, index) => ({ ...vector, name: `V${Math.floor(index / 2) + 1}` }));
}
