/** Phases of a version: all files are verified, then all are extracted, several at once. */
import { DumpError } from "../errors.ts";
import type { DataType } from "../model.ts";
import type { InputFile } from "../source/inputs.ts";
import type { SourceState } from "../state/marker.ts";
import { extractFile, type FileResult, type RunContext } from "./extract-file.ts";
import { mapBounded } from "./map-bounded.ts";
import type { TypeReport } from "./request.ts";
import { ensureSound, verifyStreamed } from "./verify-files.ts";

/** Runs the files of a phase; the marker says when it begins and, unless the run was stopped, when it is over. */
export async function inPhase<T>({ store, request, stopping }: RunContext, phase: "download" | "processing", work: () => Promise<T>): Promise<T> {
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

export async function verifyAll(todo: readonly InputFile[], run: RunContext): Promise<Map<string, SourceState | null>> {
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

export async function extractAll(
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
