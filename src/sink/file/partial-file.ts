import { createHash } from "node:crypto";
import { rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { SinkPosition } from "../../model.ts";
import { diskError } from "../disk-errors.ts";
import { makeFolder, syncFolder } from "../folders.ts";
import { PositionalFile } from "../positional-file.ts";
import { osCode, PositionLostError } from "../sink-errors.ts";

/** Bytes before a position whose digest is kept in it. */
const TAIL_BYTES = 4096;

/**
 * An output file that is called `<path>.partial` until it is published. A position in it is its length and a digest of
 * the last bytes before: so a resume notices a file of another run, in another dialect or with other options.
 */
export class PartialFile implements AsyncDisposable {
  readonly #path: string;
  readonly #file: PositionalFile;

  private constructor(path: string, file: PositionalFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Starts the file from nothing; an earlier published one stays until this one is. */
  static async create(path: string): Promise<PartialFile> {
    const folder = dirname(path);
    await makeFolder(folder);
    const file = await PositionalFile.open(partialName(path), "w+");
    try {
      await syncFolder(folder);
      return new PartialFile(path, file);
    } catch (error) {
      await file[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Goes on at a position, dropping what lies behind it; throws a {@link PositionLostError} if it is not there. */
  static async resume(path: string, position: SinkPosition): Promise<PartialFile> {
    const { bytes, tail } = position;
    if (!Number.isSafeInteger(bytes) || typeof bytes !== "number" || bytes < 0 || typeof tail !== "string") {
      throw lost(partialName(path), "the checkpoint has no position of this sink");
    }
    const partial = await openIfThere(partialName(path));
    // A crash between publishing the file and recording it leaves only the published one.
    const file = partial ?? (await openIfThere(path));
    if (file === undefined) throw lost(partialName(path), "is missing");
    try {
      const size = await file.size();
      if (size < bytes) throw lost(file.path, `is shorter than the checkpoint (${size} of ${bytes} bytes)`);
      if ((await tailOf(file, bytes)) !== tail) throw lost(file.path, "is not what the checkpoint describes");
      if (partial === undefined) await move(path, partialName(path));
      await file.cut(bytes);
      return new PartialFile(path, file);
    } catch (error) {
      await file[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Bytes accepted so far. */
  get end(): number {
    return this.#file.end;
  }

  append(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#file.append(bytes, signal);
  }

  /** Makes the first `end` bytes durable and gives the position behind them. */
  async position(end: number): Promise<SinkPosition> {
    await this.#file.sync();
    return { bytes: end, tail: await tailOf(this.#file, end) };
  }

  /** Makes the file durable and gives it its final name, in place of an earlier one. */
  async publish(): Promise<void> {
    await this.#file.complete();
    await move(partialName(this.#path), this.#path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}

function partialName(path: string): string {
  return `${path}.partial`;
}

async function openIfThere(path: string): Promise<PositionalFile | undefined> {
  try {
    return await PositionalFile.open(path, "r+");
  } catch (error) {
    if (error instanceof Error && osCode(error.cause) === "ENOENT") return undefined;
    throw error;
  }
}

async function tailOf(file: PositionalFile, end: number): Promise<string> {
  const bytes = await file.readBefore(end, TAIL_BYTES);
  return createHash("sha256").update(bytes).digest("hex");
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    throw diskError(to, error);
  }
  await syncFolder(dirname(to));
}

function lost(path: string, fault: string): PositionLostError {
  return new PositionLostError("SINK_UNAVAILABLE", `${path}: ${fault}; put the file back, or start afresh with --force`);
}
