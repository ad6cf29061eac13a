/**
 * The state marker `.extraction_status_<version>.json` as types.
 *
 * Its snake_case part is upstream's, field for field and in upstream's order: an upstream reader refuses a marker in which one is
 * missing. Everything of our own is under the one key `deadwax`, which upstream ignores. The upstream part describes one run, the
 * active one; what it said of other runs (another sink, contract or rules) is parked in their own parts until they are active again.
 */
import type { Checkpoint, Contract, Counts, DataType, FileIdentity, LedgerPosition, Mode, SinkPosition } from "../model.ts";

/** Version of our own part; a marker with a greater one is refused, an older one would be upgraded by a pure function. */
export const MARKER_VERSION = 1;
/** Upstream's version of its part. */
export const METADATA_VERSION = "1.0";
/** A larger marker file is not read. */
export const MARKER_BYTES_MAX = 16 * 1024 * 1024;
/** Most runs kept in one marker; the one that was not used for the longest time goes first. */
export const RUNS_MAX = 16;
/** Most errors kept for a phase; the oldest go first. */
export const PHASE_ERRORS_MAX = 20;
/** Most characters of one error that are kept. */
export const ERROR_TEXT_CHARS_MAX = 500;

export const STATUSES = ["pending", "in_progress", "completed", "failed"] as const;
/** How far a phase, a file or the whole version has come. */
export type Status = (typeof STATUSES)[number];

export interface DownloadEntry {
  readonly status: Status;
  readonly bytes_downloaded: number;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly checksum: string | null;
}

export interface DownloadPhase {
  readonly status: Status;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly files_downloaded: number;
  readonly files_total: number;
  readonly bytes_downloaded: number;
  readonly downloads_by_file: Readonly<Record<string, DownloadEntry>>;
  readonly errors: readonly string[];
}

export interface ProgressEntry {
  readonly status: Status;
  readonly records_extracted: number;
  readonly messages_published: number;
  readonly batches_sent: number;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly source_checksum: string | null;
}

export interface ProcessingPhase {
  readonly status: Status;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly files_processed: number;
  readonly files_total: number;
  readonly records_extracted: number;
  readonly current_file: string | null;
  readonly progress_by_file: Readonly<Record<string, ProgressEntry>>;
  readonly errors: readonly string[];
}

export interface PublishingPhase {
  readonly status: Status;
  readonly messages_published: number;
  readonly batches_sent: number;
  readonly errors: readonly string[];
  readonly last_amqp_heartbeat: string | null;
}

export interface Summary {
  readonly overall_status: Status;
  readonly total_duration_seconds: number | null;
  readonly files_by_type: Readonly<Record<string, Status>>;
}

/** The phases that belong to a run; the download phase belongs to the version. */
export interface RunPhases {
  readonly processing_phase: ProcessingPhase;
  readonly publishing_phase: PublishingPhase;
  readonly summary: Summary;
}

/** The bytes a file's records come from. */
export interface SourceState extends FileIdentity {
  /** Of the compressed bytes, or null if nobody computed it. */
  readonly sha256: string | null;
  /** Whether the file with this identity was verified as a whole. */
  readonly verified: boolean;
}

/** What we know of one file in one run. */
export interface FileState {
  readonly dataType: DataType | null;
  /** Null if upstream processed the file. */
  readonly source: SourceState | null;
  readonly status: Status;
  /** Where to go on; null before the first checkpoint and once the file is completed. */
  readonly checkpoint: Checkpoint | null;
  /** As of the checkpoint, or final once completed. */
  readonly counts: Counts;
  /** Likewise; null if upstream processed the file. */
  readonly digest: string | null;
  /** Likewise; null where changes are not looked for. */
  readonly ledger: LedgerPosition | null;
  /** How far the records that the file no longer has were deleted; null before the first. */
  readonly deletions: DeletionsState | null;
}

/** Where to go on with tombstones. */
export interface DeletionsState {
  /** Position in the ledger's list of what is gone. */
  readonly upTo: number;
  /** Tombstones before it. */
  readonly sent: number;
  /** Null: nothing is known to have arrived. */
  readonly sink: SinkPosition | null;
}

/** Where records go and in what form: state of one key says nothing about another. */
export interface RunKey {
  readonly mode: Mode;
  readonly sink: string;
  readonly contract: Contract;
  readonly rulesDigest: string | null;
}

/** The state of one run key. */
export interface RunState extends RunKey {
  /** When the run was made active last. */
  readonly lastUsed: string;
  readonly files: Readonly<Record<string, FileState>>;
  /** The upstream part as this run left it; null while the run is active. */
  readonly parked: RunPhases | null;
}

/** Our part of the marker. On disk it also carries `checksum`, which is made on writing and checked on reading. */
export interface OwnState {
  readonly markerVersion: typeof MARKER_VERSION;
  /** Key in `runs` of the run that the upstream part describes; null only in a marker that upstream wrote or that is new. */
  readonly active: string | null;
  readonly runs: Readonly<Record<string, RunState>>;
}

export interface Marker extends RunPhases {
  readonly metadata_version: string;
  readonly last_updated: string;
  readonly current_version: string;
  readonly download_phase: DownloadPhase;
  readonly processing_phase: ProcessingPhase;
  readonly publishing_phase: PublishingPhase;
  readonly summary: Summary;
  readonly deadwax: OwnState;
}

export const NO_COUNTS: Counts = { read: 0, written: 0, rejected: 0, empty: 0, skipped: 0, unchanged: 0, unknownIds: 0 };

/** A download phase in which nothing has happened. */
export function pendingDownload(): DownloadPhase {
  return {
    status: "pending",
    started_at: null,
    completed_at: null,
    files_downloaded: 0,
    files_total: 0,
    bytes_downloaded: 0,
    downloads_by_file: {},
    errors: [],
  };
}

/** The phases of a run in which nothing has happened. */
export function pendingPhases(): RunPhases {
  return {
    processing_phase: {
      status: "pending",
      started_at: null,
      completed_at: null,
      files_processed: 0,
      files_total: 0,
      records_extracted: 0,
      current_file: null,
      progress_by_file: {},
      errors: [],
    },
    publishing_phase: { status: "pending", messages_published: 0, batches_sent: 0, errors: [], last_amqp_heartbeat: null },
    summary: { overall_status: "pending", total_duration_seconds: null, files_by_type: {} },
  };
}

/** The marker of a version that nobody has worked on. */
export function newMarker(version: string, now: Date): Marker {
  return {
    metadata_version: METADATA_VERSION,
    last_updated: now.toISOString(),
    current_version: version,
    download_phase: pendingDownload(),
    ...pendingPhases(),
    deadwax: { markerVersion: MARKER_VERSION, active: null, runs: {} },
  };
}
