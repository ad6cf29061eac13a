/** What the state marker says is still to be done. */
import type { Checkpoint } from "../model.ts";
import { sourceChange } from "./identity.ts";
import type { Marker, SourceState } from "./marker.ts";
import { activeFiles, fileState, progressEntry } from "./runs.ts";

/** `skip`: nothing to do. `continue`: verify, then do the pending files. `reprocess`: apply the event of that name first. */
export type Decision = "skip" | "continue" | "reprocess";

export interface DecideOptions {
  readonly force: boolean;
  /** The version's files where they are known before deciding. */
  readonly files?: readonly string[];
}

/**
 * Upstream's table, top to bottom, with two additions. A file with a checkpoint counts like a completed one where the download did
 * not end: upstream has no checkpoints, and starting over would throw away what a crash while verifying has not touched. And a
 * completed version with a file that is not is no reason to skip that file: the run before was asked for fewer.
 */
export function decide(marker: Marker, { force, files = [] }: DecideOptions): Decision {
  if (force) return "reprocess";
  const { download_phase: download, processing_phase: processing, summary } = marker;
  if (download.status === "failed" || download.status === "in_progress") return hasProgress(marker) ? "continue" : "reprocess";
  if (processing.status === "failed" || processing.status === "in_progress") return "continue";
  if (summary.overall_status !== "completed") return "continue";
  return isForeign(marker) || pendingFiles(marker, files).length === 0 ? "skip" : "continue";
}

/** Nothing in the active run is of our own making: what upstream calls completed is, whether it names files or not. */
function isForeign(marker: Marker): boolean {
  return Object.values(activeFiles(marker)).every(({ source }) => source === null);
}

/** Those of `files` that are not completed, in their order. */
export function pendingFiles(marker: Marker, files: readonly string[]): string[] {
  return files.filter((file) => progressEntry(marker, file)?.status !== "completed");
}

/** Records of the active run that were rejected. Unless it is 0 the version must not be announced as complete. */
export function rejectedRecords(marker: Marker): number {
  return Object.values(activeFiles(marker)).reduce((sum, { counts }) => sum + counts.rejected, 0);
}

/**
 * `complete-with-rejects`: every file is done and none is to be published again, but consumers must not hear that the version is
 * complete; the overall status stays `in_progress`, so that a restart ends here again.
 */
export type Outcome = "open" | "complete" | "complete-with-rejects";

/** How far the active run has come with `files`; a reject in any file of the run counts, since it is the version that is announced. */
export function outcome(marker: Marker, files: readonly string[]): Outcome {
  if (pendingFiles(marker, files).length > 0) return "open";
  return rejectedRecords(marker) > 0 ? "complete-with-rejects" : "complete";
}

export type ResumeInfo =
  | { readonly kind: "done" }
  /** Go on from the checkpoint; `batches` were sent before it. */
  | { readonly kind: "resume"; readonly checkpoint: Checkpoint; readonly batches: number }
  /** Begin with the first record; `reason` says why a saved checkpoint is not used, null if there is none. */
  | { readonly kind: "fresh"; readonly reason: string | null };

/** How to go about `file`, which now consists of `source`. */
export function resumeInfo(marker: Marker, file: string, source: SourceState): ResumeInfo {
  const known = fileState(marker, file);
  if (known === null) return { kind: "fresh", reason: null };
  const entry = progressEntry(marker, file);
  if (known.status !== "completed" && known.checkpoint === null) return { kind: "fresh", reason: null };
  const change = sourceChange(known, source, entry?.source_checksum ?? null);
  if (change !== null) return { kind: "fresh", reason: change };
  if (known.checkpoint === null) return { kind: "done" };
  return { kind: "resume", checkpoint: known.checkpoint, batches: entry?.batches_sent ?? 0 };
}

function hasProgress(marker: Marker): boolean {
  const completed = Object.values(marker.processing_phase.progress_by_file).some(({ status }) => status === "completed");
  return completed || Object.values(activeFiles(marker)).some(({ checkpoint }) => checkpoint !== null);
}
