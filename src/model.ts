/** The words of the project as types; see "Words" in CONTRIBUTING.md. */

export const DATA_TYPES = ["artists", "labels", "masters", "releases"] as const;
/** One of the four files of a dump. */
export type DataType = (typeof DATA_TYPES)[number];

export const CONTRACTS = ["topic", "fanout"] as const;
/** The dialect of the message bodies: `topic` keeps the XML's shape, `fanout` is normalised per data type. */
export type Contract = (typeof CONTRACTS)[number];

/** Where in a dump a record stands, enough to find it again. */
export interface RecordPosition {
  /** Zero-based number of the record in its file, counting every record read. */
  readonly ordinal: number;
  /** Byte offset of the record's `<` in the inflated XML. */
  readonly offset: number;
}

/** A record that could not be delivered, and why. */
export interface RejectedRecord {
  /** Byte offset of its first byte in the inflated XML. */
  readonly offset: number;
  /** Its id, if one could be read. */
  readonly id: string | null;
  /** A stable word for the fault, such as `end-tag-mismatch`. */
  readonly kind: string;
  /** The fault in words, with the byte offset where it was noticed. */
  readonly message: string;
  /** Its raw XML, lossily decoded and cut at the raw limit. */
  readonly raw: string;
}

/** A record that data quality rules skip, or report as more than an information. */
export interface FlaggedFile {
  /** Of its files, without an ending: what is safe of its id, so that several records may have the same. */
  readonly name: string;
  readonly xml: string;
  readonly json: string;
}

/** What data quality rules have found among records on their way to a sink. */
export interface Flagged {
  /** Records that are not delivered. */
  readonly skipped: number;
  /** JSON objects, one for each value that breaks a rule, each followed by one LF. */
  readonly violations: Uint8Array;
  /** The same for each record that is not delivered. */
  readonly skips: Uint8Array;
  readonly files: readonly FlaggedFile[];
  /** Violations by the rule's number among those of the data type; null where they are told by their lines alone. */
  readonly hits: readonly number[] | null;
}

/** Bytes of the logs of flagged records. */
export interface FlaggedBytes {
  readonly violations: number;
  readonly skips: number;
}

export const MODES = ["normal", "incremental"] as const;
/** `normal` delivers every record of a version, `incremental` only what has changed since the version before. */
export type Mode = (typeof MODES)[number];

export const CHANGE_TYPES = ["unchanged", "created", "updated", "deleted"] as const;
/** A record against what was delivered before; its place in the list is its number in {@link BatchChanges.kinds}. */
export type ChangeType = (typeof CHANGE_TYPES)[number];

/** The run that has found changes. */
export interface ChangeRun {
  /** A UUID, the same after a restart. */
  readonly id: string;
  /** Nothing was known of the data type before: every record is created, and nobody is notified of each. */
  readonly isBaseline: boolean;
}

/** How the records of a batch have changed. */
export interface BatchChanges {
  readonly run: ChangeRun;
  /** One number a body: its place in {@link CHANGE_TYPES}. */
  readonly kinds: Uint8Array;
}

/** Records of one data type on their way to a sink. */
export interface Batch {
  readonly version: string;
  readonly dataType: DataType;
  readonly contract: Contract;
  /** Number of messages of the file before the first one; with `version` and `dataType` it names each message stably, however the file is cut. */
  readonly firstOrdinal: number;
  /** Message bodies, each followed by one LF. Valid until `write` has resolved; may be shared memory. */
  readonly bytes: Uint8Array;
  /** End offset of each body in `bytes`, without its LF; ascending. */
  readonly ends: Uint32Array;
  readonly rejects: readonly RejectedRecord[];
  /** Null where changes are not looked for. */
  readonly changes: BatchChanges | null;
}

/** A record that is gone, as the bodies of the `deletions` stream say it. */
export interface Tombstone {
  readonly data_type: DataType;
  readonly record_id: string;
  readonly change_type: "deleted";
  readonly processing_run_id: string;
  /** ISO, in UTC. */
  readonly timestamp: string;
  /** The first 32 hex digits of the hash that it had when it was delivered; who has another one has a later record. */
  readonly hash: string;
}

/** What the bodies of a batch of the `deletions` stream say. */
export function tombstonesOf({ bytes, ends }: Pick<Batch, "bytes" | "ends">): Tombstone[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from(ends, (end, index) => JSON.parse(buffer.toString("utf8", startOf(ends, index), end)));
}

/** Where the body at an index begins, by the ends of all: behind the LF of the one before. */
export function startOf(ends: Uint32Array, index: number): number {
  return index === 0 ? 0 : (ends[index - 1] ?? 0) + 1;
}

/** What a sink needs to find its place again after a restart; plain JSON, kept in the checkpoint. */
export type SinkPosition = { readonly [key: string]: number | string };

const NAMES_TOGETHER = " + ";

/** One name for the sinks that get the same records, whatever their order. */
export function joinSinkNames(names: readonly string[]): string {
  return [...names].sort().join(NAMES_TOGETHER);
}

/** The names that {@link joinSinkNames} has put together. */
export function sinkNames(name: string): string[] {
  return name.split(NAMES_TOGETHER);
}

/** Whether something goes to one sink under both names. */
export function shareSink(one: string, other: string): boolean {
  const names = sinkNames(other);
  return sinkNames(one).some((name) => names.includes(name));
}

/** What was counted of one file so far. Conservation: `read` = `written` + `unchanged` + `rejected` + `empty` + `skipped`. */
export interface Counts {
  /** Counted by the splitter, before a record is parsed. */
  readonly read: number;
  /** Counted behind the sink's acceptance. */
  readonly written: number;
  readonly rejected: number;
  /** Records that are not objects, such as `<artist/>`; the contract has no message for them. */
  readonly empty: number;
  /** Records that data quality rules keep back. */
  readonly skipped: number;
  /** Records that are not delivered because they were before; only in incremental mode. */
  readonly unchanged: number;
  /** Of `written`: records without a usable id, delivered as `unknown`. */
  readonly unknownIds: number;
}

/** Everything the native inflater and splitter need to go on in the middle of a file. */
export interface ResumePoint {
  /** Byte offset in the compressed file of the first byte not yet wholly consumed; equals `inflatedOffset` for plain XML. */
  readonly compressedOffset: number;
  /** Bits of the byte before `compressedOffset` that are still to be used, 0 to 7. */
  readonly bits: number;
  /** CRC-32 of the gzip member's inflated bytes so far. */
  readonly memberCrc: number;
  /** Inflated bytes of the gzip member so far. */
  readonly memberBytes: number;
  /** Inflated bytes before this point. */
  readonly inflatedOffset: number;
  /** The last 32 KiB of inflated bytes, deflated (raw) and in base64; empty for plain XML. */
  readonly window: string;
  /** Offset in the inflated bytes of the first record boundary at or after this point. */
  readonly recordOffset: number;
  /** Name of the root element. */
  readonly rootName: string;
  /** The bytes from LF to `<` before the file's first record, or null if it did not start a line. */
  readonly lineForm: string | null;
}

/** How far the ledger of a file's changes goes, and of which run it is. */
export interface LedgerPosition {
  readonly run: string;
  readonly bytes: number;
}

/** The point up to which a sink has made everything durable, and how to go on from there. */
export interface Checkpoint {
  readonly resume: ResumePoint;
  /** Records read before the point: the ordinal of the next one. */
  readonly ordinal: number;
  /** Id of the last record written before the point. */
  readonly lastId: string | null;
  readonly counts: Counts;
  /** Order-free digest of what was written: 64 hex digits, see `digest` in the README. */
  readonly digest: string;
  readonly sink: SinkPosition;
  /** Of the records before the point; null where changes are not looked for. */
  readonly ledger: LedgerPosition | null;
  /** Bytes of the rejects file that belong to the records before the point. */
  readonly rejectBytes: number;
  /** Bytes of the logs of flagged records that belong to the records before the point. */
  readonly flaggedBytes: FlaggedBytes;
}

/** Tells whether a path still leads to the very bytes that were seen before; text where numbers may exceed 2^53. */
export interface FileIdentity {
  readonly device: string;
  readonly inode: string;
  readonly size: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}

/** Whether nothing about two identities differs, so that the bytes have not changed either. */
export function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return a.device === b.device && a.inode === b.inode && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

export const VERIFY_MODES = ["auto", "full", "stream"] as const;
/** `auto`: the published SHA-256, else a full pass over the gzip; `full`: always the pass, and the SHA-256 too; `stream`: only while reading. */
export type VerifyMode = (typeof VERIFY_MODES)[number];

export const BACKENDS = ["zlib-ng", "zlib-rs"] as const;
/** The library that inflates. */
export type Backend = (typeof BACKENDS)[number];
