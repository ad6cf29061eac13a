/**
 * The state marker's life: `transition(marker, event, now)` is pure, writing the result is the store's business.
 *
 *     download    pending → in_progress → completed          again in every run
 *     processing  pending → in_progress → completed          a failed or reopened one goes on with in_progress
 *     publishing  pending → in_progress → completed          completed only if every record was delivered
 *     overall     pending → in_progress → completed          from `processing-started` to `publishing-completed`
 *
 * Each phase, and with it the overall status, can become `failed`, with time and text in its `errors`.
 */
import assert from "node:assert/strict";
import { rejectedRecords } from "./decide.ts";
import { downloadCompleted, downloadStarted, fileDownloadStarted, filePresent } from "./download-phase.ts";
import type { Phase, StateEvent } from "./events.ts";
import { ERROR_TEXT_CHARS_MAX, type Marker, PHASE_ERRORS_MAX } from "./marker.ts";
import { oneLine } from "./one-line.ts";
import {
  deletionsProgressed,
  fileCompleted,
  fileFailed,
  fileReopened,
  fileStarted,
  processingCompleted,
  processingStarted,
  progressed,
} from "./processing-phase.ts";
import { restartRun } from "./runs.ts";

/** The marker after `event`. */
export function transition(marker: Marker, event: StateEvent, now: Date): Marker {
  const time = now.toISOString();
  return { ...after(marker, event, time), last_updated: time };
}

function after(marker: Marker, event: StateEvent, time: string): Marker {
  switch (event.type) {
    case "reprocess":
      return restartRun(marker);
    case "download-started":
      return downloadStarted(marker, event, time);
    case "file-download-started":
      return fileDownloadStarted(marker, event, time);
    case "file-present":
      return filePresent(marker, event, time);
    case "download-completed":
      return downloadCompleted(marker, time);
    case "processing-started":
      return processingStarted(marker, event, time);
    case "file-started":
      return fileStarted(marker, event, time);
    case "progress":
      return progressed(marker, event, time);
    case "file-completed":
      return fileCompleted(marker, event, time);
    case "file-reopened":
      return fileReopened(marker, event);
    case "deletions-progressed":
      return deletionsProgressed(marker, event);
    case "processing-completed":
      return processingCompleted(marker, time);
    case "publishing-completed":
      return publishingCompleted(marker);
    case "phase-failed":
      return phaseFailed(marker, event.phase, event.error, event.file ?? null, time);
  }
  return event satisfies never;
}

function publishingCompleted(marker: Marker): Marker {
  const rejected = rejectedRecords(marker);
  assert(rejected === 0, `a version with ${rejected} rejected records must not be announced as complete`);
  return {
    ...marker,
    publishing_phase: { ...marker.publishing_phase, status: "completed" },
    summary: {
      ...marker.summary,
      overall_status: "completed",
      total_duration_seconds: wholeSeconds(marker.download_phase.started_at, marker.processing_phase.completed_at),
    },
  };
}

function phaseFailed(marker: Marker, phase: Phase, error: string, file: string | null, time: string): Marker {
  const text = `${time} ${oneLine(error, ERROR_TEXT_CHARS_MAX)}`;
  const failed = <P extends { readonly errors: readonly string[] }>(part: P) => ({
    ...part,
    status: "failed" as const,
    errors: [...part.errors, text].slice(-PHASE_ERRORS_MAX),
  });
  const before: Marker = { ...marker, summary: { ...marker.summary, overall_status: "failed" } };
  switch (phase) {
    case "download":
      return { ...before, download_phase: failed(withDownloadFailed(marker.download_phase, file)) };
    case "processing": {
      const next = file === null ? before : fileFailed(before, file);
      return { ...next, processing_phase: failed(next.processing_phase) };
    }
    case "publishing":
      return { ...before, publishing_phase: failed(marker.publishing_phase) };
  }
  return phase satisfies never;
}

function withDownloadFailed(phase: Marker["download_phase"], file: string | null): Marker["download_phase"] {
  const entry = file === null ? undefined : phase.downloads_by_file[file];
  if (file === null || entry === undefined) return phase;
  return { ...phase, downloads_by_file: { ...phase.downloads_by_file, [file]: { ...entry, status: "failed" } } };
}

function wholeSeconds(from: string | null, to: string | null): number | null {
  if (from === null || to === null) return null;
  return Math.max(0, Math.floor((Date.parse(to) - Date.parse(from)) / 1000));
}
