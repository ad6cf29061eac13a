import type { DataType } from "../model.ts";
import type { Generation } from "./pointer.ts";

/** A run of one data type, as it begins or goes on. */
export interface BegunRun {
  readonly id: string;
  readonly dataType: DataType;
  readonly version: string;
  /** What it is of; another run of the same finds the same. */
  readonly subject: string;
  readonly isBaseline: boolean;
  readonly file: { readonly name: string; readonly sha256: string | null; readonly bytes: number | null };
}

/** Generations that lie there as files and are to be the last good ones. */
export type NextGenerations = Readonly<Partial<Record<DataType, Generation>>>;

/** Why runs end that are not committed. */
export type UnfinishedEnd = "failed" | "aborted";

/**
 * Where it is kept what downstream has, by data type. Generations are files of a folder, whoever has the last word on which of them is the last
 * good one.
 */
export interface IndexStore extends AsyncDisposable {
  /** The last good generation of a data type; null before its first run has ended. */
  generation(dataType: DataType): Generation | null;
  pathOf(generation: Pick<Generation, "file">): string;
  /** Where the ledger of the run in progress is. */
  ledgerPath(dataType: DataType): string;
  /** Name and number of the generation to write next. */
  next(dataType: DataType): Pick<Generation, "file" | "number">;
  makeFolder(): Promise<void>;
  /** A run begins or goes on; nothing is known of what it delivers. Afterwards `generation` may be another file. */
  begin(run: BegunRun): Promise<void>;
  /** The run is about to deliver changes; throws STATE_LOCKED where another process is known to have taken the data type over. */
  delivering(dataType: DataType, what: "records" | "deletions"): Promise<void>;
  /** Makes generations the last good ones, all or none. `folded` is a run that was never ended, and whose deliveries they know now. */
  commit(next: NextGenerations, folded?: string | null): Promise<void>;
  /** Runs may have delivered what nobody can tell any more: no record equals what is known of the data type. */
  doubt(dataType: DataType): Promise<void>;
  /** A run that was never ended has delivered nothing. */
  discard(run: string): Promise<void>;
  /** The runs that were begun and not committed are over. Never throws. */
  end(how: UnfinishedEnd, reason: string): Promise<void>;
  /** Removes the ledgers of runs that have come to their end. */
  removeLedgers(dataTypes: readonly DataType[]): Promise<void>;
}
