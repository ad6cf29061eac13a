import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { ParsePool } from "../parse/pool.ts";
import { openSinks, outputFolder, outputName } from "../sink/index.ts";
import type { Outcome } from "../state/decide.ts";
import { lockRoot } from "../state/lock.ts";
import { StateStore } from "../state/store.ts";
import type { Telemetry } from "../telemetry.ts";
import { announce } from "./announce.ts";
import { VersionChanges } from "./changes.ts";
import { addKnown, doubtedFiles, lostFiles } from "./completed.ts";
import { concludeChanges } from "./conclude.ts";
import { OpenTypes } from "./destination.ts";
import type { RunContext } from "./extract-file.ts";
import { doubtOthers, hasAnyIndex } from "./known-indexes.ts";
import { extractAll, inPhase, verifyAll } from "./phases.ts";
import type { ExtractReport, ExtractRequest, TypeReport } from "./request.ts";
import { compileRules } from "./rules.ts";

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
    if (request.incremental === null) await announce(types, run);
    await store?.apply({ type: "publishing-completed" });
  }
  const clean = Object.values(types).every((type) => type.rejected === 0);
  const all = Object.keys(types).length === request.inputs.length;
  const complete = all && clean && !stopping.aborted && request.limit === null && request.verify !== "stream" && outcome !== "open" && held.length === 0;
  return { version: request.version, contract: request.contract, ...(request.incremental === null ? {} : { mode: "incremental" as const }), complete, types };
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
