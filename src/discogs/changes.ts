import { randomUUID } from "node:crypto";
import { Ledger, OpenIndex } from "../change/ledger.ts";
import { type Generation, HASH_VERSION } from "../change/pointer.ts";
import { RecordIndex } from "../change/record-index.ts";
import { recorded } from "../change/recorded.ts";
import { type LedgerSubject, NEVER_ENDED, settleLedger, writeHeader } from "../change/superseded.ts";
import { DumpError, type ErrorCode } from "../errors.ts";
import type { ChangeRun, DataType, LedgerPosition } from "../model.ts";
import type { ParsedPiece } from "../parse/piece-stream.ts";
import type { PullRequest } from "../parse/pool.ts";
import type { InputFile } from "../source/inputs.ts";
import type { SourceState } from "../state/marker.ts";
import type { Telemetry } from "../telemetry.ts";
import type { ExtractRequest, IncrementalRequest } from "./request.ts";

/** Why a ledger cannot be gone on with, so that the file starts afresh. */
const RESTARTS: readonly ErrorCode[] = ["LEDGER_MISMATCH", "INDEX_CORRUPT", "INDEX_UNREADABLE"];

/** A dump whose data type is known before it is opened. */
type TypedInput = Pick<InputFile, "name"> & { readonly dataType: DataType };

/** One data type's changes on their way from the file to the next generation. */
export class TypeChanges implements Disposable {
  readonly dataType: DataType;
  /** Name of the dump. */
  readonly file: string;
  readonly index: OpenIndex | null;
  readonly ledger: Ledger;
  readonly generation: Generation | null;
  readonly #detect: NonNullable<PullRequest["detect"]>;

  constructor({ name: file, dataType }: TypedInput, generation: Generation | null, index: OpenIndex | null, ledger: Ledger, rulesDigest: string | null) {
    this.dataType = dataType;
    this.file = file;
    this.generation = generation;
    this.index = index;
    this.ledger = ledger;
    this.#detect = { ...(index === null ? {} : { index: index.handle }), trust: trustIn(generation, rulesDigest), publish: "changes" };
  }

  /** What the parser is to compare with. */
  get detect(): NonNullable<PullRequest["detect"]> {
    return this.#detect;
  }

  /** The pieces with their changes, each in the ledger before it is handed on. */
  record(pieces: AsyncIterable<ParsedPiece>): AsyncIterable<ParsedPiece> {
    return recorded(pieces, this.ledger, this.ledger.run);
  }

  [Symbol.dispose](): void {
    this.ledger[Symbol.dispose]();
    this.index?.[Symbol.dispose]();
  }
}

/** What a generation's fingerprints are worth: raw bytes tell only under the same rules, and hashes only where they are made in the same way. */
function trustIn(generation: Generation | null, rulesDigest: string | null): "raw" | "hash" | "rebase" {
  if (generation === null) return "raw";
  if (generation.hashVersion !== HASH_VERSION) return "rebase";
  return generation.rulesDigest === rulesDigest ? "raw" : "hash";
}

/** The changes of a version: what is known of each data type, and what this run finds. Disposing closes everything that is open. */
export class VersionChanges implements Disposable {
  readonly index: RecordIndex;
  readonly request: ExtractRequest;
  readonly options: IncrementalRequest;
  readonly #telemetry: Telemetry;
  readonly #open = new Map<DataType, TypeChanges>();

  private constructor(index: RecordIndex, request: ExtractRequest, options: IncrementalRequest, telemetry: Telemetry) {
    this.index = index;
    this.request = request;
    this.options = options;
    this.#telemetry = telemetry;
  }

  /** Reads what is known of the sink; null in normal mode. Throws SOURCE_OUTDATED where something later was delivered, unless forced. */
  static async open(request: ExtractRequest, telemetry: Telemetry): Promise<VersionChanges | null> {
    const { incremental, contract, version, force, inputs } = request;
    if (incremental === null) return null;
    const index = await RecordIndex.open(incremental.indexRoot, { sink: incremental.sinkName, contract });
    if (!incremental.dryRun) await index.makeFolder();
    for (const input of inputs) {
      const { name, dataType } = typed(input);
      const known = index.generation(dataType)?.version ?? version;
      if (known <= version || force) continue;
      const advice = "extract a later one, or with --force make this version what the sink has";
      throw new DumpError("SOURCE_OUTDATED", `${name}: ${known} of ${dataType} was delivered already, and ${version} is older; ${advice}`);
    }
    return new VersionChanges(index, request, incremental, telemetry);
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
  isRead(input: InputFile, source: SourceState | null, position: LedgerPosition | null): boolean {
    if (position === null) return false;
    const { dataType } = typed(input);
    return this.isConcluded(dataType, position) || this.resume(typed(input), source, position);
  }

  /** Data types whose changes are still to become part of the index. */
  get open(): readonly DataType[] {
    return [...this.#open.keys()];
  }

  /** Goes on where a ledger was; false, where it is no longer what it was, so that the file starts afresh. */
  resume(input: TypedInput, source: SourceState | null, position: LedgerPosition): boolean {
    const { dataType } = input;
    if (this.#open.has(dataType)) return true;
    try {
      this.#begin(input, source, position.run, position.bytes);
      return true;
    } catch (error) {
      if (!(error instanceof DumpError) || !RESTARTS.includes(error.code)) throw error;
      this.#telemetry.warned(`${dataType}: what the interrupted run has found cannot be used (${error.message}); extracting from the first record`);
      return false;
    }
  }

  /** Begins with the first record. What another run may have delivered and never ended with is folded into the index first. */
  async begin(input: TypedInput, source: SourceState | null): Promise<TypeChanges> {
    const { dataType } = input;
    this.#open.get(dataType)?.[Symbol.dispose]();
    this.#open.delete(dataType);
    const before = this.options.dryRun ? null : await settleLedger(this.index, this.#of(dataType, source), (text) => this.#telemetry.warned(text));
    return this.#begin(input, source, before ?? randomUUID(), null);
  }

  /** What a run is of: another one of the very same finds the very same. */
  #of(dataType: DataType, source: SourceState | null): LedgerSubject {
    const { rules, contract, version } = this.request;
    const index = this.index.generation(dataType)?.file ?? null;
    return { version, dataType, contract, rules: rules?.digest ?? null, hash: HASH_VERSION, index, source: bytesOf(source) };
  }

  #begin(input: TypedInput, source: SourceState | null, runId: string, at: number | null): TypeChanges {
    const { dataType } = input;
    const generation = this.index.generation(dataType);
    const run: ChangeRun = { id: runId, isBaseline: generation === null || generation.version === NEVER_ENDED };
    const header = writeHeader(runId, this.#of(dataType, source));
    const index = generation === null ? null : new OpenIndex(this.index.pathOf(generation));
    try {
      const path = this.options.dryRun ? null : this.index.ledgerPath(dataType);
      const changes = new TypeChanges(input, generation, index, Ledger.open({ path, index, run, header }, at), this.request.rules?.digest ?? null);
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
}

/** What is known of a data type is needed before the root element is read. */
export function typed({ name, dataType }: InputFile): TypedInput {
  if (dataType !== null) return { name, dataType };
  throw new DumpError("CONFIG_INVALID", `${name}: the name does not tell the data type; say with --type what it holds`);
}

/** The bytes of a file, as far as they are known. */
function bytesOf(source: SourceState | null): string | null {
  if (source === null) return null;
  return source.sha256 ?? `${source.device} ${source.inode} ${source.size} ${source.mtimeNs} ${source.ctimeNs}`;
}
