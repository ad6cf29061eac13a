import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DATA_TYPES, type DataType } from "deadwax";
import { generate } from "../../native/index.js";

const VERSION = "20260801";
const SEED = 20260801;
const THREADS = 2;

/** How many records of each data type. */
export type Sizes = Readonly<Record<DataType, number>>;

/** About 780 MB of releases and 200 MB of each other type. */
export const FULL: Sizes = { releases: 200_000, artists: 700_000, labels: 870_000, masters: 190_000 };
/** Small enough for a few seconds in all; how long starting takes shows in every figure. */
export const QUICK: Sizes = { releases: 6_000, artists: 20_000, labels: 25_000, masters: 6_000 };

/** One file of a generated dump, and what its manifest says about it. */
export interface Dump {
  readonly type: DataType;
  readonly file: string;
  readonly records: number;
  readonly xmlBytes: number;
  readonly gzBytes: number;
}

export type Dumps = Readonly<Record<DataType, Dump>>;

interface Manifest {
  readonly types: Readonly<Record<string, Omit<Dump, "type">>>;
}

/** The same shape with fewer records. */
export function scaled(sizes: Sizes, factor: number): Sizes {
  const scale = (type: DataType) => Math.max(1, Math.round(sizes[type] * factor));
  return { artists: scale("artists"), labels: scale("labels"), masters: scale("masters"), releases: scale("releases") };
}

/** Writes a dump afresh; the same sizes give the same bytes. */
export async function generateDumps(folder: string, sizes: Sizes): Promise<Dumps> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const manifest = JSON.parse(await generate({ ...sizes, seed: SEED, out: folder, version: VERSION, form: "2026", threads: THREADS })) as Manifest;
  const [artists, labels, masters, releases] = DATA_TYPES.map((type) => {
    const dump = manifest.types[type];
    if (dump === undefined) throw new Error(`the manifest in ${folder} lacks ${type}`);
    const file = join(folder, dump.file);
    readFileSync(file); // so that the first to run finds it in memory like the others
    return { type, file, records: dump.records, xmlBytes: dump.xmlBytes, gzBytes: dump.gzBytes };
  }) as [Dump, Dump, Dump, Dump];
  return { artists, labels, masters, releases };
}
