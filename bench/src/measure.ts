import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { DATA_TYPES, type DataType } from "deadwax";
import { buildInfo } from "../../native/index.js";
import { type Dumps, FULL, generateDumps, QUICK, type Sizes, scaled } from "./dumps.ts";
import { measureParts } from "./parts.ts";
import { buildReference, findGzip, installPeers, warmPageCache } from "./prepare.ts";
import { DEADWAX, deadwax, gzip, PEERS, type Program, peer, ROOT, reference } from "./programs.ts";
import type { BenchResults, Machine, Series } from "./results.ts";
import { runRounds, toRows, toSpeed, waitedOf } from "./rounds.ts";
import { judge } from "./targets.ts";

export interface MeasureOptions {
  /** Dumps and outputs go into a folder in this one, which is removed afterwards. */
  readonly folder: string;
  readonly sizes: Sizes;
  /** The peers' dumps as a part of the sizes: they take too long for whole ones. */
  readonly peerShare: number;
  readonly rounds: number;
  readonly types: readonly DataType[];
  /** Milliseconds for each part. */
  readonly partTimeMs: number;
  readonly withReference: boolean;
  readonly withPeers: boolean;
  readonly quick: boolean;
  readonly log: (line: string) => void;
}

/** Where dumps and outputs go unless told otherwise. */
export const BENCH_FOLDER = join(ROOT, "target/bench");

/** What `npm run bench` measures; `npm run proof` takes it from here too. */
export const FULL_RUN: Omit<MeasureOptions, "folder" | "log"> = {
  sizes: FULL,
  peerShare: 0.1,
  rounds: 3,
  types: DATA_TYPES,
  partTimeMs: 500,
  withReference: true,
  withPeers: true,
  quick: false,
};

/** A few seconds: whether all results are right, not how fast they come. */
export const QUICK_RUN: typeof FULL_RUN = { ...FULL_RUN, sizes: QUICK, peerShare: 0.2, rounds: 1, partTimeMs: 50, quick: true };

/** Which of the others are there to compare with. */
interface Others {
  readonly reference: boolean;
  readonly peers: boolean;
  readonly gzip: boolean;
}

/** Measures the parts, then whole runs beside the others; throws if any of them gives a wrong result. */
export async function measure(options: MeasureOptions): Promise<BenchResults> {
  const { sizes, rounds, log } = options;
  const machine = describeMachine();
  const missing: string[] = [];
  const others = findOthers(options, missing);
  mkdirSync(options.folder, { recursive: true });
  const folder = mkdtempSync(join(options.folder, "bench-"));
  try {
    const dumps = await generateDumps(join(folder, "dumps"), sizes);
    const small = await generateDumps(join(folder, "small"), scaled(sizes, options.peerShare));
    log(`generated ${options.types.map((name) => `${megabytes(dumps[name].xmlBytes)} MB of ${name}`).join(", ")}`);
    const parts = options.partTimeMs > 0 ? measureParts(small, options.partTimeMs) : [];
    warmPageCache(folder, Math.max(...DATA_TYPES.map((name) => dumps[name].xmlBytes)));
    const series: Series[] = [];
    const digests = new Map<string, string>();
    for (const name of options.types) {
      // Not counted: it tells what the peers must give.
      if (others.peers) await runRounds([deadwax(small[name], "topic", folder)], 1, digests, () => {});
      series.push(...(await runRounds(programsOf(name, dumps, small, others, folder), rounds, digests, log)));
    }
    const rows = DATA_TYPES.flatMap((name) => toRows(series.filter((one) => one.type === name)));
    return {
      date: new Date().toISOString(),
      machine,
      build: describeBuild(),
      quick: options.quick,
      rounds,
      parts,
      rows,
      others: series.filter((one) => one.program !== DEADWAX).map(toSpeed),
      targets: judge(rows),
      waited: waitedOf(series),
      missing,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function findOthers({ withReference, withPeers, log }: MeasureOptions, missing: string[]): Others {
  const there = (name: string, wanted: boolean, prepare: () => string | null) => {
    if (wanted) log(`preparing ${name}`);
    const problem = wanted ? prepare() : "left out on request";
    if (problem !== null) missing.push(`${name}: ${problem}`);
    return problem === null;
  };
  return {
    reference: there("the Rust reference", withReference, buildReference),
    peers: there("the JavaScript peers", withPeers, installPeers),
    gzip: there("gzip", true, findGzip),
  };
}

/** Programs that are compared run next to each other. */
function programsOf(type: DataType, dumps: Dumps, small: Dumps, others: Others, folder: string): Program[] {
  const dump = dumps[type];
  return [
    deadwax(dump, "topic", folder),
    deadwax(dump, "fanout", folder),
    ...(others.gzip ? [gzip(dump)] : []),
    ...(others.reference ? [reference(dump, "topic", folder), reference(dump, "fanout", folder)] : []),
    ...(others.peers ? PEERS.map((name) => peer(name, small[type], folder)) : []),
  ];
}

function describeMachine(): Machine {
  const [loadBefore = 0] = loadavg();
  const system = `${type()} ${release()}`;
  return { cpu: cpus()[0]?.model ?? "unknown", cpus: cpus().length, memoryBytes: totalmem(), system, node: process.version, loadBefore };
}

function describeBuild(): string {
  const { version, inflate, target, cpuFeatures } = buildInfo();
  return `deadwax ${version} for ${target}, ${inflate.map((one) => `${one.name} ${one.version}`).join(", ")}; ${cpuFeatures.join(" ")}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
