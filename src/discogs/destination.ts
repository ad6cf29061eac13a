import type { Destination } from "../destination.ts";
import type { Checkpoint, DataType } from "../model.ts";
import { RejectLog } from "../sink/rejects.ts";
import type { Sink, SinkWriter, Target } from "../sink/sink.ts";
import { isPositionLost } from "../sink/sink-errors.ts";

/** Opens a sink's writer and the log of rejects of one target, both behind the checkpoint or both afresh. Without a folder rejects are only logged. */
export async function openDestination(sink: Sink, target: Target, folder: string | null, from: Checkpoint | null, signal: AbortSignal): Promise<Destination> {
  const rejects = folder === null ? null : await RejectLog.open({ folder, dataType: target.dataType, bytes: from?.rejectBytes ?? 0 });
  try {
    return join(await sink.open(target, from?.sink ?? null, signal), rejects);
  } catch (error) {
    await rejects?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** Whether the destination still holds what a checkpoint vouches for; if not, the file starts afresh. */
export async function holdsCheckpoint(sink: Sink, target: Target, folder: string | null, from: Checkpoint, signal: AbortSignal): Promise<Destination | null> {
  try {
    return await openDestination(sink, target, folder, from, signal);
  } catch (error) {
    if (isPositionLost(error)) return null;
    throw error;
  }
}

function join(writer: SinkWriter, rejects: RejectLog | null): Destination {
  return {
    write: async (batch, signal) => {
      if (batch.ends.length > 0) await writer.write(batch, signal);
    },
    reject: async (records) => rejects?.append(records),
    sync: async (signal) => {
      // Both are called before either is waited for, so that they cover the same records.
      const [sink, rejectBytes] = await Promise.all([writer.sync(signal), rejects?.sync() ?? 0]);
      return { sink, rejectBytes };
    },
    finish: async (end, signal) => {
      await rejects?.finish();
      await writer.finish(end, signal);
    },
    [Symbol.asyncDispose]: async () => {
      await rejects?.[Symbol.asyncDispose]();
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
