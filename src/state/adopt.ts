/** What an upstream installation without markers has finished, as its `.processing_state.json` says. */
import { DATA_TYPES } from "../model.ts";
import type { Marker, ProgressEntry, Status } from "./marker.ts";
import { withTotals } from "./totals.ts";

/** The marker with those of `files` completed that belong to its version; nothing is known of their records. */
export function adoptFinished(marker: Marker, files: Iterable<string>, time: string): Marker {
  const entry: ProgressEntry = {
    status: "completed",
    records_extracted: 0,
    messages_published: 0,
    batches_sent: 0,
    started_at: time,
    completed_at: time,
    source_checksum: null,
  };
  const names = DATA_TYPES.map((type) => [type, `discogs_${marker.current_version}_${type}.xml.gz`] as const);
  const finished = new Set(files);
  const adopted = names.filter(([, name]) => finished.has(name));
  if (adopted.length === 0) return marker;
  const { processing_phase: processing, summary } = marker;
  // Nothing is left to do or to tell: the contract of these consumers has no message for the end of a version.
  const done = adopted.length === names.length;
  const byType = Object.fromEntries(adopted.map(([type]): [string, Status] => [type, "completed"]));
  return withTotals({
    ...marker,
    processing_phase: {
      ...processing,
      status: done ? "completed" : "in_progress",
      started_at: time,
      completed_at: done ? time : null,
      files_total: names.length,
      progress_by_file: { ...processing.progress_by_file, ...Object.fromEntries(adopted.map(([, name]) => [name, entry])) },
    },
    publishing_phase: { ...marker.publishing_phase, status: done ? "completed" : "pending" },
    summary: { ...summary, overall_status: done ? "completed" : "in_progress", files_by_type: { ...summary.files_by_type, ...byType } },
  });
}
