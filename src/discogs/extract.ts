import { fault } from "#fault";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { ParsePool } from "../parse/pool.ts";
import { openSinks, outputFolder, outputName } from "../sink/index.ts";
import type { InputFile } from "../source/inputs.ts";
import type { Outcome } from "../state/decide.ts";
import { lockRoot } from "../state/lock.ts";
import { NO_COUNTS, type SourceState } from "../state/marker.ts";
import { StateStore } from "../state/store.ts";
import type { Telemetry } from "../telemetry.ts";
import { VersionChanges } from "./changes.ts";
import { concludeChanges } from "./conclude.ts";
import { OpenTypes } from "./destination.ts";
import { extractFile, type FileResult, type RunContext, reportedCounts } from "./extract-file.ts";
import { doubtOthers, hasAnyIndex } from "./known-indexes.ts";
import { mapBounded } from "./map-bounded.ts";
import { doubtedFiles } from "./replaced.ts";
import type { ExtractReport, ExtractRequest, TypeReport } from "./request.ts";
import { compileRules } from "./rules.ts";
import { ensureSound, verifyStreamed } from "./verify-files.ts";

/** What the process lends a run: `stopping` asks to end at the next checkpoint, `signal` breaks off. */
export interface ExtractContext {
  readonly stopping: AbortSignal;
  readonly signal: AbortSignal;
  readonly telemetry: Telemetry;
}

/**
 * Brings one version into a sink: lock, state, verify every file, extract every file, complete. Throws the first {@link DumpError} once
 * all files have come as far as they can.
 */
export async function extract(request: ExtractRequest, context: ExtractContext): Promise<ExtractReport> {
  // Without a state there may be record indexes all the same.
  const root = request.stateRoot ?? (request.kept !== null && hasAnyIndex(request.kept) ? request.kept.indexRoot : null);
  await using _lock = root === null ? noLock : await lockRoot(root);
  return await extractLocked(request, context); // the lock is held until then
}

/** {@link extract} for who holds the lock of the root already. */
export async function extractLocked(request: ExtractRequest, { stopping, signal, telemetry }: ExtractContext): Promise<ExtractReport> {
  const { version, contract, stateRoot, threads, chunkBytes } = request;
  await using sink = openSinks(request.sinkUrls, (name) => telemetry.sinkEvents.of(name));
  const mode = request.incremental === null ? "normal" : "incremental";
  telemetry.runStarted({ version, mode, contract, sink: sink.name, threads, files: request.inputs });
  let ending: "complete" | "incomplete" | "stopped" | "failed" = "failed";
  try {
    await sink.check(signal);
    const key = { mode, sink: sink.name, contract, rulesDigest: request.rules?.digest ?? null } as const;
    const store = stateRoot === null ? null : await StateStore.open(stateRoot, version, key, { onWarning: (text) => telemetry.warned(text) });
    // Files are named by version and type, so that two contracts in one folder would overwrite each other.
    const files = outputFolder(sink, version) === null ? null : outputName(sink);
    const rival = files === null ? null : (store?.rival(files) ?? null);
    if (rival !== null && !request.force) {
      throw new DumpError("CONFIG_INVALID", `${files} holds version ${version} in the ${rival} contract; choose another --sink, or replace it with --force`);
    }
    await using changes = await VersionChanges.open(request, telemetry);
    using rules = compileRules(request.rules, contract);
    await using pool = new ParsePool({ threads, chunkBytes });
    const run: RunContext = { request, pool, sink, store, rules: rules?.handle ?? null, types: new OpenTypes(), changes, telemetry, stopping, signal };
    const report = await runToEnd(run);
    ending = stopping.aborted ? "stopped" : report.complete || request.verify === "stream" ? "complete" : "incomplete";
    return report;
  } catch (error) {
    if (stopping.aborted) ending = "stopped";
    throw error;
  } finally {
    telemetry.runEnded(ending);
  }
}

const STOPPED = "it was stopped; the next run goes on";
const noLock: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} };

/** A run whose changes were not concluded says why. */
async function runToEnd(run: RunContext): Promise<ExtractReport> {
  const { changes, stopping } = run;
  try {
    const report = await runVersion(run);
    await changes?.index.end("aborted", stopping.aborted ? STOPPED : "it ended before every file was read to its end");
    return report;
  } catch (error) {
    const [how, reason] = stopping.aborted ? (["aborted", STOPPED] as const) : (["failed", error instanceof Error ? error.message : String(error)] as const);
    await changes?.index.end(how, reason);
    throw error;
  }
}

async function runVersion(run: RunContext): Promise<ExtractReport> {
  const { request, store, telemetry, stopping } = run;
  const names = request.inputs.map((input) => input.name);
  const decision = store?.decide({ force: request.force, files: names }) ?? "continue";
  if (decision === "reprocess") await store?.apply({ type: "reprocess" });
  const doubted = await doubtedFiles(run);
  // Those whose bytes are others are pending afterwards.
  if (doubted.length > 0) await inPhase(run, "download", () => verifyAll(doubted, run));
  const isDoubted = doubted.length > 0 && stopping.aborted;
  const pending = new Set(store === null || request.force ? names : [...store.pendingFiles(names), ...(await lostFiles(run))]);
  const done = request.inputs.filter((input) => !pending.has(input.name));
  const types: Partial<Record<DataType, TypeReport>> = {};
  for (const input of done) {
    telemetry.fileSkipped(input.name);
    addKnown(types, input, run);
  }
  const todo = request.inputs.filter((input) => pending.has(input.name));
  if (todo.length > 0) {
    const sources = request.fetched ? await verifyAll(todo, run) : await inPhase(run, "download", () => verifyAll(todo, run));
    if (!stopping.aborted) {
      // Whoever looks for changes tells it with the first one.
      if (request.incremental === null) await doubtOthers(request, (text) => telemetry.warned(text));
      await inPhase(run, "processing", () => extractAll(todo, sources, types, run));
    }
  }
  const outcome = isDoubted ? "open" : (store?.outcome(names) ?? null);
  const held = await conclude(types, outcome, run);
  // What is held back is looked at again by the next run, which may be allowed to send it.
  for (const file of held) await store?.apply({ type: "file-reopened", file });
  if (outcome === "complete" && held.length === 0 && (decision !== "skip" || todo.length > 0)) {
    await store?.apply({ type: "processing-completed" });
    // Full-mode consumers take the announcement as a list of what there is, and drop the rest.
    if (request.incremental === null)
      await announce(types, run).catch(async (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        if (!run.signal.aborted) await store?.apply({ type: "phase-failed", phase: "publishing", error: message }).catch(() => {});
        throw error;
      });
    await store?.apply({ type: "publishing-completed" });
  }
  const clean = Object.values(types).every((type) => type.rejected === 0);
  const all = Object.keys(types).length === request.inputs.length;
  const complete = all && clean && !stopping.aborted && request.limit === null && request.verify !== "stream" && outcome !== "open" && held.length === 0;
  return { version: request.version, contract: request.contract, ...(request.incremental === null ? {} : { mode: "incremental" as const }), complete, types };
}

/** Tells consumers that the version is complete, if it is: all data types of it, not only those that this run was asked for. */
async function announce(types: Readonly<Partial<Record<DataType, TypeReport>>>, { request, store, sink, signal }: RunContext): Promise<void> {
  const { version, contract } = request;
  const startedAt = store?.marker.processing_phase.started_at ?? null;
  const counts = DATA_TYPES.map((type) => [type, recordsOf(types[type])] as const);
  if (counts.some(([, count]) => count === undefined)) return;
  // Consumers remove what is older: a version whose beginning is not known must not be announced.
  if (startedAt === null) throw new DumpError("INTERNAL", `version ${version}: the state does not say when it was begun; please report it`);
  const recordCounts = Object.fromEntries(counts) as Record<DataType, number>;
  await sink.announce({ version, contract, startedAt, recordCounts }, signal);
  fault("version-announced");
}

/** Records with a message, those that a rule skipped included, as at the end of each file. */
function recordsOf(type: TypeReport | undefined): number | undefined {
  return type === undefined ? undefined : type.written + (type.skipped ?? 0);
}

/**
 * Makes what was found part of the index, once every file was read to its end; resolves with the files of which deletions are held back. What
 * was found goes into the reports.
 */
async function conclude(types: Partial<Record<DataType, TypeReport>>, outcome: Outcome | null, run: RunContext): Promise<readonly string[]> {
  const { changes, request, stopping } = run;
  const reports = Object.values(types);
  if (changes === null || stopping.aborted || outcome === "open" || reports.length < request.inputs.length) return [];
  // What was not read as a whole and sound stays in the ledger: the next run that looks for changes takes it for what downstream may have.
  if (request.limit !== null || request.verify === "stream") return [];
  const rejected = reports.reduce((sum, report) => sum + report.rejected, 0);
  const doubt = rejected > 0 ? `${rejected} ${rejected === 1 ? "record was" : "records were"} rejected and may be among them` : null;
  const found = await concludeChanges(changes, doubt, run);
  if (request.incremental === null) return []; // what is gone is the next incremental run's
  for (const dataType of DATA_TYPES) {
    const [report, known] = [types[dataType], changes.index.generation(dataType)];
    if (report !== undefined) types[dataType] = { ...report, ...(found[dataType] ?? (known === null ? {} : { ...known.changes, pending: known.pending })) };
  }
  return request.inputs.filter(({ dataType }) => dataType !== null && (types[dataType]?.pending ?? 0) > 0).map(({ name }) => name);
}

/** Those of the completed files whose output has been removed since: they are extracted again. So are those whose changes the index lacks. */
async function lostFiles({ request, sink, store, changes, telemetry }: RunContext): Promise<string[]> {
  const { version, contract, inputs } = request;
  const lost: string[] = [];
  for (const input of inputs) {
    const { name } = input;
    const state = store?.fileState(name);
    if (state?.status !== "completed") continue;
    const isIncremental = changes !== null && request.incremental !== null;
    // Without a digest it was another program that completed it, somewhere else. Changes that the index knows may have been taken away since.
    const isOwed = state.digest !== null && state.dataType !== null && !(isIncremental && changes.isConcluded(state.dataType, state.ledger));
    if (isOwed && state.dataType !== null && !(await sink.holds({ version, contract, dataType: state.dataType, stream: "records" }))) {
      telemetry.warned(`${name} was extracted before, but ${sink.name} no longer holds its records; extracting it again`);
      lost.push(name);
    } else if (isIncremental) {
      if (!(await changes.isRead(input, state.source, state.ledger))) lost.push(name);
    } else await changes?.takeUp(input, state.source, state.ledger);
  }
  return lost;
}

/** Runs the files of a phase; the marker says when it begins and, unless the run was stopped, when it is over. */
async function inPhase<T>({ store, request, stopping }: RunContext, phase: "download" | "processing", work: () => Promise<T>): Promise<T> {
  const filesTotal = request.inputs.length;
  await store?.apply({ type: phase === "download" ? "download-started" : "processing-started", filesTotal });
  const result = await work();
  if (phase === "download" && !stopping.aborted) await store?.apply({ type: "download-completed" });
  return result;
}

/** Works on one file; its failure stands in the marker before it is told. Among several files it is logged at once, a lone one is told by whoever called. */
async function ofFile<T>(
  input: InputFile,
  phase: "download" | "processing",
  { store, request, telemetry, signal }: RunContext,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted) throw error;
    // A file that its sink does not take is neither processed nor published.
    const phases = error instanceof DumpError && error.code.startsWith("SINK_") ? ([phase, "publishing"] as const) : [phase];
    const message = error instanceof Error ? error.message : String(error);
    for (const failed of phases) {
      // The failure of the work is the one to tell, so that one to save it is left at that.
      await store?.apply({ type: "phase-failed", phase: failed, error: message, file: input.name }).catch(() => {});
    }
    if (error instanceof DumpError && request.inputs.length > 1) telemetry.fileFailed(input.name, error);
    throw error;
  }
}

async function verifyAll(todo: readonly InputFile[], run: RunContext): Promise<Map<string, SourceState | null>> {
  const { store, request, stopping, signal } = run;
  const sources = new Map<string, SourceState | null>();
  const work = (input: InputFile) =>
    ofFile(input, "download", run, async () => {
      const source = await ensureSound(input, { ...run, signal: AbortSignal.any([stopping, signal]) }).catch((error: unknown) => {
        if (stopping.aborted && !signal.aborted) return null; // nothing was begun that a restart would miss
        throw error;
      });
      if (source !== null && input.dataType !== null) await store?.apply({ type: "file-present", file: input.name, dataType: input.dataType, source });
      // What was known before of the very same file, such as its hash, the state has put together.
      sources.set(input.name, source === null ? null : (store?.fileState(input.name)?.source ?? source));
    });
  await mapBounded(todo, request.filesAtOnce, work);
  return sources;
}

async function extractAll(
  todo: readonly InputFile[],
  sources: ReadonlyMap<string, SourceState | null>,
  types: Partial<Record<DataType, TypeReport>>,
  run: RunContext,
): Promise<void> {
  const work = async (input: InputFile) => {
    if (run.stopping.aborted) return;
    const { outcome, report } = await ofFile(input, "processing", run, async (): Promise<FileResult> => {
      const result = await extractFile(input, sources.get(input.name) ?? null, run);
      if (run.request.verify === "stream" && result.outcome.how === "end") await verifyStreamed(input, run);
      return result;
    });
    if (outcome.dataType !== null) types[outcome.dataType] = report;
  };
  await mapBounded(todo, run.request.filesAtOnce, work);
}

/** The report of a file that an earlier run has completed. */
function addKnown(types: Partial<Record<DataType, TypeReport>>, input: InputFile, { request, store, pool }: RunContext): void {
  const state = store?.fileState(input.name);
  const dataType = state?.dataType ?? input.dataType;
  if (dataType === null || dataType === undefined) return;
  const counts = reportedCounts(state?.counts ?? NO_COUNTS, request);
  const digest = state?.digest ?? "0".repeat(64);
  types[dataType] = { ...counts, xmlBytes: 0, inflatedBytes: 0, seconds: 0, threads: pool.threads, digest, resumedFrom: null };
}
