import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fault } from "#fault";
import { canonicalJson } from "../canonical.ts";
import { DumpError } from "../errors.ts";
import type { DataType } from "../model.ts";
import { stateFailure } from "../postgres/check-state.ts";
import type { PostgresConfig } from "../postgres/config.ts";
import type { PostgresClient } from "../postgres/connect.ts";
import { Lease } from "../postgres/lease.ts";
import { hasTable, requireMigrated } from "../postgres/migrations.ts";
import { abortOrphans, doubtDeletions, doubtRun, endRuns, runsInDoubt, startRun, supersedeRun } from "../postgres/processing-runs.ts";
import { ensureState, readState, type StoredState, tellStates } from "../postgres/processing-state.ts";
import { readRecords } from "../postgres/record-states.ts";
import { Session, type SessionEvents } from "../postgres/session.ts";
import { inTransaction } from "../postgres/transaction.ts";
import { Turns } from "../postgres/turns.ts";
import { buildGeneration, metaOf } from "./cached-generation.ts";
import { commitVersion, type TypeCommit } from "./commit-version.ts";
import type { BegunRun, IndexStore, NextGenerations, UnfinishedEnd } from "./index-store.ts";
import { type Generation, generationMeta, storedChanges } from "./pointer.ts";
import { type IndexKey, RecordIndex } from "./record-index.ts";

export interface PostgresIndexOptions {
  readonly config: PostgresConfig;
  /** Folder of the state, in which the files are kept that the database is compared with. */
  readonly indexRoot: string;
  readonly key: IndexKey;
  readonly dataTypes: readonly DataType[];
  /** Nothing is written, here or there. */
  readonly dryRun: boolean;
  /** Runs of which the changelog is kept. */
  readonly runsKept: number;
  readonly warn: (text: string) => void;
}

/** A run that was begun here. */
interface OwnRun extends BegunRun {
  delivers: "nothing" | "records" | "deletions";
}

/** How long a database is asked that may be another's. */
const ASK_TIMEOUT_MS = 10_000;
/** How long the end of a run is tried to be told. */
const END_TIMEOUT_MS = 5000;

/**
 * What downstream has, in a PostgreSQL, which has the last word: the folder holds generations as files, made of its rows where they are of another
 * run. Whoever opens it has the lease of the data types.
 */
export class PostgresIndex implements IndexStore {
  readonly #options: PostgresIndexOptions;
  readonly #session: Turns;
  readonly #states: ReadonlyMap<DataType, StoredState>;
  readonly #lease: Lease | null;
  readonly #runs = new Map<DataType, OwnRun>();
  /** Data types whose file says that no record equals what is known. */
  readonly #doubted = new Set<DataType>();
  #folder: RecordIndex;
  /** Of a dry run. */
  #temporary: string | null = null;

  private constructor(options: PostgresIndexOptions, session: Turns, folder: RecordIndex, states: ReadonlyMap<DataType, StoredState>, lease: Lease | null) {
    this.#options = options;
    this.#session = session;
    this.#folder = folder;
    this.#states = states;
    this.#lease = lease;
  }

  /** Takes the leases, and brings the files to where the database is. Throws STATE_LOCKED where another process has a lease. */
  static async open(options: PostgresIndexOptions): Promise<PostgresIndex> {
    const { config, dataTypes, dryRun, key, indexRoot, warn } = options;
    const session = new Turns(new Session(config, eventsOf(warn)));
    let lease: Lease | null = null;
    try {
      const rowsOf = async (client: PostgresClient) => {
        const states = new Map<DataType, StoredState>();
        for (const dataType of dataTypes) {
          const state = dryRun ? await readState(client, { ...key, dataType }) : await ensureState(client, { ...key, dataType });
          if (state !== null) states.set(dataType, state);
        }
        return states;
      };
      const before = await session.ask("the state cannot be read", async (client) => {
        await requireMigrated(client, config.schema, config.name);
        return await rowsOf(client);
      });
      if (!dryRun) {
        const keys = [...before].map(([dataType, { id }]) => ({ state: id, dataType }));
        lease = await Lease.take(config, keys, eventsOf(warn)).catch((error: unknown) => {
          throw stateFailure(error);
        });
      }
      // As they are now that nobody else can move them.
      const states = lease === null ? before : await session.ask("the state cannot be read", rowsOf);
      if (lease !== null) await session.ask("runs cannot be ended", (client) => abandonRuns(client, states, warn));
      const index = new PostgresIndex(options, session, await RecordIndex.open(indexRoot, key, config.name), states, lease);
      await index.#catchUp();
      return index;
    } catch (error) {
      await lease?.[Symbol.asyncDispose]();
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whether the database knows anything of one of the data types; one without our tables does not. Changes nothing. */
  static async isThere({ config, key, dataTypes, warn }: PostgresIndexOptions): Promise<boolean> {
    await using session = new Turns(new Session(config, eventsOf(warn)));
    return await session.ask(
      "the state cannot be read",
      async (client) => {
        if (!(await hasTable(client, config.schema, "processing_state"))) return false;
        for (const dataType of dataTypes) if ((await readState(client, { ...key, dataType }))?.end != null) return true;
        return false;
      },
      { timeoutMs: ASK_TIMEOUT_MS },
    );
  }

  generation(dataType: DataType): Generation | null {
    const generation = this.#states.get(dataType) === undefined ? null : this.#folder.generation(dataType);
    // The rows are not in doubt, so that the word stays until a run has ended, in case that the file is lost.
    return generation?.doubted === true && this.#doubted.has(dataType) ? { ...generation, doubted: false } : generation;
  }

  pathOf(generation: Pick<Generation, "file">): string {
    return this.#folder.pathOf(generation);
  }

  ledgerPath(dataType: DataType): string {
    return this.#folder.ledgerPath(dataType);
  }

  next(dataType: DataType): Pick<Generation, "file" | "number"> {
    return this.#folder.next(dataType);
  }

  makeFolder(): Promise<void> {
    return this.#folder.makeFolder();
  }

  async begin(run: BegunRun): Promise<void> {
    const { id, dataType, version, subject, file, isBaseline } = run;
    const state = this.#stateOf(dataType);
    const metadata = { host: hostname(), pid: process.pid, file: file.name, file_checksum: file.sha256, file_size: file.bytes, baseline: isBaseline };
    const before = [this.#runs.get(dataType)?.id ?? id].filter((other) => other !== id);
    const doubted = await this.#session.ask(`the run of ${dataType} cannot be begun`, (client) =>
      inTransaction(client, async () => {
        await endRuns(client, before, "aborted", "what it has found cannot be used; the file was begun afresh");
        await startRun(client, { id, state, dataType, version, subject, metadata });
        await tellStates(client, [state], "processing", null);
        return await runsInDoubt(client, state, id, subject);
      }),
    );
    this.#runs.set(dataType, { ...run, delivers: "nothing" });
    this.#lease?.add(id);
    if (doubted.length > 0) await this.#doubt(dataType, doubted);
  }

  async delivering(dataType: DataType, what: "records" | "deletions"): Promise<void> {
    this.#lease?.assertHeld();
    const run = this.#runs.get(dataType);
    if (run === undefined || run.delivers === what || run.delivers === "deletions") return;
    run.delivers = what;
    const isOurs = await this.#session.ask(`the run of ${dataType} cannot be kept`, (client) =>
      (what === "records" ? doubtRun : doubtDeletions)(client, run.id),
    );
    if (!isOurs) throw new DumpError("STATE_LOCKED", `${dataType}: another process has ended the run ${run.id} and taken it over`);
  }

  async doubt(dataType: DataType): Promise<void> {
    const generation = this.generation(dataType);
    if (generation === null) return;
    await this.#rebuild(dataType, generation, [generation.run]);
    await this.#folder.commit({ [dataType]: { ...generation, doubted: true } });
  }

  async discard(run: string): Promise<void> {
    await this.#session.ask("a run cannot be ended", (client) => supersedeRun(client, run));
  }

  async commit(next: NextGenerations, folded: string | null = null): Promise<void> {
    if (Object.keys(next).length === 0) return;
    const types: TypeCommit[] = Object.values(next).map((generation) => {
      const dataType = dataTypeOf(generation);
      const old = this.generation(dataType);
      const run = folded === null ? (this.#runs.get(dataType) ?? null) : null;
      return { dataType, state: this.#stateOf(dataType), old, next: generation, run };
    });
    await this.#lease?.renew().catch((error: unknown) => {
      throw stateFailure(error);
    });
    const pathOf = (generation: Pick<Generation, "file">) => this.pathOf(generation);
    const { runsKept } = this.#options;
    await this.#session.ask("the changes cannot be kept", (client) => commitVersion(client, types, { folded, runsKept, pathOf }), { takesLong: true });
    fault("state-committed");
    await this.#folder.commit(next);
    for (const { dataType } of types) this.#runs.delete(dataType);
  }

  async end(how: UnfinishedEnd, reason: string): Promise<void> {
    const runs = [...this.#runs.values()];
    this.#runs.clear();
    if (runs.length === 0) return;
    const states = runs.map(({ dataType }) => this.#stateOf(dataType));
    const work = async (client: PostgresClient) => {
      const ids = runs.map(({ id }) => id);
      await endRuns(client, ids, how, reason);
      await tellStates(client, states, how === "failed" ? "error" : "idle", how === "failed" ? reason : null);
    };
    try {
      await this.#session.ask("the end of a run cannot be kept", (client) => inTransaction(client, () => work(client)), { timeoutMs: END_TIMEOUT_MS });
    } catch {
      this.#options.warn(`the database cannot be told that the run ${how === "failed" ? "has failed" : "was stopped"}; the next one will tell it`);
    }
  }

  removeLedgers(dataTypes: readonly DataType[]): Promise<void> {
    return this.#folder.removeLedgers(dataTypes);
  }

  /** Brings the files to the runs that the database is at. */
  async #catchUp(): Promise<void> {
    for (const [dataType, { end }] of this.#states) {
      const local = this.#folder.generation(dataType);
      if (end === null && local === null) continue;
      const there = local === null ? null : await metaOf(this.pathOf(local));
      if (there?.["doubted"] !== undefined) this.#doubted.add(dataType);
      if (end !== null && local?.run === end.run && there !== null) continue;
      await this.#leaveFolder();
      if (end === null) {
        // The database was made anew: what the files tell is of another one.
        await this.#folder.forget(dataType);
        continue;
      }
      const generation: Generation = { ...end, file: `${dataType}.${end.number}.idx`, changes: storedChanges(end.changes), doubted: local?.doubted };
      const meta = await metaOf(this.pathOf(generation));
      const isThere = meta !== null && (meta["run"] === end.run || meta["folded"] === end.run) && meta["doubted"] === undefined;
      if (isThere) this.#doubted.delete(dataType);
      else await this.#rebuild(dataType, generation, []);
      await this.#folder.commit({ [dataType]: generation });
    }
  }

  /** Runs of something else may have delivered what nobody can tell any more: no record equals what is known. */
  async #doubt(dataType: DataType, doubted: readonly string[]): Promise<void> {
    const generation = this.generation(dataType);
    if (generation === null) return;
    const meta = await metaOf(this.pathOf(generation));
    if (canonicalJson(meta?.["doubted"] ?? []) === canonicalJson(doubted)) return;
    const text = `${dataType}: a run elsewhere was never ended, and nobody can tell what it has delivered; all records are delivered once more`;
    this.#options.warn(text);
    await this.#rebuild(dataType, generation, doubted);
  }

  /** Makes a generation's file of the rows; a ledger that was held against another one is of no use any more. */
  async #rebuild(dataType: DataType, generation: Generation, doubted: readonly string[]): Promise<void> {
    await this.#folder.makeFolder();
    if (this.#temporary === null) await this.removeLedgers([dataType]);
    const known = generationMeta(dataType, this.#options.key.contract, generation);
    if (doubted.length === 0) this.#doubted.delete(dataType);
    else this.#doubted.add(dataType);
    const meta = doubted.length === 0 ? known : canonicalJson({ ...(JSON.parse(known) as object), doubted });
    const state = this.#stateOf(dataType);
    await this.#session.ask(
      `the records of ${dataType} cannot be read`,
      (client) => buildGeneration(this.pathOf(generation), meta, readRecords(client, state), doubted.length > 0),
      { takesLong: true },
    );
  }

  /** A dry run writes nothing where others look. */
  async #leaveFolder(): Promise<void> {
    if (!this.#options.dryRun || this.#temporary !== null) return;
    this.#temporary = await mkdtemp(join(tmpdir(), "deadwax-dry-run-"));
    this.#folder = await this.#folder.movedTo(this.#temporary);
  }

  #stateOf(dataType: DataType): number {
    const state = this.#states.get(dataType);
    if (state === undefined) throw new DumpError("INTERNAL", `the state of ${dataType} was not opened; please report it`);
    return state.id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("aborted", "it ended before every file was read to its end");
    await this.#lease?.[Symbol.asyncDispose]();
    await this.#session[Symbol.asyncDispose]();
    if (this.#temporary !== null) await rm(this.#temporary, { recursive: true, force: true });
  }
}

async function abandonRuns(client: PostgresClient, states: ReadonlyMap<DataType, StoredState>, warn: (text: string) => void): Promise<void> {
  for (const [dataType, { id }] of states) {
    const aborted = await abortOrphans(client, id);
    if (aborted > 0) warn(`${dataType}: a run ended without a word; it is written down as aborted`);
  }
}

function eventsOf(warn: (text: string) => void): SessionEvents {
  return {
    lost: (reason) => warn(`the connection to the database of the state is lost: ${reason}`),
    reconnecting: () => {},
    connected: () => {},
    blocked: (reason) => warn(`the database of the state: ${reason}`),
    unblocked: () => {},
  };
}

function dataTypeOf({ file }: Pick<Generation, "file">): DataType {
  return file.slice(0, file.indexOf(".")) as DataType;
}
