import { unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { diskError } from "./disk-errors.ts";
import { makeFolder, syncFolder } from "./folders.ts";
import { PositionalFile } from "./positional-file.ts";
import { osCode, PositionLostError } from "./sink-errors.ts";

/**
 * A file of lines beside what is delivered. It has its final name from the first line on, so that it is there to be read when a run
 * fails, and does not exist without one.
 */
export class LineLog implements AsyncDisposable {
  readonly path: string;
  #file: PositionalFile | null;

  private constructor(path: string, file: PositionalFile | null) {
    this.path = path;
    this.#file = file;
  }

  /** Opens the log, dropping what lies behind the first `bytes`; throws a {@link PositionLostError} if they are not there. */
  static async open(path: string, bytes: number): Promise<LineLog> {
    if (bytes > 0) return new LineLog(path, await reopen(path, bytes));
    await remove(path);
    return new LineLog(path, null);
  }

  /** Bytes accepted so far. */
  get bytes(): number {
    return this.#file?.end ?? 0;
  }

  /** Appends whole lines; not to be called again before it is settled. */
  async append(lines: Uint8Array): Promise<void> {
    if (lines.byteLength === 0) return;
    this.#file ??= await create(this.path);
    await this.#file.append(lines);
  }

  /** Makes durable what was accepted when it was called, and gives its length for the checkpoint. */
  async sync(): Promise<number> {
    const bytes = this.bytes;
    await this.#file?.sync();
    return bytes;
  }

  /** The target is complete: makes the lines durable and closes them; without any there is no file. */
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

async function create(path: string): Promise<PositionalFile> {
  const folder = dirname(path);
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
