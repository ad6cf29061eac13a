/** Transitions while records are read and handed to the sink. Records and messages are those that the sink has accepted for good. */
import assert from "node:assert/strict";
import type { StateEvent } from "./events.ts";
import type { FileState, Marker, ProgressEntry, Status } from "./marker.ts";
import { fileState, pendingFile, progressEntry, withFileState } from "./runs.ts";
import { withTotals } from "./totals.ts";

type EventOf<T extends StateEvent["type"]> = Extract<StateEvent, { type: T }>;

/** From the beginning, or on from where an earlier run stopped or failed. */
export function processingStarted(marker: Marker, { filesTotal }: EventOf<"processing-started">, time: string): Marker {
  const { processing_phase: processing, publishing_phase: publishing, summary } = marker;
  return {
    ...marker,
    processing_phase: {
      ...processing,
      status: "in_progress",
      started_at: processing.started_at ?? time,
      completed_at: null,
      files_total: filesTotal,
    },
    publishing_phase: publishing.status === "failed" ? { ...publishing, status: "in_progress" } : publishing,
    summary: { ...summary, overall_status: "in_progress", total_duration_seconds: null },
  };
}

export function fileStarted(marker: Marker, event: EventOf<"file-started">, time: string): Marker {
  const { file, dataType, source, resumed } = event;
  const known = fileState(marker, file);
  const entry = progressEntry(marker, file);
  assert(!resumed || known?.checkpoint, `${file} cannot be resumed without a checkpoint`);
  const state: FileState = { ...(resumed && known ? known : pendingFile(dataType, source)), source, status: "in_progress" };
  const started = withProgress(marker, file, state, {
    status: "in_progress",
    records_extracted: state.counts.written,
    messages_published: state.counts.written,
    batches_sent: resumed ? (entry?.batches_sent ?? 0) : 0,
    started_at: (resumed ? entry?.started_at : null) ?? time,
    completed_at: null,
    source_checksum: source.sha256,
  });
  return { ...started, processing_phase: { ...started.processing_phase, current_file: file } };
}

export function progressed(marker: Marker, { file, checkpoint, batches }: EventOf<"progress">, time: string): Marker {
  const { state, entry } = started(marker, file);
  const before = state.checkpoint?.ordinal ?? 0;
  assert(checkpoint.ordinal >= before, `checkpoint of ${file} went back from record ${before} to ${checkpoint.ordinal}`);
  const { counts, digest, ledger } = checkpoint;
  const next = withProgress(
    marker,
    file,
    { ...state, checkpoint, counts, digest, ledger },
    { ...entry, records_extracted: counts.written, messages_published: counts.written, batches_sent: batches },
  );
  return {
    ...next,
    publishing_phase: { ...next.publishing_phase, status: "in_progress", last_amqp_heartbeat: time },
  };
}

export function fileCompleted(marker: Marker, event: EventOf<"file-completed">, time: string): Marker {
  const { file, counts, digest, ledger, batches } = event;
  const { state, entry } = started(marker, file);
  const next = withProgress(
    marker,
    file,
    { ...state, status: "completed", checkpoint: null, counts, digest, ledger },
    {
      ...entry,
      status: "completed",
      records_extracted: counts.written,
      messages_published: counts.written,
      batches_sent: batches,
      completed_at: time,
    },
  );
  const { processing_phase: processing } = next;
  const others = Object.entries(processing.progress_by_file).filter(([, { status }]) => status === "in_progress");
  const current = processing.current_file === file ? (others[0]?.[0] ?? null) : processing.current_file;
  return {
    ...next,
    processing_phase: { ...processing, current_file: current },
    publishing_phase: { ...next.publishing_phase, status: "in_progress", last_amqp_heartbeat: time },
  };
}

export function deletionsProgressed(marker: Marker, { file, deletions }: EventOf<"deletions-progressed">): Marker {
  const state = fileState(marker, file);
  assert(state?.status === "completed", `${file} was not completed`);
  return withFileState(marker, file, { ...state, deletions });
}

export function processingCompleted(marker: Marker, time: string): Marker {
  const { processing_phase: processing, summary } = marker;
  return {
    ...marker,
    processing_phase: { ...processing, status: "completed", completed_at: time, current_file: null },
    summary: { ...summary, overall_status: "in_progress" },
  };
}

export function fileReopened(marker: Marker, { file }: EventOf<"file-reopened">): Marker {
  const state = fileState(marker, file);
  assert(state?.dataType, `${file} was not processed`);
  return withoutProgress(withFileState(marker, file, pendingFile(state.dataType, state.source)), file, state.dataType);
}

/** The marker with a file as if its processing had never begun. */
export function withoutProgress(marker: Marker, file: string, dataType: string): Marker {
  const { processing_phase: processing, summary } = marker;
  const { [file]: _, ...others } = processing.progress_by_file;
  const reopened = processing.status === "completed" ? ({ status: "in_progress", completed_at: null } as const) : {};
  return withTotals({
    ...marker,
    processing_phase: { ...processing, ...reopened, progress_by_file: others },
    summary: {
      ...summary,
      overall_status: summary.overall_status === "completed" ? "in_progress" : summary.overall_status,
      files_by_type: { ...summary.files_by_type, [dataType]: "pending" },
    },
  });
}

/** The marker with a file marked as failed; its checkpoint stays, so that the next run goes on from there. */
export function fileFailed(marker: Marker, file: string): Marker {
  const state = fileState(marker, file);
  const entry = progressEntry(marker, file);
  if (state === null || entry === null) return marker; // it failed before it was started
  return withProgress(marker, file, { ...state, status: "failed" }, { ...entry, status: "failed" });
}

function started(marker: Marker, file: string): { state: FileState; entry: ProgressEntry } {
  const state = fileState(marker, file);
  const entry = progressEntry(marker, file);
  assert(state !== null && entry !== null && state.status === "in_progress", `${file} was not started`);
  return { state, entry };
}

function withProgress(marker: Marker, file: string, state: FileState, entry: ProgressEntry): Marker {
  const { processing_phase: processing, summary } = marker;
  const byType: Record<string, Status> = state.dataType === null ? {} : { [state.dataType]: entry.status };
  return withTotals({
    ...withFileState(marker, file, state),
    processing_phase: { ...processing, progress_by_file: { ...processing.progress_by_file, [file]: entry } },
    summary: { ...summary, files_by_type: { ...summary.files_by_type, ...byType } },
  });
}
