/** Writes an access index beside its place, and moves it there once it is whole and durable. */
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import type { ResumePoint } from "../../model.ts";
import { diskSteps, unusable } from "../file.ts";
import { type AccessFacts, encodeHead, encodeTable, type WindowPlace } from "./format.ts";
import type { Span } from "./span.ts";

/** What lies beside for so long without being written to was left by a process that is gone. */
const LEFT_AFTER_MS = 60 * 60 * 1000;

/** An index that is being written; what is not finished is removed. */
export class AccessWriter implements AsyncDisposable {
  readonly #path: string;
  readonly #beside: string;
  readonly #file: FileHandle;
  readonly #spans: Span[] = [];
  readonly #windows: WindowPlace[] = [];
  #at = 0;
  #isClosed = false;

  private constructor(path: string, beside: string, file: FileHandle) {
    this.#path = path;
    this.#beside = beside;
    this.#file = file;
  }

  static async create(path: string): Promise<AccessWriter> {
    const beside = `${path}.tmp-${process.pid}-${Date.now().toString(36)}`;
    let writer: AccessWriter | null = null;
    try {
      await mkdir(dirname(path), { recursive: true });
      await removeLeft(path);
      writer = new AccessWriter(path, beside, await open(beside, "wx"));
      await writer.#append(encodeHead());
      return writer;
    } catch (error) {
      await writer?.[Symbol.asyncDispose]();
      throw unusable(path, "cannot be written", error);
    }
  }

  /** Adds a span, in file order, with the resume point that it begins at. */
  async add(span: Span, resume: ResumePoint | null): Promise<void> {
    const window = Buffer.from(resume?.window ?? "", "base64");
    this.#spans.push(span);
    this.#windows.push({ offset: this.#at, bytes: window.length, crc: crc32(window) });
    try {
      await this.#append(window);
    } catch (error) {
      throw unusable(this.#path, "cannot be written", error);
    }
  }

  /** Makes the index durable and moves it to its place. */
  async finish(facts: AccessFacts): Promise<void> {
    try {
      await this.#append(encodeTable({ facts, spans: this.#spans, windows: this.#windows }, this.#at));
      await this.#file.sync();
      await this.#close();
      await rename(this.#beside, this.#path);
      await diskSteps.syncFolder(dirname(this.#path));
    } catch (error) {
      throw unusable(this.#path, "cannot be written", error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await rm(this.#beside, { force: true }).catch(() => {}); // gives its space back
  }

  async #append(bytes: Buffer): Promise<void> {
    if (bytes.length > 0) await this.#file.writeFile(bytes);
    this.#at += bytes.length;
  }

  async #close(): Promise<void> {
    if (!this.#isClosed) await this.#file.close();
    this.#isClosed = true;
  }
}

async function removeLeft(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(path)}.tmp-`)) continue;
    const left = join(folder, name);
    const changed = await stat(left).catch(() => null);
    if (changed !== null && Date.now() - changed.mtimeMs > LEFT_AFTER_MS) await rm(left, { force: true });
  }
}
