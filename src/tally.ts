import { createHash } from "node:crypto";
import type { Milestone } from "./checkpointer.ts";
import { DumpError } from "./errors.ts";
import {
  type Batch,
  type Checkpoint,
  type Contract,
  type Counts,
  type DataType,
  type Flagged,
  type LedgerPosition,
  type ResumePoint,
  startOf,
} from "./model.ts";
import { cutFlagged, wholeFlagged } from "./parse/flagged.ts";
import type { ParsedPiece } from "./parse/piece-stream.ts";
import type { FileEnd } from "./sink/sink.ts";

/** How far a file came. `end`: it was read to its sound end and the destination is complete. */
export interface FileOutcome {
  readonly how: "end" | "limit" | "stopped";
  readonly dataType: DataType | null;
  readonly counts: Counts;
  /** Order-free digest of what was written, 64 hex digits. */
  readonly digest: string;
  readonly batches: number;
  /** Bytes of XML that this run parsed. */
  readonly xmlBytes: number;
  /** Offset in the inflated bytes behind the last of them. */
  readonly inflatedOffset: number;
  /** How far the ledger goes; null where changes are not looked for. */
  readonly ledger: LedgerPosition | null;
}

/** What the destination has just accepted. */
export interface Accepted extends Counts {
  readonly dataType: DataType;
  readonly rejects: Batch["rejects"];
  readonly xmlBytes: number;
  /** Compressed bytes of the file consumed so far. */
  readonly compressedBytes: number;
}

const MODULUS = 1n << 256n;
const NONE: Counts = { read: 0, written: 0, rejected: 0, empty: 0, skipped: 0, unchanged: 0, unknownIds: 0 };
/** Before the id in a message body, and between it and the hash. */
const ID_START = '{"type":"data","id":"'.length;
const ID_END = '","sha256":"';

/** Counts one file behind the destination's acceptance, checkpoint to checkpoint. */
export class Tally {
  readonly #limit: number;
  #counts: Counts;
  #digest: bigint;
  #lastId: string | null;
  #dataType: DataType | null = null;
  #batches = 0;
  #xmlBytes = 0;
  #inflatedOffset: number;
  #ledger: LedgerPosition | null;

  constructor(from: Checkpoint | null, limit: number | null) {
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
    this.#counts = from?.counts ?? NONE;
    this.#digest = BigInt(`0x${from?.digest ?? "0"}`);
    this.#lastId = from?.lastId ?? null;
    this.#inflatedOffset = from?.resume.recordOffset ?? 0;
    this.#ledger = from?.ledger ?? null;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** The limit of records is reached. */
  get full(): boolean {
    return this.#counts.written >= this.#limit;
  }

  /** The piece as a batch, no more of it than the limit leaves. */
  cut(piece: ParsedPiece, of: { version: string; contract: Contract }): Batch {
    const room = Math.min(piece.records, this.#limit - this.#counts.written);
    const whole = room === piece.records;
    return {
      version: of.version,
      dataType: piece.dataType ?? "releases",
      contract: of.contract,
      firstOrdinal: this.#counts.written,
      bytes: whole ? piece.body : piece.body.subarray(0, room === 0 ? 0 : (piece.ends[room - 1] ?? 0) + 1),
      ends: whole ? piece.ends : piece.ends.subarray(0, room),
      // A piece that is cut short ends at a record that is delivered; what else was in it is not looked at.
      rejects: whole ? piece.rejects : [],
      changes: piece.changes === null || whole ? piece.changes : { ...piece.changes, kinds: piece.changes.kinds.subarray(0, room) },
    };
  }

  /** What rules have found in the part of the piece that the batch is, if anything. */
  flagged(piece: ParsedPiece, batch: Batch): Flagged | null {
    if (piece.flagged === null) return null;
    const bodies = batch.ends.length;
    return bodies === piece.records ? wholeFlagged(piece.flagged, piece.skipped) : cutFlagged(piece.flagged, bodies);
  }

  /** Fails the file at the reject that is one too many. */
  refuseTooMany(name: string, { rejects }: Batch, rejectsMax: number): void {
    const last = rejects[rejectsMax - this.#counts.rejected];
    if (last === undefined) return;
    throw new DumpError(
      "RECORDS_REJECTED",
      `${name}: more than ${rejectsMax} malformed records, the last one at byte ${last.offset} (${last.kind}); fetch the file again, or raise --max-rejects`,
    );
  }

  /** Takes note of what was accepted, `flagged` being what rules found in it. */
  add(piece: ParsedPiece, batch: Batch, flagged: Flagged | null = null): Accepted {
    const written = batch.ends.length;
    const whole = written === piece.records;
    const skipped = flagged?.skipped ?? 0;
    const { read, empty, unknownIds } = whole ? piece : { read: written + skipped, empty: 0, unknownIds: 0 };
    const unchanged = whole ? piece.unchanged + piece.held : 0;
    const before = this.#counts;
    this.#counts = {
      read: before.read + read,
      written: before.written + written,
      rejected: before.rejected + batch.rejects.length,
      empty: before.empty + empty,
      skipped: before.skipped + skipped,
      unchanged: before.unchanged + unchanged,
      unknownIds: before.unknownIds + unknownIds,
    };
    this.#digest = (this.#digest + (whole ? BigInt(`0x${piece.digest}`) : digestOf(batch))) % MODULUS;
    this.#lastId = piece.lastId ?? this.#lastId;
    this.#dataType = piece.dataType ?? this.#dataType;
    this.#batches += written > 0 ? 1 : 0;
    this.#xmlBytes += piece.xmlBytes;
    this.#inflatedOffset = piece.offset + piece.xmlBytes;
    this.#ledger = piece.ledger;
    const { dataType, rejects } = batch;
    const { xmlBytes, compressedBytes } = piece;
    return { dataType, rejects, xmlBytes, compressedBytes, read, written, rejected: rejects.length, empty, skipped, unchanged, unknownIds };
  }

  /** A batch of records that were held back, or delivered before an older one of the same id; counted as if it were accepted. */
  correct(piece: ParsedPiece, of: { version: string; contract: Contract }): Batch {
    const batch = { ...this.cut(piece, of), rejects: [] };
    const written = batch.ends.length;
    const { written: before, unchanged } = this.#counts;
    this.#counts = { ...this.#counts, written: before + written, unchanged: unchanged - written };
    this.#digest = (this.#digest + digestOf(batch)) % MODULUS;
    this.#ledger = piece.ledger;
    return batch;
  }

  /** The milestone behind the last piece. */
  at(resume: ResumePoint): Milestone {
    return { resume, ordinal: this.#counts.read, lastId: this.#lastId, counts: this.#counts, digest: this.#hex(), ledger: this.#ledger };
  }

  /** What consumers are told of the file. */
  end(file: string, complete: boolean): FileEnd {
    return { file, records: this.#counts.written + this.#counts.skipped, complete };
  }

  /** Nothing may be lost without a count: what the splitter counted is what became of it. */
  assertConserved(name: string): void {
    const { read, written, unchanged, rejected, empty, skipped } = this.#counts;
    if (read === written + unchanged + rejected + empty + skipped) return;
    const became = `${written} written, ${unchanged} unchanged, ${rejected} rejected, ${empty} empty and ${skipped} skipped`;
    throw new DumpError("INTERNAL", `${name}: ${read} records were read, but ${became}; please report it`);
  }

  outcome(how: FileOutcome["how"]): FileOutcome {
    return {
      how,
      dataType: this.#dataType,
      counts: this.#counts,
      digest: this.#hex(),
      batches: this.#batches,
      xmlBytes: this.#xmlBytes,
      inflatedOffset: this.#inflatedOffset,
      ledger: this.#ledger,
    };
  }

  #hex(): string {
    return this.#digest.toString(16).padStart(64, "0");
  }
}

/** A batch in parts of at most so many records; all of it, if null. Never nothing: an empty batch is one part. */
export function* portions(batch: Batch, recordsMax: number | null): Generator<Batch> {
  const { ends, bytes, firstOrdinal, changes } = batch;
  if (recordsMax === null || ends.length <= recordsMax) return yield batch;
  for (let from = 0; from < ends.length; from += recordsMax) {
    const to = Math.min(from + recordsMax, ends.length);
    const start = startOf(ends, from);
    yield {
      ...batch,
      firstOrdinal: firstOrdinal + from,
      bytes: bytes.subarray(start, (ends[to - 1] ?? 0) + 1),
      ends: ends.subarray(from, to).map((end) => end - start),
      rejects: from === 0 ? batch.rejects : [],
      changes: changes === null ? null : { ...changes, kinds: changes.kinds.subarray(from, to) },
    };
  }
}

/** The digest of a batch, read from its bodies: the sum modulo 2^256 of SHA-256(id, 0x00, hash in hex). */
export function digestOf(batch: Pick<Batch, "bytes" | "ends">): bigint {
  let sum = 0n;
  let start = 0;
  for (const end of batch.ends) {
    // Ids are short: the hash begins within the first bytes of a body, whatever follows.
    const body = Buffer.from(batch.bytes.slice(start, end)).toString("utf8");
    const idEnd = body.indexOf(ID_END, ID_START);
    const id = JSON.parse(body.slice(ID_START - 1, idEnd + 1)) as string;
    const hash = body.slice(idEnd + ID_END.length, idEnd + ID_END.length + 64);
    sum += BigInt(`0x${createHash("sha256").update(id).update("\0").update(hash).digest("hex")}`);
    start = end + 1;
  }
  return sum % MODULUS;
}
