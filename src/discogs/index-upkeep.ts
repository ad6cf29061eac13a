/** What operators do with a record index between runs: copy it away, bring it back, make it anew. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { exportIndex, findBackup, generationsOf, named } from "../change/backups.ts";
import type { Generation } from "../change/pointer.ts";
import type { Given } from "../change/rebuild.ts";
import { type IndexKey, RecordIndex } from "../change/record-index.ts";
import { restore, take } from "../change/restore.ts";
import { UNKNOWN_HASH } from "../change/salvage.ts";
import { faultOf, wholeRecords } from "../change/soundness.ts";
import { indexTable } from "../change/table-index.ts";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import type { PostgresConfig } from "../postgres/config.ts";
import { StoredRecords } from "../postgres/stored-hashes.ts";
import { lockRoot } from "../state/lock.ts";

/** Folder, in that of an index, in which another one is made that is to take its place. */
const SCRATCH_NAME = "rebuild.tmp";

/** Whose index, and where. */
export interface IndexSubject extends IndexKey {
  /** Folder of the state. */
  readonly root: string;
  /** The data types that are looked after; an export has all. */
  readonly dataTypes: readonly DataType[];
}

/** What became of one data type. `same`: it was what was brought. `damaged`: it still is. */
export interface Outcome {
  readonly dataType: DataType;
  readonly what: "sound" | "same" | "restored" | "rebuilt" | "damaged";
  readonly version: string | null;
  readonly records: number;
  /** Ids that equal nothing now, so that they are delivered again or deleted. */
  readonly doubted: number;
  readonly fault: string | null;
}

/** Copies what is known of a sink into a new folder below `place`. */
export async function exportOf({ root, ...key }: IndexSubject, place: string) {
  await using _lock = await lockRoot(root);
  const index = await RecordIndex.open(root, key);
  if (index.isNew) throw unknown(root, key);
  const { folder, at, pointer } = await exportIndex(index, place, new Date());
  return { folder, at, types: pointer.types };
}

/** Brings an export back. `isCurrent`: nothing was delivered since, whatever is known now. */
export async function importBackup({ root, dataTypes, ...key }: IndexSubject, place: string, isCurrent: boolean): Promise<{ from: string; types: Outcome[] }> {
  await using _lock = await lockRoot(root);
  const backup = await findBackup(place, key);
  const index = await RecordIndex.salvage(root, key, () => {});
  const { isSalvaged } = index;
  const types: Outcome[] = [];
  const wanted = generationsOf(backup).filter(([one]) => dataTypes.includes(one));
  if (wanted.length === 0) {
    const held = generationsOf(backup).map(([one]) => one);
    throw new DumpError("CONFIG_INVALID", `${backup.folder}: the export has no ${dataTypes.join(", ")}; it has ${held.join(", ") || "nothing"}`);
  }
  for (const [dataType, generation] of wanted) {
    const given = { path: join(backup.folder, generation.file), generation };
    const known = index.generation(dataType);
    const of = { dataType, version: generation.version, fault: null };
    // No run has ended since: the ledger of one that was begun goes on behind it.
    if (known?.run === generation.run) {
      const isSound = (await faultOf(index.pathOf(known), known)) === null;
      if (!isSound) await take(index, dataType, { ...given, generation: { ...generation, doubted: known.doubted } });
      // What is held back the file does not say, but the export's pointer does.
      else if (isSalvaged) await index.commit({ [dataType]: { ...known, pending: generation.pending, changes: generation.changes } });
      types.push({ ...of, what: isSound && !isSalvaged ? "same" : "restored", records: generation.records, doubted: doubtedOf(known) });
      continue;
    }
    types.push({ ...of, what: "restored", ...(await restore(index, dataType, key.contract, given, isCurrent ? "whole" : "beside")) });
  }
  if (isSalvaged) await index.commit({});
  return { from: backup.folder, types };
}

/** Makes an index of what the tables of a database hold. */
export async function importTables({ root, dataTypes, ...key }: IndexSubject, database: PostgresConfig): Promise<{ from: string; types: Outcome[] }> {
  await using _lock = await lockRoot(root);
  const index = await RecordIndex.salvage(root, key, () => {});
  return { from: database.name, types: await fromTables(index, key, dataTypes, database) };
}

async function fromTables(index: RecordIndex, key: IndexKey, dataTypes: readonly DataType[], database: PostgresConfig): Promise<Outcome[]> {
  await index.makeFolder();
  await using stored = await StoredRecords.open(database, dataTypes);
  if (stored.dataTypes.length === 0) {
    throw new DumpError("SINK_UNAVAILABLE", `${database.name}: there is no table ${dataTypes.join(", ")}; name another schema with ?schema=NAME`);
  }
  const types: Outcome[] = [];
  for (const dataType of stored.dataTypes) {
    const path = join(index.folder, `${dataType}.${SCRATCH_NAME}`);
    try {
      const { unknown: without, ...given } = await indexTable(path, dataType, key.contract, stored.rows(dataType));
      const { records, doubted } = await restore(index, dataType, key.contract, given, "whole");
      types.push({ dataType, what: "rebuilt", version: null, records, doubted: Math.max(doubted, without), fault: null });
    } finally {
      await rm(path, { force: true });
    }
  }
  return types;
}

/** What a damaged index is made anew from; null: nothing, it is only looked at. */
export type Source =
  | { readonly kind: "tables"; readonly database: PostgresConfig }
  /** Makes, in a state folder of its own, an index of a version that the sink has. */
  | { readonly kind: "dumps"; readonly force: boolean; readonly build: (indexRoot: string, versions: ReadonlyMap<DataType, string | null>) => Promise<void> };

/** Reads every block of an index, and makes those data types anew that are damaged; `onFault` hears at once what is wrong. */
export async function repairIndex(
  { root, dataTypes, ...key }: IndexSubject,
  source: Source | null,
  onFault: (fault: string) => void,
): Promise<{ pointerFault: string | null; types: Outcome[] }> {
  await using _lock = await lockRoot(root);
  let pointerFault: string | null = null;
  const index = await RecordIndex.salvage(root, key, ({ message }) => {
    pointerFault = message;
    onFault(message);
  });
  if (index.isNew) throw unknown(root, key);
  const found = new Map<DataType, Outcome>();
  for (const dataType of dataTypes) {
    const outcome = await looked(index, dataType);
    if (outcome !== null) found.set(dataType, outcome);
    if (outcome !== null && outcome.fault !== null) onFault(`${dataType}: ${outcome.fault}`);
  }
  if (found.size === 0)
    throw new DumpError("CONFIG_INVALID", `${index.folder}: nothing is known of ${dataTypes.join(", ")}, so that there is nothing to repair`);
  const damaged = [...found.values()].filter(({ what }) => what === "damaged");
  if (damaged.length > 0 && source !== null) {
    const made =
      source.kind === "tables" ? await fromTables(index, key, typesOf(damaged), source.database) : await fromDumps(index, key, damaged, source, onFault);
    for (const outcome of made) found.set(outcome.dataType, { ...outcome, fault: found.get(outcome.dataType)?.fault ?? null });
  } else if (pointerFault !== null) await index.commit({});
  return { pointerFault, types: [...found.values()] };
}

async function looked(index: RecordIndex, dataType: DataType): Promise<Outcome | null> {
  const generation = index.generation(dataType);
  if (generation === null) return null;
  const fault = await faultOf(index.pathOf(generation), generation);
  const { version, records } = generation;
  return { dataType, what: fault === null ? "sound" : "damaged", version, records, doubted: doubtedOf(generation), fault: fault?.message ?? null };
}

/** Where the generation as a whole is in doubt, the next run delivers everything. */
function doubtedOf({ doubted, records }: Generation): number {
  return doubted === true ? records : 0;
}

async function fromDumps(
  index: RecordIndex,
  key: IndexKey,
  damaged: readonly Outcome[],
  { build, force }: Extract<Source, { kind: "dumps" }>,
  onFault: (fault: string) => void,
): Promise<Outcome[]> {
  const scratch = join(index.folder, SCRATCH_NAME);
  await rm(scratch, { recursive: true, force: true });
  try {
    await build(scratch, new Map(damaged.map(({ dataType, version }) => [dataType, version])));
    const made = await RecordIndex.open(scratch, key);
    const outcomes: Outcome[] = [];
    for (const dataType of typesOf(damaged)) {
      const generation = made.generation(dataType);
      if (generation === null) continue;
      if (existsSync(index.ledgerPath(dataType))) {
        const lost =
          "has left a ledger that only the damaged index could tell of: what that run had created or updated and the next dump lacks stays downstream until a run in normal mode";
        onFault(`${dataType}: a run that was never ended ${lost}`);
      }
      // What was delivered beside it since is not in the dumps.
      const given: Given = { path: made.pathOf(generation), generation: { ...generation, doubted: index.generation(dataType)?.doubted } };
      const restored = await restore(index, dataType, key.contract, given, "whole", await heldBack(index, dataType, force));
      outcomes.push({ dataType, what: "rebuilt", version: generation.version, ...restored, fault: null });
    }
    return outcomes;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/**
 * The file of the generation before, where deletions were held back behind it: what is held back is in no dump. Null where nothing was, or,
 * by force, where nothing tells.
 */
async function heldBack(index: RecordIndex, dataType: DataType, force: boolean): Promise<string | null> {
  const known = index.generation(dataType);
  // Of a generation that could not be opened nothing is known.
  if (known === null || (known.pending === 0 && known.hashVersion !== UNKNOWN_HASH && !index.isSalvaged)) return null;
  const before = index.pathOf({ file: `${dataType}.${known.number - 1}.idx` });
  try {
    await wholeRecords(before);
    return before;
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    if (force || known.number === 1 || known.pending === 0) return null;
    const advice = "bring an export back with deadwax state import, or with --force let those records stay downstream";
    throw new DumpError("INDEX_CORRUPT", `${dataType}: ${known.pending} deletions are held back, which no dump tells of; ${advice}`);
  }
}

function typesOf(outcomes: readonly Outcome[]): DataType[] {
  return DATA_TYPES.filter((dataType) => outcomes.some((outcome) => outcome.dataType === dataType));
}

function unknown(root: string, key: IndexKey): DumpError {
  return new DumpError("CONFIG_INVALID", `${root}: there is no record index of ${named(key)}; deadwax state show lists those that there are`);
}
