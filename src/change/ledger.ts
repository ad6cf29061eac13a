import {
  appendLedger,
  closeIndex,
  closeLedger,
  corrections,
  type Deletions,
  deletionCount,
  deletions,
  indexInfo,
  type LedgerCounts,
  type LedgerInfo,
  ledgerCounts,
  markCorrected,
  markDeleted,
  mergeIndex,
  openIndex,
  openLedger,
  syncLedger,
} from "../../native/index.js";
import type { ChangeRun, LedgerPosition } from "../model.ts";
import { indexFault } from "./index-fault.ts";

/** Records that are gone. */
export type Gone = Deletions;

/** An index file that is open; closed on disposal, while ledgers and sources that were opened with it keep it. */
export class OpenIndex implements Disposable {
  readonly handle: number;

  constructor(path: string) {
    this.handle = indexFault(() => openIndex(path));
  }

  /** What is known of one id in several ways counts once. */
  get ids(): number {
    const { records, shared } = indexInfo(this.handle);
    return records - shared;
  }

  [Symbol.dispose](): void {
    closeIndex(this.handle);
  }
}

/** Where a ledger is, and how it is opened. */
export interface LedgerPlace {
  /** Null: in memory only. */
  readonly path: string | null;
  /** Null: nothing was known of the data type. */
  readonly index: OpenIndex | null;
  readonly run: ChangeRun;
  /** What it is of; a ledger of something else is refused. */
  readonly header: string;
}

/** How the next generation is written: from the index that the ledger was opened with. */
export interface MergeRequest {
  readonly out: string;
  readonly meta: string;
  /** Records that did not come: known as before, or without their raw bytes; forgotten; or known as something that downstream may have dropped. */
  readonly pending: "keep" | "recheck" | "drop" | "doubt";
}

/** Everything a run has found in one file, in file order: what it goes on from after a crash, and what the next generation is made of. */
export class Ledger implements Disposable {
  readonly run: ChangeRun;
  readonly #handle: number;
  readonly #isKept: boolean;
  #bytes: number;
  #isOpen = true;

  private constructor(run: ChangeRun, handle: number, isKept: boolean, bytes: number) {
    this.run = run;
    this.#handle = handle;
    this.#isKept = isKept;
    this.#bytes = bytes;
  }

  /** Opens a ledger afresh, or `at` a length of it; throws LEDGER_MISMATCH or INDEX_CORRUPT where it is no longer what it was. */
  static open({ path, index, run, header }: LedgerPlace, at: number | null): Ledger {
    const where = { ...(path === null ? {} : { path }), ...(index === null ? {} : { index: index.handle }), ...(at === null ? {} : { length: at }) };
    const handle = indexFault(() => openLedger({ ...where, header }));
    return new Ledger(run, handle, path !== null, ledgerCounts(handle).length);
  }

  /** Opens what an earlier run has left, to look at it or to fold it; throws INDEX_CORRUPT or LEDGER_MISMATCH where it is of another index. */
  static reopen(path: string, index: OpenIndex | null): Ledger {
    const handle = indexFault(() => openLedger({ path, length: -1, ...(index === null ? {} : { index: index.handle }) }));
    return new Ledger({ id: "", isBaseline: false }, handle, true, ledgerCounts(handle).length);
  }

  /** How far it goes by now. */
  get position(): LedgerPosition {
    return { run: this.run.id, bytes: this.#bytes };
  }

  /** By ids: an id counts once, by its last record. */
  get counts(): LedgerInfo {
    return ledgerCounts(this.#handle);
  }

  /** Takes in what one piece of the file held. */
  append(frame: Uint8Array): LedgerCounts {
    const counts = indexFault(() => appendLedger(this.#handle, frame));
    this.#bytes = counts.length;
    return counts;
  }

  /** Resolves once all that was appended before the call is on disk. */
  async sync(): Promise<void> {
    if (this.#isKept) await indexFault(() => syncLedger(this.#handle));
  }

  /** Raw fingerprints of the records that have to be delivered once more at the end of the file. */
  corrections(): BigUint64Array {
    return indexFault(() => corrections(this.#handle));
  }

  corrected(): void {
    indexFault(() => markCorrected(this.#handle));
    this.#bytes = ledgerCounts(this.#handle).length;
  }

  /** Known records that the file did not hold. */
  get goneCount(): number {
    return deletionCount(this.#handle);
  }

  gone(from: number, max: number): Gone {
    return indexFault(() => deletions(this.#handle, from, max));
  }

  /** The deletions before a position are on their way, or, null, all of them. */
  deleting(upTo: number | null): void {
    indexFault(() => markDeleted(this.#handle, upTo));
    this.#bytes = ledgerCounts(this.#handle).length;
  }

  /** Writes what is known by now as the next generation; it appears in one step. */
  async merge(request: MergeRequest): Promise<{ readonly records: number }> {
    return await this.#merge({ ...request, dirty: false });
  }

  /** Writes a generation that knows what a run which was never ended may have delivered; no record equals that. */
  async fold(out: string, meta: string): Promise<{ readonly records: number }> {
    return await this.#merge({ out, meta, pending: "keep", dirty: true });
  }

  async #merge(how: MergeRequest & { dirty: boolean }): Promise<{ readonly records: number }> {
    return await indexFault(() => mergeIndex({ ledger: this.#handle, ...how }));
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeLedger(this.#handle);
    this.#isOpen = false;
  }
}
