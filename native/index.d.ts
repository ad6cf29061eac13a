/** The native core as JavaScript sees it; what may be null comes as null or is left out, and is given by leaving it out. Hand-written and reviewed as API; `native/src/binding.rs` and its siblings `binding_*.rs` are its other side. */

/** What a record index or a ledger can suffer; of `INDEX_*` and `STATE_TOO_NEW` the message names the file. `LEDGER_MISMATCH`: the ledger is of another run, or of another index. */
export type IndexFaultCode = "INDEX_CORRUPT" | "INDEX_UNREADABLE" | "INDEX_UNWRITABLE" | "INDEX_TOO_LARGE" | "STATE_TOO_NEW" | "LEDGER_MISMATCH";

/** Why native work failed for good: `code` is an error code of `src/errors.ts`, `offset` the inflated byte it was noticed at. */
export interface Fault {
  readonly code: "SOURCE_UNREADABLE" | "SOURCE_CORRUPT" | "SOURCE_MALFORMED" | "SOURCE_TOO_LARGE" | "SOURCE_CHANGED" | "INTERNAL" | IndexFaultCode;
  readonly message: string;
  readonly offset: number;
}

export interface ResumePoint {
  readonly compressedOffset: number;
  readonly bits: number;
  readonly memberCrc: number;
  readonly memberBytes: number;
  readonly inflatedOffset: number;
  readonly window: string;
  readonly recordOffset: number;
  readonly rootName: string;
  readonly lineForm?: string | null;
}

export interface SourceOptions {
  /** File to read; left out reads file descriptor 0. */
  readonly path?: string;
  /** `artists`, `labels`, `masters` or `releases`; left out takes it from the root element. */
  readonly dataType?: string;
  readonly contract: "topic" | "fanout";
  readonly backend: "zlib-ng" | "zlib-rs";
  /** Inflated bytes a piece aims at. */
  readonly chunkBytes: number;
  readonly recordBytesMax: number;
  readonly depthMax: number;
  readonly attributesMax: number;
  readonly nameBytesMax: number;
  readonly inflatedBytesMax: number;
  /** Most inflated bytes per compressed byte, looked at beyond 64 MiB. */
  readonly inflateRatioMax: number;
  /** Bytes of a rejected record's raw XML that are kept. */
  readonly rejectRawBytesMax: number;
  /** A checkpoint is due after so many records ... */
  readonly checkpointRecords: number;
  /** ... or so many milliseconds, whichever comes first; both 0: never. */
  readonly checkpointMs: number;
  /** A checkpoint is due after so many inflated bytes instead. */
  readonly accessBytes?: number;
  /** Go on here, instead of at the beginning. */
  readonly resume?: ResumePoint;
  /** Data quality rules to hold records against, from {@link compileRules}; only in the fanout contract. */
  readonly rules?: number;
  /** Hold each record against a record index. */
  readonly detect?: Detect;
  /** Ascending xxh3 (64 bits) of the records that are wanted: all others are passed over, rejects too. */
  readonly only?: BigUint64Array;
  /** Give out only records with these ids, none of which has to be there, and tell in {@link Piece.seen} what ids there are. */
  readonly ids?: readonly string[];
}

/** How records are held against what downstream has; see {@link Piece.logBytes}. */
export interface Detect {
  /** From {@link openIndex}; left out: downstream has nothing, and every record is created. */
  readonly index?: number;
  /**
   * `raw`: a record of the same bytes is unchanged, and not parsed. `hash`: rules have changed, so that all are parsed, and those with the
   * same canonical hash are unchanged. `rebase`: the canonical hash means something else now; the same bytes are unchanged and get the new hash.
   */
  readonly trust: "raw" | "hash" | "rebase";
  /** Which records have bodies: those that were created or updated, or all. */
  readonly publish: "changes" | "all";
}

export interface SourceInfo {
  readonly handle: number;
  /** Compressed size in bytes, or null for a pipe. */
  readonly size?: number | null;
}

export interface Reject {
  readonly offset: number;
  readonly id?: string | null;
  readonly kind: string;
  readonly message: string;
  readonly raw: string;
}

/** A record that rules skip, or report as more than an information. */
export interface FlaggedFile {
  /** Of its files, without an ending; several records may have the same. */
  readonly name: string;
  /** Rebuilt from the record as it was parsed. */
  readonly xml: string;
  /** Of the record behind the filters, pretty. */
  readonly json: string;
}

/** What rules have found in a piece, in the order of its records. */
export interface Flagged {
  /** JSON objects, each followed by a LF; each with the time at which the first of the piece was found. */
  readonly violations: Uint8Array;
  readonly skips: Uint8Array;
  readonly files: FlaggedFile[];
  /** Five numbers for each flagged record: bodies of the piece before it, 1 if it is skipped, and with it how many bytes of `violations`, bytes of `skips` and `files`. */
  readonly marks: Uint32Array;
  /** Violations by the rule's number among those of the data type; empty if there are none. */
  readonly hits: number[];
}

/** The ids of a piece, those of its rejects included. */
export interface SeenIds {
  /** Records with an id, rejects excluded. */
  readonly records: number;
  /** Smallest and largest id that is a canonical decimal below 2^53, if there is one. */
  readonly min?: number | null;
  readonly max?: number | null;
  /** Ids of any other kind. */
  readonly odd: number;
}

export interface Piece {
  /** Number of the piece in its file, from 0. */
  readonly seq: number;
  /** True for the last piece of a file that was read to a sound end; it may hold records. */
  readonly end: boolean;
  /** Set if the file failed; records before the fault are in this piece. Nothing follows. */
  readonly fault?: Fault | null;
  /** Inflated offset of the piece's first byte, and how many it covers. */
  readonly offset: number;
  readonly xmlBytes: number;
  /** Compressed bytes consumed so far, for progress. */
  readonly compressedBytes: number;
  /** Records in the piece: `records`, `unchanged`, `held`, `empty`, `skipped` and `rejects` are their sum. */
  readonly read: number;
  readonly empty: number;
  /** Records that rules keep back. */
  readonly skipped: number;
  /** Records without a body because they are what downstream has, or because `only` does not want them. */
  readonly unchanged: number;
  /** Records without a body because their id has come more than once: what differs then is decided at the end of the file. */
  readonly held: number;
  /** Bodies of records without an id. */
  readonly unknownIds: number;
  /** Bodies in the slot, and their total bytes with one LF each. */
  readonly records: number;
  readonly bytes: number;
  /** Byte offset in the slot of the table: columns ends u32[n], xmlBytes u32[n], xxh3 64 u64[n], xxh3 128 u8[16][n], sha256 u8[32][n], each 8-byte aligned; with `detect` also kinds u8[n]: 0 unchanged or undecided, 1 created, 2 updated. */
  readonly table: number;
  /** Set instead of using the slot when the piece is larger than it. */
  readonly own?: Uint8Array | null;
  /** Sum modulo 2^256, as 64 hex digits, of SHA-256(id, 0x00, sha256 in hex) over the bodies. */
  readonly digest: string;
  readonly lastId?: string | null;
  readonly rejects: Reject[];
  /** Set if rules have found anything. */
  readonly flagged?: Flagged | null;
  /** A point at or before this piece's end, if one was due: resume continues right behind this piece. */
  readonly resume?: ResumePoint | null;
  /** The data type, once the root element was seen. */
  readonly dataType?: string | null;
  /** With `detect`: bytes of the log, right behind the table: what became of each record, to be appended to the {@link openLedger ledger} in the order of pieces. */
  readonly logBytes?: number | null;
  /** Set if the source was opened with ids. */
  readonly seen?: SeenIds | null;
}

/** Compiles data quality rules, the canonical form of `src/config/rules-file.ts`. Throws with a JSON list of texts as message: all that is wrong. */
export function compileRules(json: string): number;
/** Sources that were opened with the rules keep them. */
export function closeRules(handle: number): void;

/** Opens a source, gzip or plain by its content; nothing of a fresh one is read yet. Throws with a JSON {@link Fault} as message if it cannot be read. */
export function openSource(options: SourceOptions): SourceInfo;
/** Pulls and parses the next piece into `slot`; blocks, so call it on a worker thread. After the end: a piece with `end` and nothing in it. */
export function pullPiece(handle: number, slot: Uint8Array): Piece;
/** Makes running and later pulls return soon; safe from any thread. */
export function stopSource(handle: number): void;
/** What an opened file is; size and the times tell whether it was written to. */
export interface SourceIdentity {
  readonly device: string;
  readonly inode: string;
  readonly size: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}
/** What the opened file is now. */
export function sourceIdentity(handle: number): SourceIdentity;
export function closeSource(handle: number): void;
/** Peak bytes that a source's native buffers held. */
export function sourceMemory(handle: number): number;

/** A record that was looked for. */
export interface FoundRecord {
  readonly id: string;
  /** Inflated offset of its `<`. */
  readonly offset: number;
  /** As it stands in the dump. */
  readonly xml: Buffer;
  /** The body that it is delivered as, without a LF; left out if a rule keeps it back. */
  readonly body?: Buffer | null;
}

export interface LookUpAnswer {
  readonly dataType?: string | null;
  /** In file order; an id may be there several times. */
  readonly records: FoundRecord[];
  /** Malformed records with an id that is looked for. */
  readonly rejects: Reject[];
  /** What the file was that all this was read from. */
  readonly identity: SourceIdentity;
}

/**
 * Reads from `resume`, or from the beginning, and gives the records with one of `ids` that begin before the inflated offset `to`
 * (Infinity: up to the end). Runs on a thread of Node's own. Rejects with a JSON {@link Fault} as message.
 */
export function lookUp(options: SourceOptions, to: number): Promise<LookUpAnswer>;

export interface VerifyOptions {
  readonly path: string;
  readonly backend: "zlib-ng" | "zlib-rs";
  /** Compute the SHA-256 of the file's bytes. */
  readonly sha256: boolean;
  /** Inflate everything, checking CRC and length of each member. */
  readonly inflate: boolean;
  readonly inflatedBytesMax: number;
  readonly inflateRatioMax: number;
}

export interface VerifyStep {
  readonly done: boolean;
  readonly fault?: Fault | null;
  readonly compressedBytes: number;
  readonly inflatedBytes: number;
  /** Lower-case hex, when done and asked for. */
  readonly sha256?: string | null;
}

/** Opens a file for verification. Throws with a JSON {@link Fault} as message if it cannot be read. */
export function openVerify(options: VerifyOptions): number;
/** Verifies about `bytes` more compressed bytes; blocks, so call it on a worker thread. */
export function verifyStep(handle: number, bytes: number): VerifyStep;
export function closeVerify(handle: number): void;

/** Takes an exclusive kernel lock on `path` (created if missing) and writes `holder` into it; returns a handle, or null with the lock held elsewhere. Throws with the system's code at the start of the message. */
export function lockFile(path: string, holder: string): number | null;
export function unlockFile(handle: number): void;

/** Counts the whole records at the start of `xml` (no root around them): [records, bytes]; [0, 0] if it takes more than the splitter to tell. */
export function splitRecords(xml: Uint8Array, dataType: string): [number, number];
/** Parses plain whole records that are at hand as bytes into `slot`. Throws if they are not plain. */
export function parseRecords(xml: Uint8Array, kind: { readonly dataType: string; readonly contract: "topic" | "fanout" }, slot: Uint8Array): Piece;

/** What the bodies of records say of themselves. */
export interface BodyKeys {
  /** PostgreSQL array literals with one element a body, `{1,2,"a\"b"}`; NULL where the body is bad. */
  readonly ids: string;
  readonly hashes: string;
  /** Each id as a number where it is canonical decimal below 2^53, else NaN. */
  readonly numbers: Float64Array;
  /** Bodies that cannot be stored, by index: no JSON object, no usable id (string or integer, 1..255 characters), no sha256 (string, 1..255 characters), too deep (more than 512). */
  readonly bad: { readonly index: number; readonly reason: string }[];
}

/**
 * The first `id` and `sha256` of bodies, each followed by one LF, `ends[i]` where body i ends without it. `check` holds whole bodies
 * against the grammar of JSON, for messages of other programs; else nothing behind the two is looked at. U+0000 and halves of
 * surrogate pairs are U+FFFD. Throws if the ends do not ascend within the bodies.
 */
export function bodyKeys(bodies: Uint8Array, ends: Uint32Array, check: boolean): BodyKeys;

export interface CopyRows {
  readonly bytes: Buffer;
  readonly rows: number;
  /** Rows in which U+0000 or halves of surrogate pairs became U+FFFD. */
  readonly replaced: number;
}

export interface CopyOptions {
  /** Indexes of the bodies, ascending; left out: all. */
  readonly which?: Uint32Array;
  /** The index of the body as a column in front. */
  readonly numbered: boolean;
  /** Releases: `year`, a number, and `artist` behind the members of the body. */
  readonly derive: boolean;
  /** The last year that is believed. */
  readonly yearMax: number;
}

/** Rows in the text format of COPY, `[index TAB] data_id TAB hash TAB data LF`; a body that {@link bodyKeys} calls bad without a check gives none. */
export function copyRows(bodies: Uint8Array, ends: Uint32Array, options: CopyOptions): CopyRows;

// The record index: what downstream has of a data type, as fingerprints by id. An id's key is the number that it is the canonical decimal
// of (below 2^53), else a hash of it. Everything here throws, or rejects with, a JSON {@link Fault} as message.

/** Opens an index file of {@link mergeIndex}; any thread may use the handle. A fault of a block shows when the block is entered. */
export function openIndex(path: string): number;
export interface IndexInfo {
  /** Entries: one an id, but where a run was superseded, several. */
  readonly records: number;
  /** Entries behind the first of their id. */
  readonly shared: number;
  readonly bytes: number;
  /** What the one who wrote it gave along. */
  readonly meta: string;
}
export function indexInfo(handle: number): IndexInfo;
/** Ledgers and sources that were opened with the index keep it. */
export function closeIndex(handle: number): void;
/** Reads and verifies the whole file; resolves with its entries. Runs on a thread of its own. */
export function verifyIndex(handle: number): Promise<number>;

export interface IndexEntries {
  /** Null: a record without an id. */
  readonly ids: (string | null)[];
  /** xxh3 of the record's raw XML; 0: not known. */
  readonly raws: BigUint64Array;
  /** First 16 bytes of its canonical SHA-256 each. */
  readonly hashes: Uint8Array;
  /** Bits: 1 the id came more than once in its dump, 2 dirty: equal to nothing, since downstream may have it or not, 4 a record without an id. */
  readonly flags: Uint8Array;
  /** Position to go on from; null at the end. */
  readonly next: number | null;
}
/** Up to `max` entries from a position, in the order of their keys. */
export function indexEntries(handle: number, from: number, max: number): IndexEntries;
/** The entries of one id: none, one, or several where a run was superseded. */
export function findEntries(handle: number, id: string): IndexEntries;

export interface IndexDifferences extends Omit<IndexEntries, "next"> {
  /** Of each entry: 0 the old index has it, 1 the new one. All entries of an id come together, those of the old index first. */
  readonly sides: Uint8Array;
  /** Where to go on in either; null at the end. */
  readonly next: { readonly old: number; readonly new: number } | null;
}
/**
 * What two indexes have of ids about which they differ, null being one without entries: about `max` ids from a place on (at first
 * `{ old: 0, new: 0 }`), in the order of their keys. Runs on a thread of its own.
 */
export function diffIndexes(
  older: number | null,
  newer: number | null,
  from: { readonly old: number; readonly new: number },
  max: number,
): Promise<IndexDifferences>;

export interface LedgerOptions {
  /** Left out: in memory only, for a dry run. */
  readonly path?: string;
  /** The index that pieces are held against, from {@link openIndex}; left out: none, everything is created. */
  readonly index?: number;
  /** Kept in a fresh ledger. One that goes on must have the same, else LEDGER_MISMATCH; left out there: any will do. */
  readonly header?: string;
  /** Goes on at this length of the ledger, what lies behind is cut off; -1: behind its last whole frame. Left out: afresh, whatever was there. */
  readonly length?: number;
}

/** What a ledger says of ids: an id counts once, by what its last record in the file is against the index. */
export interface LedgerCounts {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  /** Of the unchanged, those with other raw bytes. */
  readonly touched: number;
  /** Records whose id came before in this file; counted in nothing else. */
  readonly repeated: number;
  /** The ledger's length so far, in bytes, whether durable or not. */
  readonly length: number;
}

export interface LedgerInfo extends LedgerCounts {
  readonly header: string;
  /** Corrections were published. */
  readonly corrected: boolean;
  /** It went on at a length, or afresh: what had lain behind no longer counts, but a fold looks at it. */
  readonly rewound: boolean;
  /** Records without an id that have come, each content once. */
  readonly nameless: number;
  /** How far deletions are confirmed, or null if none was begun; see {@link markDeleted}. */
  readonly deletedUpTo: number | null;
}

/** Opens the ledger of one file and run, and replays it where it goes on; blocks for that long. */
export function openLedger(options: LedgerOptions): number;
/** Totals so far. */
export function ledgerCounts(handle: number): LedgerInfo;
/**
 * Takes in the frame of a piece ({@link Piece.logBytes}), in file order. Answers by how much the counts grow, which may be below zero: an id that
 * was unchanged is updated once it comes again with another content. Nothing is durable before {@link syncLedger}.
 */
export function appendLedger(handle: number, frame: Uint8Array): LedgerCounts;
/** Makes everything durable that was appended before the call; resolves with that length. Runs on a thread of its own. */
export function syncLedger(handle: number): Promise<number>;
/**
 * At the end of the file: the raw fingerprints, ascending, of records to publish once more, since an id came several times and not its
 * last record was published last. Make the ledger durable before. Empty once {@link markCorrected} was called.
 */
export function corrections(handle: number): BigUint64Array;
/** Says that the corrections were published. */
export function markCorrected(handle: number): void;

export interface Deletions {
  readonly ids: string[];
  /** First 32 hex digits of the SHA-256 that downstream has, or may have: an id may come several times, once with each. */
  readonly hashes: string[];
  /** Position to go on from; null at the end. */
  readonly next: number | null;
}
/** Ids of the index that have not come. Records without an id are not among them. */
export function deletionCount(handle: number): number;
/** Up to `max` of them, or a few more so that all hashes of an id come together, from a position; 0, or the ledger's `deletedUpTo`. */
export function deletions(handle: number, from: number, max: number): Deletions;
/** Says that the deletions before a position (`Deletions.next`; null: all) were confirmed. Call it with 0, and make it durable, before the first is published. */
export function markDeleted(handle: number, upTo: number | null): void;
/** What was not made durable is lost. */
export function closeLedger(handle: number): void;

export interface MergeOptions {
  /** A ledger with a path; what was appended is made durable first. It is merged into the index that it was opened with. */
  readonly ledger: number;
  /** The next index file; it appears in one step, durable. */
  readonly out: string;
  /** Kept in the file, see {@link IndexInfo}. */
  readonly meta: string;
  /**
   * Entries that were not seen: `keep` those whose deletion is not confirmed; `recheck` keeps them without their raw fingerprint, so that a
   * record which comes again is parsed, where other rules or another hash count than those they were made with; `drop` drops all; `doubt`
   * keeps them as dirty, since downstream may have dropped them.
   */
  readonly pending: "keep" | "recheck" | "drop" | "doubt";
  /** Fold an unfinished ledger: nothing is replaced or dropped, and what downstream may have of it is added as dirty, never equal to anything. */
  readonly dirty: boolean;
  /** Entries a block; left out: 1024. */
  readonly blockRecords?: number;
}
/** Writes the next index in one pass. Runs on a thread of its own; the ledger must not change meanwhile. */
export function mergeIndex(options: MergeOptions): Promise<{ readonly records: number; readonly bytes: number }>;

/** Begins an index file made of rows in any order. */
export function openBuild(path: string, blockRecords?: number): number;
/** Adds rows, see {@link IndexEntries}; `raws` and `flags` left out: all 0. Of an id that comes several times the last row counts; if one is dirty, all of them do. Throws if an id's hash is missing. */
export function pushBuild(
  handle: number,
  rows: { readonly ids: (string | null)[]; readonly hashes: Uint8Array; readonly raws?: BigUint64Array; readonly flags?: Uint8Array },
): void;
/** Sorts and writes the file; it appears in one step, durable. Runs on a thread of its own; the handle is closed. */
export function finishBuild(handle: number, meta: string): Promise<{ readonly records: number; readonly bytes: number }>;
/** Gives up, and leaves nothing behind. */
export function closeBuild(handle: number): void;

/** In lower-case hex. */
export function sha256(data: Uint8Array): string;
export function xxh3_64(data: Uint8Array): bigint;
/** As 32 hex digits, high half first. */
export function xxh3_128(data: Uint8Array): string;

export interface BuildInfo {
  readonly version: string;
  readonly inflate: { readonly name: string; readonly version: string }[];
  readonly cpuFeatures: string[];
  readonly target: string;
}
export function buildInfo(): BuildInfo;

export interface GenerateOptions {
  readonly releases: number;
  readonly artists: number;
  readonly masters: number;
  readonly labels: number;
  readonly seed: number;
  readonly out: string;
  readonly version: string;
  readonly form: "2026" | "2020";
  readonly threads: number;
}
/** Writes the dumps; resolves with the manifest as JSON. Runs on a thread of its own. Rejects with JSON of an error code and a message. */
export function generate(options: GenerateOptions): Promise<string>;

export interface EvolveOptions {
  /** Folder with the month to start from. */
  readonly from: string;
  /** What changes, as in `created=1%,releases.deleted=3`. */
  readonly changes: string;
  /** Folder with an older month. */
  readonly returnedFrom?: string;
  readonly out: string;
  readonly version: string;
  readonly seed: number;
  readonly threads: number;
  /** File for a list of what was done. */
  readonly list?: string;
}
/** Writes the month after; otherwise like {@link generate}. */
export function evolve(options: EvolveOptions): Promise<string>;
