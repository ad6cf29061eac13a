import { fault } from "#fault";
import { Checkpointer } from "./checkpointer.ts";
import type { Destination } from "./destination.ts";
import { DumpError } from "./errors.ts";
import type { Batch, Checkpoint, Contract, DataType } from "./model.ts";
import type { ParsedPiece } from "./parse/piece-stream.ts";
import { type Accepted, type FileOutcome, portions, Tally } from "./tally.ts";

/** One file on its way. */
export interface FileRun {
  readonly name: string;
  readonly version: string;
  readonly contract: Contract;
  /** The file's records, from `from` on. */
  readonly pieces: AsyncIterable<ParsedPiece>;
  readonly from: Checkpoint | null;
  /** Stop after so many records. */
  readonly limit: number | null;
  readonly rejectsMax: number;
  /** The destination gets no more at once; null: a piece. */
  readonly batchRecords: number | null;
  /** The pieces with what has to be delivered once more behind the last one; null where changes are not looked for. */
  readonly corrections: (() => AsyncIterable<ParsedPiece>) | null;
  /** The bytes are known to be sound; without that consumers are not told that the file is complete. */
  readonly verified: boolean;
  readonly open: (dataType: DataType) => Promise<Destination>;
  /** Told what the destination has accepted. */
  readonly onAccepted: (accepted: Accepted) => void;
  /** Throws if the file is no longer what it was when reading began; asked before the destination is completed. */
  readonly assertSame: () => void;
  /** Saves a checkpoint, or null if this run keeps none. Never called before everything in front of it is durable. */
  readonly save: ((checkpoint: Checkpoint) => Promise<void>) | null;
}

/**
 * The path of a record. Pieces arrive in file order, parsed and hashed; the destination accepts one after another; checkpoints follow
 * behind what it has made durable. `stopping` is looked at between pieces, `signal` breaks off whatever waits.
 */
export async function runFile(file: FileRun, stopping: AbortSignal, signal: AbortSignal): Promise<FileOutcome> {
  const tally = new Tally(file.from, file.limit);
  const checkpoints = new Checkpointer(file.save, signal);
  let destination: Destination | null = null;
  try {
    for await (const piece of file.pieces) {
      try {
        destination ??= piece.dataType === null ? null : await file.open(piece.dataType);
        const batch = tally.cut(piece, file);
        await refuseTooMany(file, tally, batch, destination);
        for (const portion of portions(batch, file.batchRecords)) await destination?.write(portion, signal); // resolves only when it is accepted
        await destination?.reject(batch.rejects);
        const flagged = tally.flagged(piece, batch);
        if (flagged !== null) await destination?.flag(flagged);
        file.onAccepted(tally.add(piece, batch, flagged));
        if (piece.error !== null) throw piece.error;
        if (piece.end || tally.full) {
          await checkpoints.settle();
          if (piece.end) await correct(file, tally, destination, signal);
          if (piece.end) tally.assertConserved(file.name);
          file.assertSame();
          await destination?.finish(tally.end(file.name, piece.end && file.verified), signal);
          fault("file-announced");
          return tally.outcome(piece.end ? "end" : "limit");
        }
        if (destination !== null && piece.resume !== null) await checkpoints.offer(destination, tally.at(piece.resume), stopping.aborted);
        if (stopping.aborted && checkpoints.idle) return tally.outcome("stopped");
      } finally {
        piece.release(); // its slot may be filled again
      }
    } // leaving the loop ends the pulling
    signal.throwIfAborted();
    if (stopping.aborted) return tally.outcome("stopped");
    throw new DumpError("INTERNAL", `${file.name}: the pieces ended before the file did`);
  } finally {
    await checkpoints.drain(); // nothing is synced once the destination is closed
    await destination?.[Symbol.asyncDispose]();
  }
}

/** Delivers once more what came several times in the file, where not the last of it was delivered last. */
async function correct(file: FileRun, tally: Tally, destination: Destination | null, signal: AbortSignal): Promise<void> {
  if (file.corrections === null) return;
  for await (const piece of file.corrections()) {
    try {
      if (piece.error !== null) throw piece.error;
      const batch = tally.correct(piece, file);
      await destination?.write(batch, signal);
    } finally {
      piece.release();
    }
  }
}

/** Fails the file at the reject that is one too many; what was rejected so far stays to be read. */
async function refuseTooMany(file: FileRun, tally: Tally, batch: Batch, destination: Destination | null): Promise<void> {
  try {
    tally.refuseTooMany(file.name, batch, file.rejectsMax);
  } catch (error) {
    await destination?.reject(batch.rejects.slice(0, file.rejectsMax - tally.counts.rejected + 1));
    throw error;
  }
}
