/** The half of a download that is on disk: `.<name>.part`, and beside it `.<name>.part.json`, which says of what it is a part. */
import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fault } from "#fault";
import { diskFault } from "./disk-space.ts";
import { replaceFile, syncFolder } from "./durable-file.ts";
import { readPublishedName } from "./published-name.ts";

const FILE_MODE = 0o644;
const READ_BYTES = 2 ** 20;
const ABOUT_BYTES_MAX = 64 * 2 ** 10;

/** What was being downloaded, as the server called it: the same again is needed to go on. */
export interface PartOf {
  readonly url: string;
  /** Strong, with its quotes. */
  readonly etag: string | null;
  /** As the header stood. */
  readonly lastModified: string | null;
  /** Bytes of the whole file. */
  readonly size: number | null;
}

/** Name of the part of a published file. */
export function partName(name: string): string {
  return `.${name}.part`;
}

/** The version of which a file in the root is a part, or what is known of one; null: it is something else. */
export function versionOfPart(name: string): string | null {
  const [, whole] = /^\.(.+)\.part(?:\.json(?:\.tmp)?)?$/.exec(name) ?? [];
  return whole === undefined ? null : (readPublishedName(whole)?.version ?? null);
}

/** A file that grows while it is hashed and takes its name once it is whole. */
export class PartFile implements AsyncDisposable {
  readonly path: string;
  readonly #final: string;
  readonly #handle: FileHandle;
  #of: PartOf | null;
  #bytes: number;
  #hash: Hash = createHash("sha256");

  private constructor(final: string, path: string, handle: FileHandle, bytes: number, of: PartOf | null) {
    this.#final = final;
    this.path = path;
    this.#handle = handle;
    this.#bytes = bytes;
    this.#of = of;
  }

  /** Opens the part of the file that is to lie at `final`, or a new empty one. */
  static async open(final: string): Promise<PartFile> {
    const path = join(dirname(final), partName(basename(final)));
    try {
      const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
      const handle = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, FILE_MODE);
      const { size } = await handle.stat();
      return new PartFile(final, path, handle, size, size === 0 ? null : await readAbout(`${path}.json`));
    } catch (error) {
      throw diskFault(path, error);
    }
  }

  /** Bytes that are there; after {@link restart} or {@link hashAgain} also those that are hashed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Of what the bytes are a part, or null if there are none or nobody knows. */
  get of(): PartOf | null {
    return this.#of;
  }

  /** Drops all bytes; those that come now are of `of`. */
  async restart(of: PartOf): Promise<void> {
    await this.#try(() => this.#handle.truncate(0));
    await replaceFile(`${this.path}.json`, `${JSON.stringify(of)}\n`);
    this.#bytes = 0;
    this.#of = of;
    this.#hash = createHash("sha256");
  }

  /** Reads the bytes that are there, so that those which follow can be hashed behind them. */
  async hashAgain(signal: AbortSignal): Promise<void> {
    this.#hash = createHash("sha256");
    const buffer = new Uint8Array(READ_BYTES);
    let done = 0;
    while (done < this.#bytes) {
      signal.throwIfAborted();
      const at = done;
      const { bytesRead } = await this.#try(() => this.#handle.read(buffer, 0, Math.min(buffer.length, this.#bytes - at), at));
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
    this.#bytes = done;
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    for (let done = 0; done < chunk.byteLength; ) {
      const at = done;
      const { bytesWritten } = await this.#try(() => this.#handle.write(chunk, at, chunk.byteLength - at, this.#bytes));
      done += bytesWritten;
      this.#bytes += bytesWritten;
    }
  }

  /** SHA-256 of all bytes, in hex. To be asked once, at the end. */
  digest(): string {
    return this.#hash.digest("hex");
  }

  /** Makes the bytes durable under the final name, in place of whatever had it. */
  async publish(): Promise<void> {
    await this.#try(async () => {
      await this.#handle.sync();
      await this.#handle.close();
      fault("download-synced");
      await rename(this.path, this.#final);
      fault("download-renamed");
      await rm(`${this.path}.json`, { force: true });
      await syncFolder(dirname(this.path));
    });
  }

  /** Removes the bytes and what is known of them. */
  async discard(): Promise<void> {
    await this.#try(async () => {
      await rm(this.path, { force: true });
      await rm(`${this.path}.json`, { force: true });
    });
  }

  /** Closes it and leaves it as it is, unless it is empty. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close().catch(() => {}); // closed already, or nothing can be done about it
    if (this.#bytes === 0) await this.discard().catch(() => {});
  }

  async #try<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      throw diskFault(this.path, error);
    }
  }
}

/** What the file beside a part says; null if it says nothing that can be relied on, and the download starts from its beginning. */
async function readAbout(path: string): Promise<PartOf | null> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    if ((await file.stat()).size > ABOUT_BYTES_MAX) return null;
    const about: unknown = JSON.parse(await file.readFile("utf8"));
    if (typeof about !== "object" || about === null) return null;
    const { url, etag, lastModified, size } = about as Readonly<Record<string, unknown>>;
    if (typeof url !== "string" || !isTextOrNull(etag) || !isTextOrNull(lastModified)) return null;
    if (size !== null && !(Number.isSafeInteger(size) && Number(size) > 0)) return null;
    return { url, etag, lastModified, size: size === null ? null : Number(size) };
  } catch {
    return null;
  }
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
