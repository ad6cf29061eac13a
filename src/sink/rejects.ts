import { unlink } from "node:fs/promises";
import { join } from "node:path";
import type { DataType, RejectedRecord } from "../model.ts";
import { diskError } from "./disk-errors.ts";
import { makeFolder, syncFolder } from "./folders.ts";
import { PositionalFile } from "./positional-file.ts";
import { osCode, PositionLostError } from "./sink-errors.ts";

/** Where the rejects of one target go, and how many bytes of them a checkpoint vouches for. */
export interface RejectPlace {
  readonly folder: string;
  readonly dataType: DataType;
  /** `rejectBytes` of the checkpoint, or 0 to start afresh. */
  readonly bytes: number;
}

/**
 * `<type>.rejects.ndjson`: the records that could not be delivered, one JSON object a line. It has its final name from
 * the first reject on, so that it is there to be read when too many of them fail the run, and does not exist without.
 */
export class RejectLog implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string;
  #file: PositionalFile | null;

  private constructor(path: string, folder: string, file: PositionalFile | null) {
    this.path = path;
    this.#folder = folder;
    this.#file = file;
  }

  /** Opens the log, dropping what lies behind `place.bytes`; throws a {@link PositionLostError} if they are not there. */
  static async open(place: RejectPlace): Promise<RejectLog> {
    const path = join(place.folder, `${place.dataType}.rejects.ndjson`);
    if (place.bytes > 0) return new RejectLog(path, place.folder, await reopen(path, place.bytes));
    await remove(path);
    return new RejectLog(path, place.folder, null);
  }

  /** Bytes accepted so far. */
  get bytes(): number {
    return this.#file?.end ?? 0;
  }

  /** Appends rejects in order; not to be called again before it is settled. */
  async append(rejects: readonly RejectedRecord[]): Promise<void> {
    if (rejects.length === 0) return;
    const lines = rejects.map(({ offset, id, kind, message, raw }) => JSON.stringify({ offset, id, kind, message, raw }));
    this.#file ??= await create(this.path, this.#folder);
    await this.#file.append(Buffer.from(`${lines.join("\n")}\n`));
  }

  /** Makes durable what was accepted when it was called, and gives its length for the checkpoint. */
  async sync(): Promise<number> {
    const bytes = this.bytes;
    await this.#file?.sync();
    return bytes;
  }

  /** The target is complete: makes the rejects durable and closes them; without any there is no file. */
  async finish(): Promise<void> {
    if (this.#file === null) return;
    const isEmpty = this.bytes === 0; // created, but its first write failed
    await this.#file.complete();
    if (isEmpty) await remove(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.[Symbol.asyncDispose]();
  }
}

async function create(path: string, folder: string): Promise<PositionalFile> {
  await makeFolder(folder);
  const file = await PositionalFile.open(path, "w+");
  await syncFolder(folder);
  return file;
}

async function reopen(path: string, bytes: number): Promise<PositionalFile> {
  const file = await PositionalFile.open(path, "r+").catch((error: unknown) => {
    const isMissing = error instanceof Error && osCode(error.cause) === "ENOENT";
    throw isMissing ? new PositionLostError("SINK_UNAVAILABLE", lost(path, "is missing")) : error;
  });
  try {
    const size = await file.size();
    if (size < bytes) {
      const fault = `is shorter than the checkpoint (${size} of ${bytes} bytes)`;
      throw new PositionLostError("SINK_UNAVAILABLE", lost(path, fault));
    }
    await file.cut(bytes);
    return file;
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

function lost(path: string, fault: string): string {
  return `${path}: ${fault}; put it back, or start afresh with --force`;
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (osCode(error) !== "ENOENT") throw diskError(path, error);
  }
}
