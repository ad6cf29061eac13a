import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { diskError } from "../sink/disk-errors.ts";
import { syncFolder } from "../sink/folders.ts";

const LF = 10;
const BLOCK_BYTES = 64 * 1024;

/** A file of lines that only grows; what a process left of a line that was killed is cut off, since the line comes again. */
export class ChangeFile implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Opens the file, or makes it. */
  static async open(path: string): Promise<ChangeFile> {
    try {
      const file = await open(path, "a+");
      const own = new ChangeFile(path, file);
      await own.#cutTornLine();
      await syncFolder(dirname(path));
      return own;
    } catch (error) {
      throw diskError(path, error);
    }
  }

  /** Appends whole lines; resolves once they are on the disk. */
  async append(lines: string): Promise<void> {
    try {
      await this.#file.appendFile(lines);
      await this.#file.datasync();
    } catch (error) {
      throw diskError(this.#path, error);
    }
  }

  async #cutTornLine(): Promise<void> {
    const { size } = await this.#file.stat();
    const block = Buffer.alloc(BLOCK_BYTES);
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const { bytesRead } = await this.#file.read(block, 0, end - start, start);
      const at = block.subarray(0, bytesRead).lastIndexOf(LF);
      if (at !== -1) return start + at + 1 === size ? undefined : await this.#file.truncate(start + at + 1);
      end = start;
    }
    if (size > 0) await this.#file.truncate(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
