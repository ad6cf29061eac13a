import { type FileHandle, open } from "node:fs/promises";
import { diskError } from "./disk-errors.ts";

/**
 * A file that is only appended to, but written by position: `end` moves once a whole append is down, so that an append
 * that failed half way can be repeated, and leaves nothing behind that counts.
 */
export class PositionalFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  #end = 0;
  /** Whether bytes that do not count may lie behind `end`. */
  #hasLeftovers = false;
  #syncFailure: { readonly error: unknown } | null = null;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** Opens a file with the flags of `fs.open`; `end` is 0 until `cut` sets it. */
  static async open(path: string, flags: "w+" | "r+"): Promise<PositionalFile> {
    try {
      return new PositionalFile(path, await open(path, flags));
    } catch (error) {
      throw diskError(path, error);
    }
  }

  /** Bytes accepted so far. */
  get end(): number {
    return this.#end;
  }

  /** Size of the file on the disk, whatever of it counts. */
  async size(): Promise<number> {
    return (await this.#try(() => this.#handle.stat())).size;
  }

  /** Writes all the bytes behind `end`; they may be shared memory. Not to be called again before it is settled. */
  async append(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.#hasLeftovers = true;
    let done = 0;
    while (done < bytes.byteLength) {
      signal?.throwIfAborted();
      const at = done;
      const result = await this.#try(() => this.#handle.write(bytes, at, bytes.byteLength - at, this.#end + at));
      done += result.bytesWritten; // a disk that fills up takes a part first, and fails the next write
    }
    this.#end += done;
    this.#hasLeftovers = false;
  }

  /** Reads `length` bytes that end at `end`, or fewer if the file is shorter. */
  async readBefore(end: number, length: number): Promise<Uint8Array> {
    const start = Math.max(0, end - length);
    const buffer = new Uint8Array(end - start);
    let done = 0;
    while (done < buffer.byteLength) {
      const at = done;
      const { bytesRead } = await this.#try(() => this.#handle.read(buffer, at, buffer.byteLength - at, start + at));
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  }

  /** Drops everything behind `end` and goes on from there. */
  async cut(end: number): Promise<void> {
    await this.#try(() => this.#handle.truncate(end));
    this.#end = end;
    this.#hasLeftovers = false;
  }

  /** Makes the bytes accepted so far durable. */
  async sync(): Promise<void> {
    await this.#durably(() => this.#handle.datasync());
  }

  /** Makes exactly the accepted bytes the durable content of the file, and closes it. */
  async complete(): Promise<void> {
    if (this.#hasLeftovers) await this.cut(this.#end);
    await this.#durably(() => this.#handle.sync());
    await this.#try(() => this.#handle.close());
  }

  /** Closes without a promise about what was not synced, and without an error: it must not hide the one that led here. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close().catch(() => {});
  }

  /** A sync that failed stays failed: the system drops what it could not write, and a second call would succeed without it. */
  async #durably(operation: () => Promise<void>): Promise<void> {
    if (this.#syncFailure !== null) throw this.#syncFailure.error;
    try {
      await this.#try(operation);
    } catch (error) {
      this.#syncFailure = { error };
      throw error;
    }
  }

  async #try<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      throw diskError(this.path, error);
    }
  }
}
