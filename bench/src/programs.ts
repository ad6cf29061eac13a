import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Contract } from "deadwax";
import type { Dump } from "./dumps.ts";
import { type Contents, readBack } from "./read-back.ts";
import type { Sample } from "./results.ts";
import { runTimed } from "./timed-process.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const PEERS_FOLDER = join(ROOT, "bench/peers");
export const REFERENCE = join(ROOT, "target/reference/release/reference");
export const PEERS = ["node-expat", "saxes", "sax", "fast-xml-parser"] as const;
export const DEADWAX = "deadwax";
export const REFERENCE_NAME = "reference";
export const GZIP = "gzip -dc";

/** What one program made of one dump. */
export interface Outcome {
  readonly sample: Sample;
  /** What its output holds, read back; null if it has none. */
  readonly contents: Contents | null;
}

/** One program on one dump, to be run as often as there are rounds. */
export interface Program {
  readonly name: string;
  readonly contract: Contract;
  readonly dump: Dump;
  run(): Promise<Outcome>;
}

/** What is checked of the report of `deadwax extract --output json`. */
interface Report {
  readonly version: string;
  readonly complete: boolean;
  readonly types: Readonly<Record<string, Readonly<Record<"read" | "written" | "rejected" | "empty" | "inflatedBytes", number>> & { readonly digest: string }>>;
}

/** What the reference and the peers say about themselves. */
interface Summary {
  readonly records: number;
  readonly xmlBytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly digest: string;
}

/** `deadwax extract` with its default options; where things go is all it is told. */
export function deadwax(dump: Dump, contract: Contract, folder: string): Program {
  return {
    name: DEADWAX,
    contract,
    dump,
    run: async () => {
      const [out, state, usage] = [join(folder, "out"), join(folder, "state"), join(folder, "usage.json")];
      for (const path of [out, state, usage]) rmSync(path, { recursive: true, force: true });
      const flags = ["--contract", contract, "--sink", `file:${out}`, "--state", state, "--output", "json"];
      const hook = new URL("usage.js", import.meta.url).href;
      const ended = await runTimed([process.execPath, "--import", hook, join(ROOT, "dist/cli.js"), "extract", dump.file, ...flags], {
        environment: { BENCH_USAGE: usage },
      });
      const report = JSON.parse(ended.stdout) as Report;
      const contents = readBack(join(out, report.version, `${dump.type}.ndjson`));
      checkReport(report, dump, contents);
      const { nativePeakBytes } = JSON.parse(readFileSync(usage, "utf8")) as { readonly nativePeakBytes: number };
      rmSync(out, { recursive: true });
      return { sample: { ...times(ended), nativePeakBytes }, contents };
    },
  };
}

/** Conservation, and that all of the dump was read. */
function checkReport(report: Report, dump: Dump, contents: Contents): void {
  const type = report.types[dump.type];
  if (type === undefined || !report.complete) throw new Error(`${dump.file}: the extraction is not complete`);
  equal(`${dump.type}: read, against the manifest`, type.read, dump.records);
  equal(`${dump.type}: written + rejected + empty, against read`, type.written + type.rejected + type.empty, type.read);
  equal(`${dump.type}: written, against what was read back`, type.written, contents.records);
  equal(`${dump.type}: inflated bytes, against the manifest`, type.inflatedBytes, dump.xmlBytes);
  equal(`${dump.type}: digest, against what was read back`, type.digest, contents.digest);
}

/** The ordinary way in Rust. */
export function reference(dump: Dump, contract: Contract, folder: string): Program {
  return {
    name: REFERENCE_NAME,
    contract,
    dump,
    run: async () => {
      const out = join(folder, "reference.ndjson");
      const ended = await runTimed([REFERENCE, dump.file, dump.type, contract, out]);
      return { sample: { ...times(ended), nativePeakBytes: null }, contents: checkSummary(REFERENCE_NAME, ended.stderr, dump, out).contents };
    },
  };
}

/** One of the JavaScript ways. Its own clock counts, which starts once its modules are loaded: its dump is small, so starting would weigh too much. */
export function peer(name: (typeof PEERS)[number], dump: Dump, folder: string): Program {
  return {
    name,
    contract: "topic",
    dump,
    run: async () => {
      const out = join(folder, "peer.ndjson");
      const ended = await runTimed([process.execPath, join(PEERS_FOLDER, "run.mjs"), name, dump.file, dump.type, "topic", out]);
      const { summary, contents } = checkSummary(name, ended.stderr, dump, out);
      const { peakRssBytes } = ended;
      return { sample: { wallSeconds: summary.seconds, cpuSeconds: summary.cpuSeconds, peakRssBytes, nativePeakBytes: null }, contents };
    },
  };
}

/** Inflating alone, by the tool everyone has. */
export function gzip(dump: Dump): Program {
  return {
    name: GZIP,
    contract: "topic",
    dump,
    run: async () => {
      const ended = await runTimed(["gzip", "-dc", dump.file], { discardOutput: true });
      return { sample: { ...times(ended), nativePeakBytes: null }, contents: null };
    },
  };
}

/** The last line of standard error tells the summary, the file the truth. */
function checkSummary(name: string, stderr: string, dump: Dump, out: string): { summary: Summary; contents: Contents } {
  const summary = JSON.parse(stderr.slice(stderr.lastIndexOf("\n") + 1)) as Summary;
  const contents = readBack(out);
  equal(`${name}, ${dump.type}: bytes of XML, against the manifest`, summary.xmlBytes, dump.xmlBytes);
  equal(`${name}, ${dump.type}: records, against what was read back`, summary.records, contents.records);
  equal(`${name}, ${dump.type}: digest, against what was read back`, summary.digest, contents.digest);
  rmSync(out);
  return { summary, contents };
}

function times({ wallSeconds, cpuSeconds, peakRssBytes }: Omit<Sample, "nativePeakBytes">): Omit<Sample, "nativePeakBytes"> {
  return { wallSeconds, cpuSeconds, peakRssBytes };
}

/** A bench asserts its result: fast and wrong is no result. */
export function equal(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} is not ${expected}`);
}
