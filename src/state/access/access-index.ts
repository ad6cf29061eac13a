/** The access index of one dump on disk: see `format.ts` for its bytes. */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { DumpError, systemCode } from "../../errors.ts";
import type { ResumePoint } from "../../model.ts";
import { unusable } from "../file.ts";
import { type AccessFacts, type AccessTable, decodeFoot, decodeTable, FOOT_BYTES, HEAD_BYTES } from "./format.ts";
import type { Span } from "./span.ts";

/** The folder of access indexes in that of the state. */
const FOLDER = ".deadwax_access";

/** The path of a dump's access index. */
export function accessPath(stateRoot: string, name: string): string {
  return join(stateRoot, FOLDER, `${name}.access`);
}

/** The index turns out to be damaged while it is used. */
export class AccessDamaged extends Error {
  override readonly name = "AccessDamaged";
}

/** An open access index. */
export class AccessIndex implements AsyncDisposable {
  readonly facts: AccessFacts;
  readonly spans: readonly Span[];
  readonly #windows: AccessTable["windows"];
  readonly #file: FileHandle;

  private constructor(file: FileHandle, { facts, spans, windows }: AccessTable) {
    this.#file = file;
    this.facts = facts;
    this.spans = spans;
    this.#windows = windows;
  }

  /** Opens an index; null if there is none, a text if it cannot be used. */
  static async open(path: string): Promise<AccessIndex | string | null> {
    let file: FileHandle;
    try {
      file = await open(path, "r");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return null;
      throw unusable(path, "cannot be read", error);
    }
    let table: AccessTable | string = "it cannot be read";
    try {
      table = await readTable(file);
    } catch (error) {
      throw unusable(path, "cannot be read", error);
    } finally {
      if (typeof table === "string") await file.close();
    }
    return typeof table === "string" ? table : new AccessIndex(file, table);
  }

  /** How to begin reading a span; null: at the beginning. Throws {@link AccessDamaged} if that can no longer be told. */
  async resumeAt(index: number): Promise<ResumePoint | null> {
    const { point } = this.spans[index] ?? {};
    const place = this.#windows[index];
    if (point === undefined || place === undefined) throw new DumpError("INTERNAL", `the access index has no span ${index}; please report it`);
    if (point === null) return null;
    const window = await readAt(this.#file, place.offset, place.bytes);
    if (window.length !== place.bytes || crc32(window) !== place.crc) throw new AccessDamaged("the checksum of a window is wrong");
    const { rootName, lineForm } = this.facts;
    return { ...point, window: window.toString("base64"), rootName, lineForm };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

async function readTable(file: FileHandle): Promise<AccessTable | string> {
  const { size } = await file.stat();
  if (size < HEAD_BYTES + FOOT_BYTES) return "it is cut short";
  const foot = await readAt(file, size - FOOT_BYTES, FOOT_BYTES);
  const place = decodeFoot(foot, size);
  if (place === null) return "it is cut short or damaged";
  return decodeTable(await readAt(file, 0, HEAD_BYTES), await readAt(file, place.offset, place.bytes), foot);
}

/** So many bytes, or fewer where the file ends. */
async function readAt(file: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, offset);
  return buffer.subarray(0, bytesRead);
}
