import { type Flagged as Found, type Piece, sourceIdentity, stopSource } from "../../native/index.js";
import type { DumpError } from "../errors.ts";
import type { BatchChanges, DataType, FileIdentity, LedgerPosition, RejectedRecord, ResumePoint } from "../model.ts";
import { toDumpError } from "./fault.ts";
import type { Slots } from "./slots.ts";

/** A piece of a file with its bodies at hand. */
export interface ParsedPiece extends Omit<Piece, "fault" | "own" | "table" | "rejects" | "flagged" | "resume" | "dataType" | "lastId" | "logBytes"> {
  readonly dataType: DataType | null;
  readonly lastId: string | null;
  readonly rejects: readonly RejectedRecord[];
  /** What data quality rules have found, if anything. */
  readonly flagged: Found | null;
  /** How to go on behind this piece, if a checkpoint is due. */
  readonly resume: ResumePoint | null;
  /** Set if the file is at its end because it is broken; the records before the fault are in this piece. */
  readonly error: DumpError | null;
  /** Message bodies, each followed by one LF. */
  readonly body: Uint8Array;
  /** End offset of each body in `body`, without its LF. */
  readonly ends: Uint32Array;
  /** SHA-256 of each record, 32 bytes each. */
  readonly sha256: Uint8Array;
  /** What each record was to the record index: 0 unchanged or undecided, 1 created, 2 updated. Null if they were not compared. */
  readonly kinds: Uint8Array | null;
  /** What the ledger is to be told of the piece; null if records were not compared. */
  readonly log: Uint8Array | null;
  /** How the records of its bodies have changed, and how far the ledger goes behind it; null where changes are not looked for. */
  readonly changes: BatchChanges | null;
  readonly ledger: LedgerPosition | null;
  /** Gives the memory back; the views must not be used afterwards. */
  release(): void;
}

interface Pulling {
  readonly name: string;
  readonly handle: number;
  /** Pulls in flight at most. */
  readonly lanes: number;
  readonly slots: Slots;
  readonly pull: (slot: number) => Promise<Piece>;
  readonly view: (slot: number) => Uint8Array;
  readonly close: () => void;
}

/**
 * The pieces of one file, in order. Pulls run side by side and answer in any order; each holds a slot from before it starts until its
 * records are accepted, so that a file that is not consumed does not go on.
 */
export class PieceStream implements AsyncIterable<ParsedPiece>, AsyncDisposable {
  readonly #pulling: Pulling;
  /** Answers that came before their turn, by number. */
  readonly #early = new Map<number, { piece: Piece; slot: number }>();
  readonly #lanes: Promise<void>[];
  #next = 0;
  #ended = false;
  #stopped = false;
  /** The last piece was handed out. */
  #isOver = false;
  #failure: unknown = null;
  #wake: () => void = () => {};

  constructor(pulling: Pulling) {
    this.#pulling = pulling;
    this.#lanes = Array.from({ length: pulling.lanes }, () => this.#lane());
  }

  /** One pull after the other, until the file ends. */
  async #lane(): Promise<void> {
    const { slots, pull } = this.#pulling;
    while (!this.#ended) {
      const slot = await slots.take();
      if (this.#ended) return slots.release(slot);
      try {
        const piece = await pull(slot);
        // Nobody will ask for it any more, while other lanes may be waiting for its slot.
        if (this.#stopped || this.#isOver) slots.release(slot);
        else this.#early.set(piece.seq, { piece, slot });
        this.#ended ||= piece.end || piece.fault != null;
      } catch (error) {
        slots.release(slot);
        this.#failure ??= error;
        this.#ended = true;
      }
      this.#wake();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ParsedPiece> {
    for (;;) {
      if (this.#stopped) return;
      const answer = this.#early.get(this.#next);
      if (answer === undefined) {
        if (this.#failure !== null) throw this.#failure;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#early.delete(this.#next);
      this.#next += 1;
      const piece = this.#open(answer.piece, answer.slot);
      this.#isOver = piece.end || piece.error !== null;
      // Whoever works on the last piece may need slots for it: those behind it are not to wait for the file to be closed.
      if (this.#isOver) this.#drop();
      yield piece;
      if (this.#isOver) return;
    }
  }

  #open(answer: Piece, slot: number): ParsedPiece {
    const { fault, own, table, rejects, flagged, resume, dataType, lastId, logBytes, ...piece } = answer;
    const { name, slots, view } = this.#pulling;
    const memory = own ?? view(slot);
    const n = piece.records;
    const words = Math.ceil((n * 4) / 8) * 8;
    const at = memory.byteOffset + table;
    const hashes = at + 2 * words + n * 24;
    const kinds = hashes + n * 32;
    let held = true;
    return {
      ...piece,
      dataType: (dataType ?? null) as DataType | null,
      lastId: lastId ?? null,
      rejects: rejects.map((reject) => ({ ...reject, id: reject.id ?? null })),
      flagged: flagged ?? null,
      resume: resume ? { ...resume, lineForm: resume.lineForm ?? null } : null,
      error: fault ? toDumpError(name, fault) : null,
      body: memory.subarray(0, piece.bytes),
      ends: new Uint32Array(memory.buffer, at, n),
      sha256: new Uint8Array(memory.buffer, hashes, n * 32),
      kinds: logBytes == null ? null : new Uint8Array(memory.buffer, kinds, n),
      log: logBytes == null ? null : new Uint8Array(memory.buffer, kinds + n, logBytes),
      changes: null,
      ledger: null,
      release: () => {
        if (held) slots.release(slot);
        held = false;
      },
    };
  }

  /** The identity of the opened file as it is now. */
  identity(): FileIdentity {
    return sourceIdentity(this.#pulling.handle);
  }

  /** Ends the iteration soon, even where it waits for a pipe that says nothing. */
  stop(): void {
    this.#ended = true;
    this.#stopped = true;
    stopSource(this.#pulling.handle);
    this.#drop();
    this.#wake();
  }

  /** Ends the pulling: nothing new is begun, what runs is waited for, and then the file is closed. Pieces handed out are released by their holder. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await Promise.all(this.#lanes);
    this.#drop();
    this.#pulling.close();
  }

  /** Gives back the slots of pieces that nobody will ask for: lanes may be waiting for them. */
  #drop(): void {
    for (const { slot } of this.#early.values()) this.#pulling.slots.release(slot);
    this.#early.clear();
  }
}
