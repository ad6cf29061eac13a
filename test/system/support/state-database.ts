import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DATA_TYPES, type DataType } from "../../../src/model.ts";
import { migrated } from "../../postgres/scene.ts";
import { Database } from "../../services/database.ts";
import type { PostgresVersion } from "../../services/postgres.ts";
import { type Ended, type TypeReport as Read, Running, reportOf, type StartOptions } from "./deadwax.ts";
import type { MONTHS } from "./month-trio.ts";

export type Month = (typeof MONTHS)[number];
/** Ids by what became of them. */
export type Found = Readonly<Record<"created" | "updated" | "deleted" | "unchanged" | "repeated" | "pending", number>>;

/** Where a run works, and what it is given beside. */
interface PlaceOptions extends StartOptions {
  readonly host?: string;
  readonly mode?: "normal" | "incremental";
  readonly sink?: string;
  readonly args?: readonly string[];
}

/** Dumps, a sink and a state of their own, in a database or in a folder. */
export class Place {
  readonly path: string;
  readonly dumps: string;
  readonly state: string;
  readonly args: readonly string[];

  constructor(path: string, dumps: string, state: string, args: readonly string[] = []) {
    this.path = path;
    this.dumps = dumps;
    this.state = state;
    this.args = args;
  }

  /** Where a month lies, with its working files; another one for who works elsewhere. */
  root(host = "here"): string {
    return join(this.path, host);
  }

  /** Brings a month into the sink. */
  async start(
    { name }: Month,
    { host = "here", mode = "incremental", sink = `file:${this.path}/out`, args = [], ...options }: PlaceOptions = {},
  ): Promise<Running> {
    await cp(join(this.dumps, name), this.root(host), { recursive: true });
    const fixed = ["extract", "--root", this.root(host), "--mode", mode, "--sink", sink, "--state", this.state];
    // The months have records without an id.
    if (mode === "incremental") fixed.push("--allow-deletes");
    return new Running([...fixed, ...this.args, ...args, "--output", "json"], { node: ["--conditions=deadwax-faults"], ...options });
  }

  async run(month: Month, options: PlaceOptions = {}): Promise<Ended & { found: Record<string, Found> }> {
    const ended = await (await this.start(month, options)).ended;
    return { ...ended, found: ended.code === 0 ? foundIn(ended) : {} };
  }

  /** The bodies that a month has delivered, sorted; of tombstones, what does not tell the run. */
  async delivered({ version }: Month): Promise<Record<string, string[]>> {
    const out: Record<string, string[]> = {};
    for (const dataType of DATA_TYPES) {
      out[dataType] = (await this.#lines(version, dataType)).sort();
      const gone = (await this.#lines(version, `${dataType}.deleted`)).map((line) => JSON.parse(line) as { record_id: string; hash: string });
      out[`${dataType}.deleted`] = gone.map(({ record_id, hash }) => `${record_id} ${hash}`).sort();
    }
    return out;
  }

  async #lines(version: string, name: string): Promise<string[]> {
    const text = await readFile(join(this.path, "out", version, `${name}.ndjson`), "utf8").catch(() => "");
    return text.split("\n").filter(Boolean);
  }

  /** The working files are lost. */
  async lose(host = "here"): Promise<void> {
    await rm(this.root(host), { recursive: true });
  }
}

function foundIn(ended: Ended): Record<string, Found> {
  const types = reportOf(ended).types as Readonly<Record<string, Read & Partial<Found>>>;
  return Object.fromEntries(
    Object.entries(types).map(([type, { created = -1, updated = -1, deleted = -1, unchanged = -1, repeated = -1, pending = -1 }]) => [
      type,
      { created, updated, deleted, unchanged, repeated, pending },
    ]),
  );
}

/** A database with the tables of the state. */
export async function stateDatabase(version: PostgresVersion): Promise<Database> {
  const database = await Database.create(version);
  await migrated(database.url);
  return database;
}

export interface RunRow {
  readonly id: string;
  readonly data_type: DataType;
  readonly status: string;
  readonly error_message: string | null;
  readonly version: string;
  readonly in_doubt: boolean;
}

/** Runs in the order of their numbers. */
export function runsOf(database: Database, version: string): Promise<RunRow[]> {
  return database.query<RunRow>(
    "SELECT id, data_type, status, error_message, version, in_doubt FROM processing_runs WHERE version = $1 ORDER BY completed_at NULLS LAST",
    [version],
  );
}

/** What the database knows of records, as text that can be compared. */
export async function recordsOf(database: Database): Promise<string[]> {
  const rows = await database.query<{ entry: string }>("SELECT concat_ws(' ', data_type, record_id, record_hash, flags) AS entry FROM record_states");
  return rows.map(({ entry }) => entry).sort();
}
