import { join } from "node:path";
import { fault } from "#fault";
import type { Destination } from "../destination.ts";
import { DumpError } from "../errors.ts";
import { CHANGE_TYPES, type Checkpoint, type Counts, type DataType, sameIdentity } from "../model.ts";
import type { ParsedPiece, PieceStream } from "../parse/piece-stream.ts";
import type { ParsePool } from "../parse/pool.ts";
import { runFile } from "../pipeline.ts";
import type { Sink } from "../sink/sink.ts";
import type { InputFile } from "../source/inputs.ts";
import type { SourceState } from "../state/marker.ts";
import type { StateStore } from "../state/store.ts";
import type { FileOutcome } from "../tally.ts";
import type { Telemetry } from "../telemetry.ts";
import type { VersionChanges } from "./changes.ts";
import { holdsCheckpoint, type Logs, type OpenTypes, openDestination, rejectsFolder } from "./destination.ts";
import type { ExtractRequest, TypeReport } from "./request.ts";
import { type TypeChanges, typed } from "./type-changes.ts";

const UPDATED = CHANGE_TYPES.indexOf("updated");

/** What the files of a run share. */
export interface RunContext {
  readonly request: ExtractRequest;
  readonly pool: ParsePool;
  readonly sink: Sink;
  readonly store: StateStore | null;
  /** Handle of the compiled data quality rules. */
  readonly rules: number | null;
  readonly types: OpenTypes;
  /** What is found of the version; null in normal mode. */
  readonly changes: VersionChanges | null;
  readonly telemetry: Telemetry;
  readonly stopping: AbortSignal;
  readonly signal: AbortSignal;
}

/** A file's outcome and what is reported of it. */
export interface FileResult {
  readonly outcome: FileOutcome;
  readonly report: TypeReport;
}

/** Brings one file into the sink, from its checkpoint if there is one that still holds. */
export async function extractFile(input: InputFile, source: SourceState | null, run: RunContext): Promise<FileResult> {
  const { request, pool, sink, store, telemetry, stopping, signal } = run;
  const { name } = input;
  const logs = logsOf(run);
  const started = performance.now();
  const { checkpoint: from, batches, opened, dataType: known } = await resumePoint(input, source, logs, run);
  await using _held = opened ?? nothing;
  const begin = async (dataType: DataType) => {
    if (source === null || store === null) return;
    // Where only the root element tells the type, this is the first place that knows it.
    if (input.dataType === null) await store.apply({ type: "file-present", file: name, dataType, source });
    await store.apply({ type: "file-started", file: name, dataType, source, resumed: from !== null });
  };
  if (known !== null) await begin(known);
  const changes = run.changes === null ? null : from === null ? await run.changes.begin(typed(input), source) : run.changes.of(typed(input).dataType);
  telemetry.fileStarted(
    name,
    known,
    from === null ? null : { ordinal: from.ordinal, offset: from.resume.recordOffset, compressedBytes: from.resume.compressedOffset },
  );
  let sent = batches;
  await using pieces = pool.pull(name, {
    ...sourceOptions(request),
    rules: run.rules,
    path: input.path,
    dataType: input.dataType,
    resume: from?.resume ?? null,
    detect: changes?.detect ?? null,
  });
  assertVerified(name, source, pieces);
  // A run with checkpoints goes on to the next one; others, and whatever is broken off, end where they are.
  const stop = () => pieces.stop();
  const reasons = store === null ? [stopping, signal] : [signal];
  for (const reason of reasons) reason.addEventListener("abort", stop);
  using _deaf = {
    [Symbol.dispose]: () => {
      for (const reason of reasons) reason.removeEventListener("abort", stop);
    },
  };
  if (reasons.some((reason) => reason.aborted)) stop();
  const outcome = await runFile(
    {
      name,
      version: request.version,
      contract: request.contract,
      pieces: changes === null ? pieces : changes.record(pieces),
      from,
      limit: request.limit,
      rejectsMax: request.limits.rejectsMax,
      batchRecords: request.incremental?.batchRecords ?? null,
      corrections: changes === null ? null : () => corrections(input, source, changes, run),
      verified: source?.verified === true && request.verify !== "stream",
      open: async (dataType) => {
        claim(run, dataType, name);
        if (opened !== null) return opened;
        if (known === null) await begin(dataType);
        return openDestination(sink, { version: request.version, dataType, contract: request.contract, stream: "records" }, logs, null, signal);
      },
      onAccepted: (accepted) => {
        sent += Math.ceil(accepted.written / (request.incremental?.batchRecords ?? Math.max(accepted.written, 1)));
        telemetry.batchWritten(name, accepted, logs.rejects !== null);
      },
      assertSame: () => assertVerified(name, source, pieces),
      save:
        store === null
          ? null
          : async (checkpoint) => {
              await changes?.ledger.sync();
              await store.apply({ type: "progress", file: name, checkpoint, batches: sent });
              telemetry.checkpointSaved(name, { ordinal: checkpoint.ordinal, offset: checkpoint.resume.recordOffset });
            },
    },
    stopping,
    signal,
  );
  const seconds = (performance.now() - started) / 1000;
  if (outcome.how === "end" && source?.verified && store !== null) {
    await changes?.ledger.sync();
    const { counts, digest } = outcome;
    const ledger = changes?.ledger.position ?? null;
    await store.apply({ type: "file-completed", file: name, counts, digest, ledger, batches: sent });
    fault("file-saved");
  }
  if (outcome.how !== "stopped") telemetry.fileCompleted(name, seconds);
  return { outcome, report: toReport(outcome, from, seconds, run) };
}

/** A second reading of the file for the records whose id came several times and of which not the last was delivered last; hardly ever any. */
async function* corrections(
  input: InputFile,
  source: SourceState | null,
  changes: TypeChanges,
  { request, pool, rules }: RunContext,
): AsyncGenerator<ParsedPiece> {
  const only = changes.ledger.corrections();
  if (only.length === 0) return;
  // Where every record is delivered, the last one of an id was delivered last.
  if (request.incremental === null) return changes.ledger.corrected();
  // What was held back so far makes downstream another only now.
  await changes.ledger.sync();
  await changes.delivering("records");
  await using pieces = pool.pull(input.name, { ...sourceOptions(request), rules, path: input.path, dataType: input.dataType, resume: null, only });
  assertVerified(input.name, source, pieces);
  const { run } = changes.ledger;
  for await (const piece of pieces) {
    yield { ...piece, changes: { run, kinds: new Uint8Array(piece.records).fill(UPDATED) }, ledger: changes.ledger.position };
  }
  changes.ledger.corrected();
}

/** What is read must be what was verified: the opened file, not what its path leads to by now. */
export function assertVerified(name: string, source: SourceState | null, pieces: PieceStream): void {
  if (source === null || !source.verified || sameIdentity(source, pieces.identity())) return;
  throw new DumpError("SOURCE_CHANGED", `${name}: changed since it was verified; run again once nothing writes to it`);
}

/** Where a run keeps what it does not deliver; one that only looks keeps nothing. */
function logsOf({ request, sink, telemetry }: RunContext): Logs {
  const { version, rules } = request;
  if (request.incremental?.dryRun) return { rejects: null, flagged: null, onReport: () => {} };
  const flagged = (dataType: DataType) => {
    const folder = join(rules?.flaggedRoot ?? ".", "flagged", version, dataType);
    return { folder, version, dataType, rules: rules?.rules.rules[dataType] ?? [] };
  };
  return {
    rejects: rejectsFolder(sink, version, request.stateRoot),
    flagged: rules === null ? null : flagged,
    onReport: (report) => {
      if (!report.isClean) telemetry.qualityReported(report.text);
    },
  };
}

const nothing: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} };

/** The checkpoint to go on from, with the destination opened behind it, and the data type as far as it is known. */
async function resumePoint(
  input: InputFile,
  source: SourceState | null,
  logs: Logs,
  { request, sink, store, types, changes, telemetry, signal }: RunContext,
): Promise<{ checkpoint: Checkpoint | null; batches: number; opened: Destination | null; dataType: DataType | null }> {
  const fresh = { checkpoint: null, batches: 0, opened: null, dataType: input.dataType };
  if (source === null || store === null || request.force) return fresh;
  const resume = store.resume(input.name, source);
  if (resume.kind !== "resume") return fresh;
  const dataType = input.dataType ?? store.fileState(input.name)?.dataType ?? null;
  if (dataType === null) return fresh;
  const { ledger } = resume.checkpoint;
  if (changes !== null && (ledger === null || !(await changes.resume(typed(input), source, ledger)))) return fresh;
  claim({ types }, dataType, input.name);
  const target = { version: request.version, dataType, contract: request.contract, stream: "records" } as const;
  const opened = await holdsCheckpoint(sink, target, logs, resume.checkpoint, signal);
  if (opened === null) {
    telemetry.warned(`${input.name}: ${sink.name} no longer holds what the last checkpoint vouches for; extracting from the first record`);
    return fresh;
  }
  return { checkpoint: resume.checkpoint, batches: resume.batches, opened, dataType };
}

function claim({ types }: Pick<RunContext, "types">, dataType: DataType, name: string): void {
  const holder = types.claim(dataType, name);
  if (holder !== null) throw new DumpError("CONFIG_INVALID", `${holder} and ${name} both hold ${dataType}; extract them one at a time`);
}

type SourceSettings = Pick<ExtractRequest, "contract" | "backend" | "checkpointRecords" | "checkpointMs" | "limits" | "stateRoot">;

export function sourceOptions({ contract, backend, checkpointRecords, checkpointMs, limits, stateRoot }: SourceSettings) {
  const { rejectsMax: _, ...native } = limits;
  if (stateRoot === null) return { contract, backend, ...native, checkpointRecords: 0, checkpointMs: 0 };
  // While one checkpoint is saved records flow on to the next: half the interval from each to the next makes a whole one.
  return { contract, backend, ...native, checkpointRecords: Math.ceil(checkpointRecords / 2), checkpointMs: Math.ceil(checkpointMs / 2) };
}

function toReport({ counts, xmlBytes, inflatedOffset, digest }: FileOutcome, from: Checkpoint | null, seconds: number, run: RunContext): TypeReport {
  return {
    ...reportedCounts(counts, run.request),
    xmlBytes,
    inflatedBytes: inflatedOffset - (from?.resume.inflatedOffset ?? 0),
    seconds: Math.round(seconds * 1000) / 1000,
    threads: run.pool.threads,
    digest,
    resumedFrom: from === null ? null : { ordinal: from.ordinal, offset: from.resume.recordOffset },
  };
}

/** The counts that a report gives; only rules can skip records. */
export function reportedCounts({ read, written, rejected, empty, skipped }: Counts, { rules }: Pick<ExtractRequest, "rules">) {
  return { read, written, rejected, empty, ...(rules === null ? {} : { skipped }) };
}
