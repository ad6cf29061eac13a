import { fault } from "#fault";
import type { LedgerCounts } from "../../native/index.js";
import type { ChangeRun } from "../model.ts";
import type { Ledger } from "./ledger.ts";

/** What this stage needs to know of a piece. */
interface Detected {
  readonly records: number;
  /** The piece's part of the ledger; null where nothing was looked for. */
  readonly log: Uint8Array | null;
  /** What each body is, see CHANGE_TYPES. */
  readonly kinds: Uint8Array | null;
  release(): void;
}

/** Of which run the pieces are, and what of them is delivered. */
export interface Recording {
  readonly run: ChangeRun;
  readonly publish: "changes" | "all";
  /** Told before what makes downstream another. */
  readonly delivering: () => Promise<void>;
}

/**
 * Writes down what each piece holds, in file order, before anything of it is delivered: a piece with changes is handed on once the ledger
 * holds them for good, so that whatever a crash leaves half delivered is known to the run after it. `delivering` hears of it before the first.
 * `publish` all: the pieces are delivered whole, and consumers hear nothing of changes.
 */
export async function* recorded<P extends Detected>(pieces: AsyncIterable<P>, ledger: Ledger, { run, publish, delivering }: Recording) {
  for await (const piece of pieces) {
    try {
      const found = piece.log === null ? null : ledger.append(piece.log);
      if (publish === "changes" ? piece.records > 0 : mayDiffer(found, piece.kinds)) {
        await ledger.sync();
        fault("ledger-synced");
        await delivering();
      }
    } catch (error) {
      piece.release();
      throw error;
    }
    const kinds = piece.kinds ?? new Uint8Array(piece.records);
    yield { ...piece, changes: publish === "all" ? null : { run, kinds }, ledger: ledger.position };
  }
}

/** Whether delivering a piece whole makes downstream another than the index says. Of ids that come again nobody knows before the end. */
function mayDiffer(found: LedgerCounts | null, kinds: Uint8Array | null): boolean {
  return found === null || found.created !== 0 || found.updated !== 0 || found.repeated !== 0 || (kinds?.some((kind) => kind !== 0) ?? false);
}
