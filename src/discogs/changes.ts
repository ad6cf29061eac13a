import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import type { IndexStore } from "../change/index-store.ts";
import { Ledger, OpenIndex } from "../change/ledger.ts";
import { HASH_VERSION } from "../change/pointer.ts";
import { PostgresIndex } from "../change/postgres-index.ts";
import { type IndexKey, RecordIndex } from "../change/record-index.ts";
import { type LedgerSubject, NEVER_ENDED, settleLedger, subjectOf, writeHeader } from "../change/superseded.ts";
import { DumpError, type ErrorCode } from "../errors.ts";
import { type ChangeRun, DATA_TYPES, type DataType, type LedgerPosition } from "../model.ts";
import type { InputFile } from "../source/inputs.ts";
import type { SourceState } from "../state/marker.ts";
import type { Telemetry } from "../telemetry.ts";
import { doubtOthers, hasIndex } from "./known-indexes.ts";
import type { ExtractRequest, IncrementalRequest, IndexPlace } from "./request.ts";
import { TypeChanges, type TypedInput, typed } from "./type-changes.ts";

/** Why a ledger cannot be gone on with, so that the file starts afresh. */
const RESTARTS: readonly ErrorCode[] = ["LEDGER_MISMATCH", "INDEX_CORRUPT", "INDEX_UNREADABLE"];

/** The changes of a version: what is known of each data type, and what this run finds. Disposing closes everything that is open. */
export class VersionChanges implements Disposable, AsyncDisposable {
  readonly index: IndexStore;
  readonly request: ExtractRequest;
  /** Null: every record is delivered, and the index only follows. */
  readonly options: IncrementalRequest | null;
  readonly dryRun: boolean;
  readonly #telemetry: Telemetry;
  readonly #open = new Map<DataType, TypeChanges>();
  /** Other indexes hear of it once that something is delivered. */
  #others: Promise<void> | null = null;

  private constructor(index: IndexStore, request: ExtractRequest, telemetry: Telemetry) {
    this.index = index;
    this.request = request;
    this.options = request.incremental;
    this.dryRun = request.incremental?.dryRun ?? false;
    this.#telemetry = telemetry;
  }

  /** Reads what is known of the sink; null in normal mode where that is nothing. Throws SOURCE_OUTDATED where something later was delivered, unless forced. */
  static async open(request: ExtractRequest, telemetry: Telemetry): Promise<VersionChanges | null> {
    const { incremental, version, force, inputs } = request;
    const place = incremental ?? request.kept;
    if (place === null || (incremental === null && !(await hasIndex(place, request, (text) => telemetry.warned(text))))) return null;
    const index = await openIndex(request, place, incremental?.dryRun ?? false, (text) => telemetry.warned(text));
    try {
      if (incremental === null) {
        if (DATA_TYPES.some((dataType) => index.generation(dataType) !== null)) return new VersionChanges(index, request, telemetry);
        await index[Symbol.asyncDispose]();
        return null;
      }
      if (!incremental.dryRun) await index.makeFolder();
      for (const input of inputs) {
        const { name, dataType } = typed(input);
        const known = index.generation(dataType)?.version ?? version;
        if (known <= version || force) continue;
        const advice = "extract a later one, or with --force make this version what the sink has";
        throw new DumpError("SOURCE_OUTDATED", `${name}: ${known} of ${dataType} was delivered already, and ${version} is older; ${advice}`);
      }
    } catch (error) {
      await index[Symbol.asyncDispose]();
      throw error;
    }
    return new VersionChanges(index, request, telemetry);
  }

  /** The changes of a data type that were begun or gone on with. */
  of(dataType: DataType): TypeChanges | null {
    return this.#open.get(dataType) ?? null;
  }

  /** Whether what a run has found is part of the last good generation. */
  isConcluded(dataType: DataType, position: LedgerPosition | null): boolean {
    const generation = this.index.generation(dataType);
    return position !== null && generation?.run === position.run && generation.version === this.request.version;
  }

  /** Whether a file that was read to its end is read for good: its changes are part of the index, or can be made it. */
  async isRead(input: InputFile, source: SourceState | null, position: LedgerPosition | null): Promise<boolean> {
    if (position === null) return false;
    const { dataType } = typed(input);
    const { pending = 0, doubted = false } = this.index.generation(dataType) ?? {};
    // Of deletions that are held back only the file tells whether they are still to be sent.
    if (this.isConcluded(dataType, position)) return pending === 0 && !doubted;
    return await this.resume(typed(input), source, position);
  }

  /** Where every record is delivered, a file that was read to its end is never read again for its changes' sake; what is still open of them is taken up. */
  async takeUp(input: InputFile, source: SourceState | null, position: LedgerPosition | null): Promise<void> {
    if (position === null || input.dataType === null || this.isConcluded(input.dataType, position)) return;
    await this.#resume(typed(input), source, position);
  }

  /** Data types whose changes are still to become part of the index, in the order of all. */
  get open(): readonly DataType[] {
    return DATA_TYPES.filter((dataType) => this.#open.has(dataType));
  }

  /** Goes on where a ledger was; false, where it is no longer what it was, so that the file starts afresh. */
  async resume(input: TypedInput, source: SourceState | null, position: LedgerPosition): Promise<boolean> {
    const fault = await this.#resume(input, source, position);
    if (fault === null) return true;
    this.#telemetry.warned(`${input.dataType}: what an earlier run has found cannot be used (${fault.message}); extracting from the first record`);
    return false;
  }

  async #resume(input: TypedInput, source: SourceState | null, position: LedgerPosition): Promise<DumpError | null> {
    if (this.#open.has(input.dataType)) return null;
    const path = this.index.ledgerPath(input.dataType);
    try {
      if (this.#isDoubted(input.dataType)) throw new DumpError("LEDGER_MISMATCH", "since then another run has delivered to a part of the sink");
      // Before anybody is told that the run goes on.
      if (!existsSync(path)) throw new DumpError("INDEX_UNREADABLE", `${path} is not there any more`);
      await this.#begin(input, source, position.run, position.bytes);
      return null;
    } catch (error) {
      if (!(error instanceof DumpError) || !RESTARTS.includes(error.code)) throw error;
      return error;
    }
  }

  /** Begins with the first record. What another run may have delivered and never ended with is folded into the index first. */
  async begin(input: TypedInput, source: SourceState | null): Promise<TypeChanges> {
    const { dataType } = input;
    this.#open.get(dataType)?.[Symbol.dispose]();
    this.#open.delete(dataType);
    if (this.dryRun) {
      if (this.#isDoubted(dataType)) this.#telemetry.warned(`${dataType}: all that is known is in doubt, so that a run would deliver everything once more`);
      // Looking into its ledger would change it.
      if (existsSync(this.index.ledgerPath(dataType)))
        this.#telemetry.warned(`${dataType}: an earlier run was broken off; what it may have delivered a run looks at anew too, and this does not tell of it`);
      return await this.#begin(input, source, randomUUID(), null);
    }
    const isDoubted = this.#isDoubted(dataType);
    const of = this.#of(dataType, source);
    // Held against other entries the same dump is another subject: what was delivered of it has to be known by then.
    const before = await settleLedger(this.index, isDoubted ? { ...of, index: null } : of, (text) => this.#telemetry.warned(text));
    // Unless what was left behind has put it in doubt already.
    if (this.#isDoubted(dataType)) await this.index.doubt(dataType);
    return await this.#begin(input, source, before ?? randomUUID(), null);
  }

  #isDoubted(dataType: DataType): boolean {
    return this.index.generation(dataType)?.doubted === true;
  }

  /** What a run is of: another one of the very same finds the very same. */
  #of(dataType: DataType, source: SourceState | null): LedgerSubject {
    const { rules, contract, version } = this.request;
    const index = this.index.generation(dataType)?.file ?? null;
    return { version, dataType, contract, rules: rules?.digest ?? null, hash: HASH_VERSION, index, source: bytesOf(source) };
  }

  async #begin(input: TypedInput, source: SourceState | null, runId: string, at: number | null): Promise<TypeChanges> {
    const { dataType, name } = input;
    const of = this.#of(dataType, source);
    const known = this.index.generation(dataType);
    const run: ChangeRun = { id: runId, isBaseline: known === null || known.version === NEVER_ENDED };
    const file = { name, sha256: source?.sha256 ?? null, bytes: source?.size ?? null };
    if (!this.dryRun) {
      await this.index.begin({ id: runId, dataType, version: of.version, subject: subjectOf(of), isBaseline: run.isBaseline, file });
    }
    const generation = this.index.generation(dataType);
    const index = generation === null ? null : new OpenIndex(this.index.pathOf(generation));
    try {
      const path = this.dryRun ? null : this.index.ledgerPath(dataType);
      const ledger = Ledger.open({ path, index, run, header: writeHeader(runId, of) }, at);
      const delivering = async (what: "records" | "deletions") => {
        this.#others ??= doubtOthers(this.request, (text) => this.#telemetry.warned(text));
        await this.#others;
        await this.index.delivering(dataType, what);
      };
      const publish = this.options === null ? "all" : "changes";
      const changes = new TypeChanges(input, { generation, index, ledger, rulesDigest: of.rules, publish, delivering });
      this.#open.set(dataType, changes);
      return changes;
    } catch (error) {
      index?.[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const changes of this.#open.values()) changes[Symbol.dispose]();
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    await this.index[Symbol.asyncDispose]();
  }
}

/** What is known of the sink, wherever that is kept. */
async function openIndex(
  { contract, inputs }: ExtractRequest,
  { indexRoot, sinkName: sink, ...how }: IndexPlace,
  dryRun: boolean,
  warn: (text: string) => void,
) {
  const key: IndexKey = { sink, contract };
  if (how.database === null) return await RecordIndex.open(indexRoot, key);
  const dataTypes = inputs.map((input) => typed(input).dataType);
  return await PostgresIndex.open({ config: how.database, indexRoot, key, dataTypes, dryRun, runsKept: how.changelogRuns, warn });
}

/** The bytes of a file, as far as they are known. */
function bytesOf(source: SourceState | null): string | null {
  if (source === null) return null;
  return source.sha256 ?? `${source.device} ${source.inode} ${source.size} ${source.mtimeNs} ${source.ctimeNs}`;
}
