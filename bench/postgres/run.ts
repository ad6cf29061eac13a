/** `npm run bench:postgres`: a first load and an unchanged dump into PostgreSQL, beside plain COPY by psql, upstream's way and no destination at all. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { Postgres } from "../../test/services/postgres.ts";
import { Broker } from "../../test/services/rabbitmq.ts";
import { benchOptions } from "../src/options.ts";
import { spread } from "../src/statistics.ts";
import { runTimed } from "../src/timed-process.ts";
import { tableFromQueue } from "./table.ts";

const USAGE = `usage: npm run bench:postgres -- [options]
  --records <N>   releases that are generated and stored (default: 60000)
  --upserts <N>   of them, those that are stored upstream's way (default: 20000)
  --rounds <N>    how often each way runs (default: 3)
  --json <FILE>   keep the figures there
  --quick         3000 releases, 500 upserts, one round: for whether the results are right, not for speeds`;

const CLI = join(dirname(createRequire(import.meta.url).resolve("deadwax")), "cli.js");
const UPSTREAM = fileURLToPath(new URL("upstream.js", import.meta.url));
const PSQL = "/usr/lib/postgresql/15/bin/psql";
const VERSION = "20260801";
const NEXT = "20260901";
/** As upstream's first schema has them. */
const UPSTREAM_SCHEMA = `
  CREATE TABLE releases (data_id varchar PRIMARY KEY, hash varchar NOT NULL, data jsonb NOT NULL);
  CREATE INDEX idx_releases_hash ON releases (hash);
  CREATE INDEX idx_releases_gin ON releases USING gin (data);
  CREATE INDEX idx_releases_title ON releases ((data->>'title'));
  CREATE INDEX idx_releases_year ON releases ((data->>'year'));
  CREATE INDEX idx_releases_country ON releases ((data->>'country'));
  CREATE INDEX idx_releases_genres ON releases USING gin ((data->'genres'));
  CREATE INDEX idx_releases_labels ON releases USING gin ((data->'labels'))`;
const CONTENT = "SELECT count(*) AS rows, md5(string_agg(data_id || ' ' || hash || ' ' || data::text, E'\\n' ORDER BY data_id)) AS digest FROM releases";

/** One way, once. */
interface Figures {
  readonly records: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

interface Setting {
  readonly server: Postgres;
  readonly broker: Broker;
  readonly folder: string;
  readonly records: number;
  readonly upserts: number;
}

let databases = 0;

async function freshDatabase(server: Postgres): Promise<{ name: string; url: string }> {
  databases += 1;
  const name = `bench_${databases}`;
  return { name, url: await server.createDatabase(name) };
}

function dump(folder: string, version: string): string {
  return join(folder, `discogs_${version}_releases.xml.gz`);
}

async function extract(folder: string, version: string, sink: string): Promise<Figures> {
  const state = mkdtempSync(join(folder, "state-"));
  const command = [process.execPath, CLI, "extract", dump(folder, version), "--sink", sink, "--state", state, "--output", "json"];
  const { stdout, wallSeconds, cpuSeconds } = await runTimed(command);
  const { written } = (JSON.parse(stdout) as { types: { releases: { written: number } } }).types.releases;
  return { records: written, seconds: wallSeconds, cpuSeconds };
}

async function migrate(url: string, ...flags: string[]): Promise<void> {
  await runTimed([process.execPath, CLI, "migrate", ...flags, url]);
}

async function contentOf(server: Postgres, database: string): Promise<string> {
  return JSON.stringify(await server.query(database, CONTENT));
}

/** A first load, its indexes included; then the same records under the next date, recompressed, which must change nothing. */
async function loadTwice({ server, folder, records }: Setting): Promise<{ first: Figures; unchanged: Figures; content: string; rowsFile: string }> {
  const { name, url } = await freshDatabase(server);
  await migrate(url);
  const first = await extract(folder, VERSION, url);
  if (first.records !== records) throw new Error(`${first.records} of ${records} records were stored`);
  const content = await contentOf(server, name);
  const [before] = await server.query<{ xmins: string }>(name, "SELECT md5(string_agg(xmin::text || ctid::text, ' ' ORDER BY data_id)) AS xmins FROM releases");
  await server.query(name, "CHECKPOINT");
  const unchanged = await extract(folder, NEXT, url);
  const [after] = await server.query<{ xmins: string }>(name, "SELECT md5(string_agg(xmin::text || ctid::text, ' ' ORDER BY data_id)) AS xmins FROM releases");
  if (before?.xmins !== after?.xmins) throw new Error("an unchanged dump has changed rows");
  const rowsFile = join(folder, "rows.copy");
  await runTimed([PSQL, "-q", url, "-c", `\\copy (SELECT data_id, hash, data FROM releases ORDER BY data_id::bigint) TO '${rowsFile}'`]);
  await server.query("postgres", `DROP DATABASE ${name} WITH (FORCE)`);
  return { first, unchanged, content, rowsFile };
}

/** The same rows by psql into the same table, and the same indexes behind it. */
async function copyPlain({ server, records }: Setting, rowsFile: string, content: string): Promise<Figures> {
  const { name, url } = await freshDatabase(server);
  await migrate(url);
  const copied = await runTimed([PSQL, "-q", url, "-c", `\\copy releases (data_id, hash, data) FROM '${rowsFile}'`]);
  const started = performance.now();
  await migrate(url); // builds the indexes of tables that hold rows
  const seconds = copied.wallSeconds + (performance.now() - started) / 1000;
  if ((await contentOf(server, name)) !== content) throw new Error("psql has stored something else");
  await server.query("postgres", `DROP DATABASE ${name} WITH (FORCE)`);
  return { records, seconds, cpuSeconds: copied.cpuSeconds };
}

async function upsert({ server, folder, upserts }: Setting): Promise<Figures> {
  const { name, url } = await freshDatabase(server);
  for (const statement of UPSTREAM_SCHEMA.split(";")) await server.query(name, statement);
  const { stdout, cpuSeconds } = await runTimed([process.execPath, UPSTREAM, url, join(folder, "bodies", VERSION, "releases.ndjson"), String(upserts)]);
  const { seconds, records } = JSON.parse(stdout) as { seconds: number; records: number };
  const [row] = await server.query<{ rows: string }>(name, "SELECT count(*) AS rows FROM releases");
  if (Number(row?.rows) !== upserts || records !== upserts) throw new Error(`upstream's way has stored ${row?.rows} of ${upserts}`);
  await server.query("postgres", `DROP DATABASE ${name} WITH (FORCE)`);
  return { records, seconds, cpuSeconds };
}

/** The records by way of a broker and the table writer. */
async function fromQueue(setting: Setting, content: string): Promise<Figures> {
  const { server, broker, folder, records } = setting;
  const { name, url } = await freshDatabase(server);
  await migrate(url);
  const state = mkdtempSync(join(folder, "state-"));
  const figures = await tableFromQueue({ server, broker, cli: CLI, dump: dump(folder, VERSION), state, records }, name);
  if ((await contentOf(server, name)) !== content) throw new Error("deadwax table has stored something else");
  await server.query("postgres", `DROP DATABASE ${name} WITH (FORCE)`);
  return { ...figures, cpuSeconds: Number.NaN };
}

async function main(): Promise<void> {
  const options = benchOptions(USAGE, { records: { usual: 60_000, quick: 3000 }, upserts: { usual: 20_000, quick: 500 }, rounds: { usual: 3, quick: 1 } });
  if (options === null) return;
  const { records, upserts, rounds, json } = options;
  const folder = mkdtempSync(join(tmpdir(), "deadwax-bench-postgres-"));
  const server = await Postgres.start("15"); // the one that compresses with lz4, and brings psql
  const broker = await Broker.start();
  try {
    await server.stop();
    await server.restart({ fsync: "on", max_wal_size: "4GB", shared_buffers: "512MB" });
    const setting = await prepare({ server, broker, folder, records, upserts });
    const ways: Record<"first" | "copy" | "upsert" | "unchanged" | "nothing" | "queue", Figures[]> = {
      first: [],
      copy: [],
      upsert: [],
      unchanged: [],
      nothing: [],
      queue: [],
    };
    for (let round = 0; round < rounds; round += 1) {
      const { first, unchanged, content, rowsFile } = await loadTwice(setting);
      ways.first.push(first);
      ways.copy.push(await copyPlain(setting, rowsFile, content));
      ways.unchanged.push(unchanged);
      ways.nothing.push(await extract(folder, NEXT, "null:"));
      ways.upsert.push(await upsert(setting));
      ways.queue.push(await fromQueue(setting, content));
      console.error(`round ${round + 1}: ${JSON.stringify(Object.fromEntries(Object.entries(ways).map(([way, all]) => [way, all.at(-1)])))}`);
    }
    report(ways, records, rounds, json);
  } finally {
    await server[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(ways: Record<string, Figures[]>, records: number, rounds: number, json: string | undefined): void {
  console.log(`\n${records} releases; medians of ${rounds} rounds; PostgreSQL 15, lz4, fsync on; indexes included where a table is loaded\n`);
  console.log("| | records/s | least to most | s |\n|---|---|---|---|");
  const speed = ({ records: count, seconds }: Figures) => count / seconds;
  const names: Record<string, string> = {
    first: "deadwax, first load",
    copy: "plain COPY of the same rows by psql",
    upsert: "upstream's way",
    unchanged: "deadwax, unchanged dump",
    nothing: "deadwax into null:",
    queue: "deadwax table, from the queue",
  };
  for (const [way, all] of Object.entries(ways)) {
    const speeds = all.map((one) => Math.round(speed(one))).sort((a, b) => a - b);
    console.log(
      `| ${names[way]} | ${Math.round(spread(speeds).median)} | ${speeds[0]} to ${speeds.at(-1)} | ${spread(all.map(({ seconds }) => seconds)).median.toFixed(2)} |`,
    );
  }
  // Round by round: what slows the machine down for a while slows down both.
  const ratio = (a: string, b: string) =>
    spread(Array.from({ length: rounds }, (_, n) => speed(ways[a]?.[n] as Figures) / speed(ways[b]?.[n] as Figures))).median;
  const [toUpstream, toCopy, toNothing] = [ratio("first", "upsert"), ratio("copy", "first"), ratio("unchanged", "nothing")];
  const judge = (what: string, value: string, reached: boolean) => console.log(`${reached ? "reached" : "MISSED "} ${what}: ${value}`);
  console.log("");
  judge("first load at least 5 times upstream's way", `${toUpstream.toFixed(1)} times`, toUpstream >= 5);
  judge("first load within 1.5 times plain COPY", `${toCopy.toFixed(2)} times its time`, toCopy <= 1.5);
  const fromQueue = spread((ways["queue"] ?? []).map(speed)).median;
  judge("deadwax table above 5,000 records/s", String(Math.round(fromQueue)), fromQueue > 5000);
  judge("unchanged dump at half of the speed of null:", `${(toNothing * 100).toFixed(0)} %`, toNothing >= 0.5);
  console.log(
    "\nEvery way's table held every record; deadwax's, the table writer's and psql's were equal byte for byte, and the unchanged dump touched no row.",
  );
  const medians = Object.fromEntries(Object.entries(ways).map(([way, all]) => [way, Math.round(spread(all.map(speed)).median)]));
  const kept = { records, rounds, recordsPerSecond: medians, timesUpstream: toUpstream, timesPlainCopy: toCopy, unchangedShareOfNull: toNothing };
  if (json !== undefined) writeFileSync(json, JSON.stringify(kept));
}

/** A dump, the same one under the next date and compressed otherwise, and its bodies for upstream's way. */
async function prepare(setting: Setting): Promise<Setting> {
  const { folder, records } = setting;
  const others = ["--artists", "1", "--labels", "1", "--masters", "1"];
  await runTimed([process.execPath, CLI, "generate", "--releases", String(records), ...others, "--seed", VERSION, "--version", VERSION, "--out", folder]);
  writeFileSync(dump(folder, NEXT), gzipSync(gunzipSync(readFileSync(dump(folder, VERSION))), { level: 5 }));
  const bodies = join(folder, "bodies");
  await runTimed([process.execPath, CLI, "extract", dump(folder, VERSION), "--sink", `file:${bodies}`, "--state", bodies]);
  return setting;
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
