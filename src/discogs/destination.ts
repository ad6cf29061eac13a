import { join as joinPath } from "node:path";
import type { Destination } from "../destination.ts";
import type { Checkpoint, DataType, FlaggedBytes } from "../model.ts";
import { FlaggedLog, type FlaggedPlace, type QualityReport } from "../sink/flagged.ts";
import { outputFolder } from "../sink/index.ts";
import { RejectLog } from "../sink/rejects.ts";
import type { Sink, SinkWriter, Target } from "../sink/sink.ts";
import { isPositionLost } from "../sink/sink-errors.ts";

/** Where what is not delivered goes. */
export interface Logs {
  /** The folder of rejects; without one they are only logged. */
  readonly rejects: string | null;
  /** The place of flagged records of a data type; null without data quality rules. */
  readonly flagged: ((dataType: DataType) => Omit<FlaggedPlace, "bytes">) | null;
  /** Told what data quality rules have found, once a target is complete. */
  readonly onReport: (report: QualityReport) => void;
}

/**
 * The folder of a version's rejects: that of its records, or one of its own where the sink keeps no files, so that the next version
 * leaves them alone; null where there is no state either.
 */
export function rejectsFolder(sink: Sink, version: string, stateRoot: string | null): string | null {
  return outputFolder(sink, version) ?? (stateRoot === null ? null : joinPath(stateRoot, "rejects", version));
}

/** Opens a sink's writer and the logs of one target, all behind the checkpoint or all afresh. */
export async function openDestination(sink: Sink, target: Target, logs: Logs, from: Checkpoint | null, signal: AbortSignal): Promise<Destination> {
  const { dataType } = target;
  let rejects: RejectLog | null = null;
  let flagged: FlaggedLog | null = null;
  try {
    if (logs.rejects !== null) rejects = await RejectLog.open({ folder: logs.rejects, dataType, bytes: from?.rejectBytes ?? 0 });
    if (logs.flagged !== null) flagged = await FlaggedLog.open({ ...logs.flagged(dataType), bytes: from?.flaggedBytes ?? null });
    return join(await sink.open(target, from?.sink ?? null, signal), rejects, flagged, logs.onReport);
  } catch (error) {
    await rejects?.[Symbol.asyncDispose]();
    await flagged?.[Symbol.asyncDispose]();
    throw error;
  }
}

const NO_FLAGGED_BYTES: FlaggedBytes = { violations: 0, skips: 0 };

/** Whether the destination still holds what a checkpoint vouches for; if not, the file starts afresh. */
export async function holdsCheckpoint(sink: Sink, target: Target, logs: Logs, from: Checkpoint, signal: AbortSignal): Promise<Destination | null> {
  try {
    return await openDestination(sink, target, logs, from, signal);
  } catch (error) {
    if (isPositionLost(error)) return null;
    throw error;
  }
}

function join(writer: SinkWriter, rejects: RejectLog | null, flagged: FlaggedLog | null, onReport: Logs["onReport"]): Destination {
  return {
    write: async (batch, signal) => {
      if (batch.ends.length > 0) await writer.write(batch, signal);
    },
    reject: async (records) => rejects?.append(records),
    flag: async (found) => flagged?.append(found),
    sync: async (signal) => {
      // All are called before any is waited for, so that they cover the same records.
      const [sink, rejectBytes, flaggedBytes] = await Promise.all([writer.sync(signal), rejects?.sync() ?? 0, flagged?.sync() ?? NO_FLAGGED_BYTES]);
      return { sink, rejectBytes, flaggedBytes };
    },
    finish: async (end, signal) => {
      await rejects?.finish();
      const report = await flagged?.finish(end.records);
      await writer.finish(end, signal);
      if (report !== undefined) onReport(report);
    },
    [Symbol.asyncDispose]: async () => {
      await rejects?.[Symbol.asyncDispose]();
      await flagged?.[Symbol.asyncDispose]();
      await writer[Symbol.asyncDispose]();
    },
  };
}

/** Data types that this run has already opened a target for. */
export class OpenTypes {
  readonly #names = new Map<DataType, string>();

  /** Claims a data type for a file; the name of the file that has it already, if another does. */
  claim(dataType: DataType, name: string): string | null {
    const holder = this.#names.get(dataType);
    if (holder !== undefined && holder !== name) return holder;
    this.#names.set(dataType, name);
    return null;
  }
}
