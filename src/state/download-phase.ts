/** Transitions while the dump's files are fetched and verified. */
import { sameIdentity } from "../model.ts";
import type { StateEvent } from "./events.ts";
import { sourceChange } from "./identity.ts";
import { type DownloadEntry, type Marker, pendingDownload, type SourceState } from "./marker.ts";
import { withoutProgress } from "./processing-phase.ts";
import { fileState, pendingFile, progressEntry, withFileState } from "./runs.ts";

type EventOf<T extends StateEvent["type"]> = Extract<StateEvent, { type: T }>;

const PENDING_ENTRY: DownloadEntry = { status: "pending", bytes_downloaded: 0, started_at: null, completed_at: null, checksum: null };

/** Comes in every run: what is on disk is looked at anew. Errors of earlier attempts stay. */
export function downloadStarted(marker: Marker, { filesTotal }: EventOf<"download-started">, time: string): Marker {
  const { errors } = marker.download_phase;
  return {
    ...marker,
    download_phase: { ...pendingDownload(), status: "in_progress", started_at: time, files_total: filesTotal, errors },
  };
}

export function fileDownloadStarted(marker: Marker, { file }: EventOf<"file-download-started">, time: string): Marker {
  return withDownload(marker, file, { ...PENDING_ENTRY, status: "in_progress", started_at: time });
}

/** Records the bytes that are there; a checkpoint or a completion that was made of other bytes is dropped (provenance). */
export function filePresent(marker: Marker, { file, dataType, source }: EventOf<"file-present">, time: string): Marker {
  const entry = marker.download_phase.downloads_by_file[file] ?? PENDING_ENTRY;
  const present = withDownload(marker, file, {
    status: "completed",
    bytes_downloaded: source.size,
    started_at: entry.started_at ?? time,
    completed_at: time,
    checksum: source.sha256,
  });
  const known = fileState(marker, file);
  if (known === null) return withFileState(present, file, pendingFile(dataType, source));
  if (provenanceChange(marker, file, source) === null) {
    return withFileState(present, file, { ...known, dataType, source: withKnownFacts(source, known.source) });
  }
  return withoutProgress(withFileState(present, file, pendingFile(dataType, source)), file, dataType);
}

export function downloadCompleted(marker: Marker, time: string): Marker {
  return { ...marker, download_phase: { ...marker.download_phase, status: "completed", completed_at: time } };
}

/** Why `source` is not what the file's progress so far was made of, or null. */
export function provenanceChange(marker: Marker, file: string, source: SourceState): string | null {
  const known = fileState(marker, file);
  if (known === null || (known.status !== "completed" && known.checkpoint === null)) return null;
  return sourceChange(known, source, progressEntry(marker, file)?.source_checksum ?? null);
}

/** What was found out earlier about the very same file is not forgotten. */
function withKnownFacts(source: SourceState, known: SourceState | null): SourceState {
  if (known === null || !sameIdentity(known, source)) return source;
  return { ...source, sha256: source.sha256 ?? known.sha256, verified: source.verified || known.verified };
}

function withDownload(marker: Marker, file: string, entry: DownloadEntry): Marker {
  const downloads = { ...marker.download_phase.downloads_by_file, [file]: entry };
  const completed = Object.values(downloads).filter(({ status }) => status === "completed");
  return {
    ...marker,
    download_phase: {
      ...marker.download_phase,
      files_downloaded: completed.length,
      bytes_downloaded: completed.reduce((sum, { bytes_downloaded }) => sum + bytes_downloaded, 0),
      downloads_by_file: downloads,
    },
  };
}
