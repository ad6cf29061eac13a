/** The sums that the marker keeps beside its parts. */
import type { Marker } from "./marker.ts";

/** The marker with the totals of processing and publishing summed anew over its files. */
export function withTotals(marker: Marker): Marker {
  const entries = Object.values(marker.processing_phase.progress_by_file);
  const sum = (field: "records_extracted" | "messages_published" | "batches_sent") => entries.reduce((total, entry) => total + entry[field], 0);
  return {
    ...marker,
    processing_phase: {
      ...marker.processing_phase,
      files_processed: entries.filter(({ status }) => status === "completed").length,
      records_extracted: sum("records_extracted"),
    },
    publishing_phase: { ...marker.publishing_phase, messages_published: sum("messages_published"), batches_sent: sum("batches_sent") },
  };
}
