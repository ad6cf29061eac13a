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

/**
 * Writes down what each piece holds, in file order, before anything of it is delivered: a piece with changes is handed on once the ledger
 * holds them for good, so that whatever a crash leaves half delivered is known to the run after it. `delivering` hears of it before the first.
 */
export async function* recorded<P extends Detected>(pieces: AsyncIterable<P>, ledger: Ledger, run: ChangeRun, delivering: () => Promise<void>) {
  for await (const piece of pieces) {
    try {
      if (piece.log !== null) ledger.append(piece.log);
      if (piece.records > 0) {
        await ledger.sync();
        await delivering();
      }
    } catch (error) {
      piece.release();
      throw error;
    }
    const kinds = piece.kinds ?? new Uint8Array(piece.records);
    yield { ...piece, changes: { run, kinds }, ledger: ledger.position };
  }
}
