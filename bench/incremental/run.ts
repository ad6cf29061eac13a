/** `npm run bench:incremental`: what finding the changes of a month costs, beside extracting it, inflating it, and upstream's way. */

import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Postgres } from "../../test/services/postgres.ts";
import { benchOptions } from "../src/options.ts";
import { spread } from "../src/statistics.ts";
import { runTimed } from "../src/timed-process.ts";
import { TwoFiles } from "./threads.ts";

const USAGE = `usage: npm run bench:incremental -- [options]
  --records <N>   releases that are generated (default: 200000)
  --rounds <N>    how often each way runs (default: 3)
  --json <FILE>   keep the figures there
  --quick         5000 releases, one round: for whether the results are right, not for speeds`;

const CLI = join(dirname(createRequire(import.meta.url).resolve("deadwax")), "cli.js");
const INFLATE = fileURLToPath(new URL("inflate.js", import.meta.url));
const UPSTREAM = fileURLToPath(new URL("upstream.js", import.meta.url));
const [MONTH, SAME, CHANGED] = ["20260801", "20260901", "20261001"];
const UPSTREAM_RECORDS = 300;
const ONLY_RELEASES = ["--artists", "0", "--labels", "0", "--masters", "0"];
/** All four data types together, as of 2026. */
const ALL_RECORDS = 34_000_000;
const ALL_XML_BYTES = 80e9;
/** Bytes of XML of each of two files that are found at once, for each release of the other ways. */
const TWO_FILES_BYTES = 1500;
/** The columns and indexes of upstream's table of record states. */
const UPSTREAM_SCHEMA = `
  CREATE TABLE record_processing_state (id bigserial PRIMARY KEY, data_type varchar(50) NOT NULL, record_id varchar(100) NOT NULL,
    record_hash varchar(64) NOT NULL, first_seen_at timestamptz DEFAULT now(), last_seen_at timestamptz DEFAULT now(),
    last_modified_at timestamptz DEFAULT now(), processing_version integer DEFAULT 1, UNIQUE (data_type, record_id));
  CREATE INDEX ON record_processing_state (data_type, record_id);
  CREATE INDEX ON record_processing_state (record_hash);
  CREATE INDEX ON record_processing_state (last_modified_at)`;

const WAYS = {
  inflate: "bare inflate of the unchanged month, one thread",
  full: "full extraction",
  build: "first incremental run: every record, and the index",
  same: "incremental, an unchanged month",
  changed: "incremental, 1 % changed",
} as const;
type Way = keyof typeof WAYS;

/** One way, once. */
interface Figures {
  readonly xmlBytes: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

interface TypeCounts {
  readonly read: number;
  readonly written: number;
  readonly xmlBytes: number;
  readonly digest: string;
  readonly created?: number;
  readonly updated?: number;
  readonly deleted?: number;
  readonly unchanged?: number;
}

async function extract(folder: string, version: string, out: string, state: string, ...flags: string[]): Promise<{ figures: Figures; counts: TypeCounts }> {
  const file = join(folder, `discogs_${version}_releases.xml.gz`);
  const command = [process.execPath, CLI, "extract", file, "--sink", `file:${out}`, "--state", state, "--threads", "1", "--output", "json", ...flags];
  const { stdout, wallSeconds, cpuSeconds } = await runTimed(command);
  const counts = (JSON.parse(stdout) as { types: { releases: TypeCounts } }).types.releases;
  return { figures: { xmlBytes: counts.xmlBytes, wallSeconds, cpuSeconds }, counts };
}

/** What processes cost that have next to nothing to read; it is taken off, since a month is a hundred times what is generated here. */
interface Starts {
  readonly extract: number;
  /** Of a first incremental run, and of one with an index. */
  readonly build: number;
  readonly compare: number;
  readonly inflate: number;
}

async function starts(tiny: string): Promise<Starts> {
  const cpuSeconds = async (state: string, ...flags: string[]) => (await extract(tiny, SAME, join(tiny, "out"), state, ...flags)).figures.cpuSeconds;
  const [plain, known] = [mkdtempSync(join(tiny, "state-")), mkdtempSync(join(tiny, "state-"))];
  return {
    extract: await cpuSeconds(plain),
    build: await cpuSeconds(known, "--mode", "incremental"),
    compare: await cpuSeconds(known, "--mode", "incremental", "--force"),
    inflate: (await inflate(tiny)).cpuSeconds,
  };
}

/** The figures without the start. */
function without(start: number, { xmlBytes, wallSeconds, cpuSeconds }: Figures): Figures {
  return { xmlBytes, wallSeconds, cpuSeconds: cpuSeconds - start };
}

async function inflate(folder: string): Promise<Figures> {
  const { stdout, wallSeconds, cpuSeconds } = await runTimed([process.execPath, INFLATE, join(folder, `discogs_${SAME}_releases.xml.gz`)]);
  return { xmlBytes: Number(stdout), wallSeconds, cpuSeconds };
}

/** Throws unless the run has found what the months are made of. */
function expectCounts(what: string, counts: TypeCounts, expected: Partial<TypeCounts>): void {
  for (const [key, value] of Object.entries(expected)) {
    const found = counts[key as keyof TypeCounts];
    if (found !== value) throw new Error(`${what}: ${key} is ${found}, not ${value}`);
  }
}

async function round(folder: string, tiny: string, records: number): Promise<Record<Way, Figures> & { stateBytes: number }> {
  const at = (name: string) => join(mkdtempSync(join(folder, "state-")), name);
  const out = at("out");
  const incremental = ["--mode", "incremental"];
  const known = at("known");
  const start = await starts(tiny);
  const full = await extract(folder, SAME, at("out"), at("full"));
  const build = await extract(folder, MONTH, out, known, ...incremental);
  expectCounts("first run", build.counts, { read: records, created: records, written: records, digest: full.counts.digest });
  const stateBytes = bytesBelow(known, ".idx");
  const other = at("other");
  cpSync(known, other, { recursive: true });
  const same = await extract(folder, SAME, out, known, ...incremental);
  expectCounts("unchanged month", same.counts, { created: 0, updated: 0, deleted: 0, unchanged: records, written: 0 });
  const changed = await extract(folder, CHANGED, out, other, ...incremental);
  const updated = Math.round(records / 100);
  expectCounts("changed month", changed.counts, { created: 0, updated, deleted: 0, unchanged: records - updated, written: updated });
  const bare = await inflate(folder);
  if (bare.xmlBytes < same.figures.xmlBytes) throw new Error("inflate has read another file");
  return {
    inflate: without(start.inflate, bare),
    full: without(start.extract, full.figures),
    build: without(start.build, build.figures),
    same: without(start.compare, same.figures),
    changed: without(start.compare, changed.figures),
    stateBytes,
  };
}

function bytesBelow(folder: string, ending: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(ending));
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Records a second. */
async function upstreamsWay(folder: string): Promise<number> {
  await using server = await Postgres.start("15");
  const url = await server.createDatabase("upstream");
  for (const statement of UPSTREAM_SCHEMA.split(";")) await server.query("upstream", statement);
  const bodies = join(folder, "bodies");
  await runTimed([
    process.execPath,
    CLI,
    "extract",
    join(folder, `discogs_${MONTH}_releases.xml.gz`),
    "--sink",
    `file:${bodies}`,
    "--limit",
    String(UPSTREAM_RECORDS),
  ]);
  const { stdout } = await runTimed([process.execPath, UPSTREAM, url, join(bodies, MONTH, "releases.ndjson"), String(UPSTREAM_RECORDS)]);
  const { seconds, records } = JSON.parse(stdout) as { seconds: number; records: number };
  const [row] = await server.query<{ rows: string }>("upstream", "SELECT count(*) AS rows FROM record_processing_state");
  if (Number(row?.rows) !== UPSTREAM_RECORDS || records !== UPSTREAM_RECORDS) throw new Error(`upstream's way has stored ${row?.rows} records`);
  return records / seconds;
}

async function main(): Promise<void> {
  const options = benchOptions(USAGE, { records: { usual: 200_000, quick: 5000 }, rounds: { usual: 3, quick: 1 } });
  if (options === null) return;
  const { records, rounds, json } = options;
  const folder = mkdtempSync(join(tmpdir(), "deadwax-bench-incremental-"));
  try {
    await generate(folder, records);
    const tiny = mkdtempSync(join(folder, "tiny-"));
    await runTimed([process.execPath, CLI, "generate", "--out", tiny, ...ONLY_RELEASES, "--releases", "1", "--version", SAME]);
    const twoFiles = await TwoFiles.make(CLI, join(folder, "two-files"), records * TWO_FILES_BYTES);
    const threads: number[] = [];
    const figures: Awaited<ReturnType<typeof round>>[] = [];
    for (let n = 0; n < rounds; n += 1) {
      figures.push(await round(folder, tiny, records));
      threads.push(await twoFiles.ratio());
      console.error(`round ${n + 1}: ${JSON.stringify({ ...figures.at(-1), twoThreadsToOne: threads.at(-1) })}`);
    }
    report(figures, threads, records, await upstreamsWay(folder), json);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A month, the same records under the next date and compressed otherwise, and a month with 1 % of them updated. */
async function generate(folder: string, records: number): Promise<void> {
  const make = [process.execPath, CLI, "generate", "--out", folder];
  await runTimed([...make, "--releases", String(records), ...ONLY_RELEASES, "--version", MONTH]);
  await runTimed([...make, "--evolve", folder, "--changes", "", "--version", SAME]);
  await runTimed([...make, "--evolve", folder, "--changes", "updated=1%", "--version", CHANGED]);
}

function report(figures: Awaited<ReturnType<typeof round>>[], threads: readonly number[], records: number, upstream: number, json: string | undefined): void {
  const speed = ({ xmlBytes, cpuSeconds }: Figures) => xmlBytes / 1e6 / cpuSeconds;
  console.log(
    `\n${records} releases; medians of ${figures.length} rounds; one thread, CPU seconds of the whole process, verification included, its start taken off\n`,
  );
  console.log("| | MB of XML per CPU second | least to most | s |\n|---|---|---|---|");
  const medians: Partial<Record<Way, number>> = {};
  for (const [way, name] of Object.entries(WAYS) as [Way, string][]) {
    const { median, min, max } = spread(figures.map((one) => speed(one[way])));
    medians[way] = Math.round(median);
    console.log(
      `| ${name} | ${Math.round(median)} | ${Math.round(min)} to ${Math.round(max)} | ${spread(figures.map((one) => one[way].wallSeconds)).median.toFixed(2)} |`,
    );
  }
  const ratio = (a: Way, b: Way) => spread(figures.map((one) => speed(one[a]) / speed(one[b]))).median;
  const judge = (what: string, value: string, reached: boolean) => console.log(`${reached ? "reached" : "MISSED "} ${what}: ${value}`);
  const [toFull, toInflate, changedToSame, buildToFull] = [ratio("same", "full"), ratio("same", "inflate"), ratio("changed", "same"), ratio("build", "full")];
  console.log("");
  judge("an unchanged month at 2 times a full extraction", `${toFull.toFixed(2)} times`, toFull >= 2);
  judge("and within 25 % of bare inflate", `${(toInflate * 100).toFixed(0)} % of its speed`, toInflate >= 0.75);
  judge("1 % changed within 10 % of an unchanged month", `${(changedToSame * 100).toFixed(0)} % of its speed`, changedToSame >= 0.9);
  judge("the first run within 10 % of a full extraction", `${(buildToFull * 100).toFixed(0)} % of its speed`, buildToFull >= 0.9);
  const bytesPerRecord = spread(figures.map(({ stateBytes }) => stateBytes / records)).median;
  judge("at most 30 bytes of state a record", bytesPerRecord.toFixed(1), bytesPerRecord <= 30);
  const twoThreadsToOne = spread(threads).median;
  judge("two files at once on two threads at 1.8 times one thread, with the same digests", `${twoThreadsToOne.toFixed(2)} times`, twoThreadsToOne >= 1.8);
  const minutes = (way: Way) => (ALL_XML_BYTES / 1e6 / (medians[way] ?? Number.NaN) / 60).toFixed(1);
  console.log(`\nAll ${ALL_RECORDS / 1e6} M records, 80 GB of XML, on one thread: first run ${minutes("build")} min, a month ${minutes("changed")} min.`);
  console.log(`Upstream's way, ${Math.round(upstream)} records/s: ${(ALL_RECORDS / upstream / 86_400).toFixed(1)} days each.`);
  if (json === undefined) return;
  const ratios = { sameToFull: toFull, sameToInflate: toInflate, changedToSame, buildToFull, twoThreadsToOne };
  writeFileSync(
    json,
    JSON.stringify({ records, rounds: figures.length, megabytesPerCpuSecond: medians, ...ratios, bytesPerRecord, upstreamRecordsPerSecond: upstream }),
  );
}

await main();
