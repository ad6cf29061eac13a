/** What happens in a run, as the state marker hears of it. */
import type { Checkpoint, Counts, DataType, LedgerPosition } from "../model.ts";
import type { DeletionsState, SourceState } from "./marker.ts";

export const PHASES = ["download", "processing", "publishing"] as const;
/** A phase of a version that can fail. */
export type Phase = (typeof PHASES)[number];

export type StateEvent =
  /** Everything is to be done again: forced, or because the download came to nothing. */
  | { readonly type: "reprocess" }
  | { readonly type: "download-started"; readonly filesTotal: number }
  | { readonly type: "file-download-started"; readonly file: string }
  /** The file is there and (if `source.verified`) sound; comes for each file in each run, after a download or instead of one. */
  | { readonly type: "file-present"; readonly file: string; readonly dataType: DataType; readonly source: SourceState }
  | { readonly type: "download-completed" }
  /** Processing starts or goes on; `filesTotal` counts all files, those completed earlier too. */
  | { readonly type: "processing-started"; readonly filesTotal: number }
  /** `resumed`: from its checkpoint, else from its first record. */
  | { readonly type: "file-started"; readonly file: string; readonly dataType: DataType; readonly source: SourceState; readonly resumed: boolean }
  /** The sink has made everything before the checkpoint durable; `batches` counts from the file's beginning. */
  | { readonly type: "progress"; readonly file: string; readonly checkpoint: Checkpoint; readonly batches: number }
  /** The sink has completed the file; counts and digest are those of the whole file. */
  | {
      readonly type: "file-completed";
      readonly file: string;
      readonly counts: Counts;
      readonly digest: string;
      readonly ledger: LedgerPosition | null;
      readonly batches: number;
    }
  /** What was found in the file is not settled: it is to be read again. */
  | { readonly type: "file-reopened"; readonly file: string }
  /** The sink has made tombstones durable. */
  | { readonly type: "deletions-progressed"; readonly file: string; readonly deletions: DeletionsState }
  | { readonly type: "processing-completed" }
  /** The version was announced to consumers, or there is nobody to tell. Never sent for a version with rejects. */
  | { readonly type: "publishing-completed" }
  /** A phase failed, because of `file` if it is given. */
  | { readonly type: "phase-failed"; readonly phase: Phase; readonly error: string; readonly file?: string };
