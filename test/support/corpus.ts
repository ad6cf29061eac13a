import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { type Contract, DATA_TYPES, type DataType } from "../../src/model.ts";

const root = process.env["TEST_CORPUS"] ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));
// TEST_CORPUS may name the folder of the Discogs excerpts or the one above it.
const folder = existsSync(join(root, "discogs")) ? join(root, "discogs") : root;

/** The folder of real dump excerpts, or null; only then may a suite that needs it be skipped. */
export const corpusFolder: string | null = existsSync(folder) ? folder : null;

if (corpusFolder === null) {
  process.stderr.write(`\n*** CORPUS MISSING: ${folder} is not there, its tests are SKIPPED; set TEST_CORPUS to the folder. ***\n\n`);
}

/** One dump excerpt at the top of the corpus. */
export interface CorpusFile {
  readonly name: string;
  /** The name without `.xml.gz`, as in `golden/`. */
  readonly stem: string;
  readonly dataType: DataType;
  readonly path: string;
}

/** Every dump excerpt at the top of the corpus, in order of name; empty without a corpus. */
export function corpusFiles(): CorpusFile[] {
  if (corpusFolder === null) return [];
  const names = readdirSync(corpusFolder)
    .filter((name) => name.endsWith(".xml.gz"))
    .sort();
  return names.map((name) => ({
    name,
    stem: name.slice(0, -".xml.gz".length),
    dataType: dataTypeIn(name),
    path: join(inCorpus(), name),
  }));
}

/** The bodies that must come out of a corpus file, without their LF. */
export function goldenBodies(stem: string, contract: Contract): Buffer[] {
  return lines(gunzipSync(readFileSync(join(inCorpus(), "golden", contract, `${stem}.ndjson.gz`))));
}

/** An outcome that passes for a case whose outcome is `either`. */
export interface AllowedOutcome {
  readonly outcome: "ok" | "rejects" | "fatal";
  readonly rejects?: number;
  /** Zero-based numbers of the bodies delivered; absent: all. */
  readonly lines?: readonly number[];
}

/** One case of `edge/cases.json`; its README says how outcomes are read. */
export interface EdgeCase {
  readonly case: string;
  readonly type: DataType;
  readonly group: "a" | "t" | "s" | "m";
  readonly outcome: "ok" | "rejects" | "fatal" | "either";
  readonly records: number;
  readonly empty: number;
  readonly rejects: number | null;
  readonly ids?: readonly string[];
  readonly mayLeave?: "any" | "stream";
  readonly allowed?: readonly AllowedOutcome[];
  readonly why: string;
}

/** Every edge case, in file order; empty without a corpus. */
export function edgeCases(): EdgeCase[] {
  if (corpusFolder === null) return [];
  const cases: EdgeCase[] = JSON.parse(readFileSync(join(corpusFolder, "edge", "cases.json"), "utf8"));
  return cases;
}

/** Path of the input of an edge case. */
export function edgePath(edge: EdgeCase): string {
  return join(inCorpus(), "edge", `${edge.case}.xml.gz`);
}

/** The bodies of an edge case, without their LF. */
export function edgeBodies(edge: EdgeCase, contract: Contract): Buffer[] {
  return lines(readFileSync(join(inCorpus(), "edge", `${edge.case}.${contract}.ndjson`)));
}

/** What an edge case allows, `either` or not: the outcomes, each with the bodies and the number of rejects it goes with. */
export function allowedOutcomes(edge: EdgeCase, contract: Contract): { outcome: string; bodies: Buffer[]; rejects: number | null }[] {
  const bodies = edgeBodies(edge, contract);
  const allowed: readonly AllowedOutcome[] =
    edge.allowed ?? (edge.outcome === "either" ? [] : [{ outcome: edge.outcome, ...(edge.rejects === null ? {} : { rejects: edge.rejects }) }]);
  return allowed.map(({ outcome, rejects, lines: numbers }) => ({
    outcome,
    bodies: numbers === undefined ? bodies : bodies.filter((_, index) => numbers.includes(index)),
    rejects: outcome === "ok" ? 0 : (rejects ?? null),
  }));
}

function inCorpus(): string {
  if (corpusFolder === null) throw new Error(`the corpus is missing: ${folder} is not there; set TEST_CORPUS`);
  return corpusFolder;
}

function dataTypeIn(name: string): DataType {
  const dataType = DATA_TYPES.find((candidate) => name.includes(`-${candidate}-`));
  if (dataType === undefined) throw new Error(`${name}: no data type in the name of this corpus file`);
  return dataType;
}

function lines(ndjson: Buffer): Buffer[] {
  const found: Buffer[] = [];
  let start = 0;
  for (let end = ndjson.indexOf("\n"); end !== -1; end = ndjson.indexOf("\n", start)) {
    found.push(ndjson.subarray(start, end));
    start = end + 1;
  }
  if (start !== ndjson.length) throw new Error("a file of bodies does not end in LF");
  return found;
}
