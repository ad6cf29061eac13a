import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DATA_TYPES, type DataType } from "../../src/model.ts";
import { deadwax } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";

/** What `deadwax generate --evolve` says it wrote. */
export interface EvolvedManifest {
  readonly from: string;
  readonly types: Readonly<Record<DataType, { readonly file: string; readonly records: number; readonly changes: Readonly<Record<string, number>> }>>;
}

export interface NextMonth {
  readonly from: string;
  readonly out: string;
  readonly version: string;
  readonly changes: string;
  readonly returnedFrom?: string;
  readonly seed?: number;
  readonly threads?: number;
  readonly changesList?: string;
}

/** Writes the month after another one, by the program. */
export async function nextMonth({ from, out, version, changes, returnedFrom, seed = 1, threads = 2, changesList }: NextMonth): Promise<EvolvedManifest> {
  const optional = [
    ...(returnedFrom === undefined ? [] : ["--returned-from", returnedFrom]),
    ...(changesList === undefined ? [] : ["--changes-list", changesList]),
  ];
  const fixed = ["--evolve", from, "--out", out, "--version", version, "--changes", changes, "--seed", String(seed), "--threads", String(threads)];
  const ended = await deadwax(["generate", ...fixed, ...optional, "--output", "json"]);
  if (ended.code !== 0) throw new Error(`generate --evolve failed: ${ended.stderr}`);
  return JSON.parse(ended.stdout.toString()) as EvolvedManifest;
}

/** One record as it stands in a dump and as it comes out of both contracts. */
export interface MonthRecord {
  readonly id: string;
  readonly xml: string;
  readonly topic: string;
  readonly fanout: string;
}

/** All records of a month in the order of its files, brought out by the program. */
export type MonthRecords = Readonly<Record<DataType, readonly MonthRecord[]>>;

/** Extracts a whole month in both contracts into files under `scratch`, and reads all back. */
export async function readMonth(folder: string, version: string, scratch: string): Promise<MonthRecords> {
  for (const contract of ["topic", "fanout"]) {
    const out = join(scratch, contract);
    const files = DATA_TYPES.map((type) => dumpPath(folder, type, version));
    const ended = await deadwax(["extract", ...files, "--contract", contract, "--sink", `file:${out}`, "--state", out, "--force"]);
    if (ended.code !== 0) throw new Error(`extract failed: ${ended.stderr}`);
  }
  const types = DATA_TYPES.map(async (type) => {
    const xml = recordsOf(gunzipSync(await readFile(dumpPath(folder, type, version))).toString(), type);
    const [topic = [], fanout = []] = await Promise.all(["topic", "fanout"].map((contract) => bodiesOf(join(scratch, contract, version, `${type}.ndjson`))));
    if (topic.length !== xml.length || fanout.length !== xml.length)
      throw new Error(`${type}: ${xml.length} records, ${topic.length} and ${fanout.length} bodies`);
    return [type, xml.map((record, at) => ({ id: idOf(topic[at] ?? ""), xml: record, topic: topic[at] ?? "", fanout: fanout[at] ?? "" }))];
  });
  return Object.fromEntries(await Promise.all(types));
}

/** A record starts on a line of its own, and nothing in one does. */
function recordsOf(xml: string, type: DataType): string[] {
  const start = new RegExp(`\\n(?=<${type.slice(0, -1)}[ >]|</${type}>)`);
  return xml.split(start).slice(1, -1);
}

async function bodiesOf(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).trimEnd().split("\n");
}

function idOf(body: string): string {
  return (JSON.parse(body) as { id: string }).id;
}

/** How one month differs from the one before, by the last record of each id. */
export interface Difference {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
  /** Created, and in the older month with the very same bytes. */
  readonly returned: number;
  /** Of ids that come once in both: how many have to be taken out so that the others stand in the same order. */
  readonly reordered: number;
  /** Other XML, the same bodies. */
  readonly bytes: number;
  /** Ids that come twice, with the same content at last as before. */
  readonly duplicates: number;
  /** Ids that come twice, with other content at last. */
  readonly revised: number;
}

/** Compares two months record by record; a difference in one contract only is an error. */
export function difference(before: readonly MonthRecord[], after: readonly MonthRecord[], older: readonly MonthRecord[]): Difference {
  const [old, now, past] = [lastOf(before), lastOf(after), lastOf(older)];
  const found = { created: 0, updated: 0, deleted: 0, returned: 0, bytes: 0, duplicates: 0, revised: 0 };
  const twice = repeatedIds(after);
  for (const [id, record] of now) {
    const was = old.get(id);
    if (was === undefined) {
      found[past.get(id)?.xml === record.xml ? "returned" : "created"] += 1;
      continue;
    }
    const differs = record.topic !== was.topic;
    if (differs !== (record.fanout !== was.fanout)) throw new Error(`record ${id} differs in one contract only: ${record.xml} was ${was.xml}`);
    if (twice.has(id)) found[differs ? "revised" : "duplicates"] += 1;
    else if (differs) found.updated += 1;
    else if (record.xml !== was.xml) found.bytes += 1;
  }
  found.deleted = [...old.keys()].filter((id) => !now.has(id)).length;
  const common = before.filter(({ id }) => now.has(id) && !twice.has(id)).map(({ id }) => id);
  const places = new Map(common.map((id, place) => [id, place]));
  const order = after.flatMap(({ id }) => places.get(id) ?? []);
  return { ...found, reordered: order.length - longestAscent(order) };
}

function lastOf(records: readonly MonthRecord[]): Map<string, MonthRecord> {
  return new Map(records.map((record) => [record.id, record]));
}

function repeatedIds(records: readonly MonthRecord[]): Set<string> {
  const seen = new Set<string>();
  return new Set(records.flatMap(({ id }) => (seen.size === seen.add(id).size ? [id] : [])));
}

/** Length of the longest ascending subsequence. */
function longestAscent(numbers: readonly number[]): number {
  const ends: number[] = [];
  for (const number of numbers) {
    const place = ends.findIndex((end) => end >= number);
    ends[place === -1 ? ends.length : place] = number;
  }
  return ends.length;
}
