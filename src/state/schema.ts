/** The marker's shape as zod sees it: `markerSchema` for what we write and read back, `upstreamSchema` for what upstream wrote. */
import { z } from "zod";
import { type Checkpoint, CONTRACTS, DATA_TYPES, MODES } from "../model.ts";
import { type FileState, MARKER_VERSION, type Marker, METADATA_VERSION, type OwnState, type RunState, STATUSES } from "./marker.ts";

/** Most characters of a checkpoint's window: 32 KiB that deflate could not shrink, in base64, and some room. */
const WINDOW_CHARS_MAX = 64 * 1024;
/** Most bits of one byte that can be left over. */
const BITS_MAX = 7;
const CRC_MAX = 0xffffffff;
const NO_TIME = "1970-01-01T00:00:00Z";

const count = z.int().nonnegative();
const status = z.enum(STATUSES);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const decimal = z.string().regex(/^-?\d{1,20}$/);
const time = z.iso.datetime();

// ── what we write ──

const downloadPhase = z.strictObject({
  status,
  started_at: time.nullable(),
  completed_at: time.nullable(),
  files_downloaded: count,
  files_total: count,
  bytes_downloaded: count,
  downloads_by_file: z.record(
    z.string(),
    z.strictObject({
      status,
      bytes_downloaded: count,
      started_at: time.nullable(),
      completed_at: time.nullable(),
      checksum: sha256.nullable(),
    }),
  ),
  errors: z.array(z.string()),
});

const phases = {
  processing_phase: z.strictObject({
    status,
    started_at: time.nullable(),
    completed_at: time.nullable(),
    files_processed: count,
    files_total: count,
    records_extracted: count,
    current_file: z.string().nullable(),
    progress_by_file: z.record(
      z.string(),
      z.strictObject({
        status,
        records_extracted: count,
        messages_published: count,
        batches_sent: count,
        started_at: time.nullable(),
        completed_at: time.nullable(),
        source_checksum: sha256.nullable(),
      }),
    ),
    errors: z.array(z.string()),
  }),
  publishing_phase: z.strictObject({
    status,
    messages_published: count,
    batches_sent: count,
    errors: z.array(z.string()),
    last_amqp_heartbeat: time.nullable(),
  }),
  summary: z.strictObject({
    overall_status: status,
    total_duration_seconds: z.number().nonnegative().nullable(),
    files_by_type: z.record(z.string(), status),
  }),
};

/** Older markers know no rules, and so nothing of what these keep back or flag. */
const counts = z.strictObject({
  read: count,
  written: count,
  rejected: count,
  empty: count,
  skipped: count.default(0),
  unchanged: count.default(0),
  unknownIds: count,
});
const flaggedBytes = z.strictObject({ violations: count, skips: count }).default({ violations: 0, skips: 0 });

const sinkPosition = z.record(z.string(), z.union([z.number(), z.string()]));
/** Older markers know of no changes. */
const ledger = z.strictObject({ run: z.uuid(), bytes: count }).nullable().default(null);

const checkpoint: z.ZodType<Checkpoint> = z.strictObject({
  resume: z.strictObject({
    compressedOffset: count,
    bits: count.max(BITS_MAX),
    memberCrc: count.max(CRC_MAX),
    memberBytes: count,
    inflatedOffset: count,
    window: z.base64().max(WINDOW_CHARS_MAX),
    recordOffset: count,
    rootName: z.string(),
    lineForm: z.string().nullable(),
  }),
  ordinal: count,
  lastId: z.string().nullable(),
  counts,
  digest: sha256,
  sink: sinkPosition,
  ledger,
  rejectBytes: count,
  flaggedBytes,
});

const file: z.ZodType<FileState> = z.strictObject({
  dataType: z.enum(DATA_TYPES).nullable(),
  source: z
    .strictObject({
      sha256: sha256.nullable(),
      device: decimal,
      inode: decimal,
      size: count,
      mtimeNs: decimal,
      ctimeNs: decimal,
      verified: z.boolean(),
    })
    .nullable(),
  status,
  checkpoint: checkpoint.nullable(),
  counts,
  digest: sha256.nullable(),
  ledger,
  deletions: z.strictObject({ upTo: count, sent: count, sink: sinkPosition.nullable() }).nullable().default(null),
});

const run: z.ZodType<RunState> = z.strictObject({
  mode: z.enum(MODES).default("normal"),
  sink: z.string(),
  contract: z.enum(CONTRACTS),
  rulesDigest: z.string().nullable(),
  lastUsed: time,
  files: z.record(z.string(), file),
  parked: z.strictObject(phases).nullable(),
});

const own: z.ZodType<OwnState> = z
  .strictObject({
    markerVersion: z.literal(MARKER_VERSION),
    active: z.string().nullable(),
    runs: z.record(z.string(), run),
  })
  .refine(({ active, runs }) => (active === null ? Object.keys(runs).length === 0 : Object.hasOwn(runs, active)), "active names no run");

/** A marker as we write it: every field, nothing else. */
export const markerSchema: z.ZodType<Marker> = z.strictObject({
  metadata_version: z.string(),
  last_updated: time,
  current_version: z.string(),
  download_phase: downloadPhase,
  ...phases,
  deadwax: own,
});

// ── what upstream wrote, in any of its generations: missing fields have defaults, unknown ones are dropped ──

const anyCount = count.default(0);
const anyStatus = status.default("pending");
/** Python's `+00:00` becomes `Z`; what is no time is no reason to publish files again. */
const anyTime = z.iso
  .datetime({ offset: true })
  .transform((text) => (text.endsWith("Z") ? text : new Date(text).toISOString()))
  .nullable()
  .default(null)
  .catch(null);
/** An unreadable checksum is an unknown one. */
const anySha256 = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(sha256)
  .nullable()
  .default(null)
  .catch(null);
const anyErrors = z.array(z.string()).default([]);

/** A marker without our part; gives one with an empty part, to be adopted by the run that opens it. */
export const upstreamSchema = z
  .object({
    last_updated: anyTime,
    current_version: z.string(),
    download_phase: z
      .object({
        status: anyStatus,
        started_at: anyTime,
        completed_at: anyTime,
        files_downloaded: anyCount,
        files_total: anyCount,
        bytes_downloaded: anyCount,
        downloads_by_file: z
          .record(z.string(), z.object({ status: anyStatus, bytes_downloaded: anyCount, started_at: anyTime, completed_at: anyTime, checksum: anySha256 }))
          .default({}),
        errors: anyErrors,
      })
      .prefault({}),
    processing_phase: z
      .object({
        status: anyStatus,
        started_at: anyTime,
        completed_at: anyTime,
        files_processed: anyCount,
        files_total: anyCount,
        records_extracted: anyCount,
        current_file: z.string().nullable().default(null),
        progress_by_file: z
          .record(
            z.string(),
            z.object({
              status: anyStatus,
              records_extracted: anyCount,
              messages_published: anyCount,
              batches_sent: anyCount,
              started_at: anyTime,
              completed_at: anyTime,
              source_checksum: anySha256,
            }),
          )
          .default({}),
        errors: anyErrors,
      })
      .prefault({}),
    publishing_phase: z
      .object({
        status: anyStatus,
        messages_published: anyCount,
        batches_sent: anyCount,
        errors: anyErrors,
        last_amqp_heartbeat: anyTime,
      })
      .prefault({}),
    summary: z
      .object({
        overall_status: anyStatus,
        total_duration_seconds: z.number().nonnegative().nullable().default(null),
        files_by_type: z.record(z.string(), status).default({}),
      })
      .prefault({}),
  })
  .transform(
    (read): Marker => ({
      metadata_version: METADATA_VERSION, // of what we write from here on
      ...read,
      processing_phase: { ...read.processing_phase, started_at: read.processing_phase.started_at ?? firstTime(read.processing_phase.progress_by_file) },
      last_updated: read.last_updated ?? NO_TIME,
      deadwax: { markerVersion: MARKER_VERSION, active: null, runs: {} },
    }),
  );

/**
 * When a version was begun of which only its files tell: consumers remove what is older than this time, so that one that is not known is the
 * earliest there is, and never now. Null where no file has come anywhere.
 */
function firstTime(files: Readonly<Record<string, { readonly status: string; readonly started_at: string | null }>>): string | null {
  const begun = Object.values(files).filter(({ status }) => status !== "pending");
  if (begun.length === 0) return null;
  const times = begun.map(({ started_at }) => started_at ?? NO_TIME);
  return times.sort((a, b) => Date.parse(a) - Date.parse(b))[0] ?? NO_TIME;
}
