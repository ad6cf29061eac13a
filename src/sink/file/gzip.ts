import { promisify } from "node:util";
import * as zlib from "node:zlib";
import type { Batch, SinkPosition } from "../../model.ts";
import type { FileEnd, SinkWriter } from "../sink.ts";
import type { PartialFile } from "./partial-file.ts";

const deflateRaw = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/** Input compressed by one call: enough that starting without a window costs under 1 % in size. */
const PIECE_BYTES = 512 * 1024;
/** Pieces compressed at once; Node's thread pool has four threads. */
const PIECES_MAX = 4;
/** Half again as fast as zlib's default of 6, for 8 % more bytes. */
const LEVEL = 4;

/** RFC 1952: deflate, no flags, no time, Unix. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
/** An empty last block of fixed codes. */
const LAST_BLOCK = Buffer.from([3, 0]);

/** The gzip member being written: what its trailer will say. */
interface Member {
  crc: number;
  bytes: number;
}

/**
 * Writes gzip, one member per checkpoint. Every batch becomes deflate blocks of its own, ending at a byte (a sync
 * flush), so that a member can end behind any batch: `sync` decides that at once, even beside a `write` whose batch is
 * still being compressed, which then begins the next member.
 */
export class GzipWriter implements SinkWriter {
  readonly #file: PartialFile;
  #member: Member | null = null;
  /** Compressed bytes accepted but not yet in the file: at most one batch and a trailer. */
  readonly #queue: Uint8Array[] = [];
  /** End of the queue in the file. */
  #end: number;
  #flushing: Promise<void> = Promise.resolve();

  constructor(file: PartialFile) {
    this.#file = file;
    this.#end = file.end;
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (batch.bytes.byteLength === 0) return;
    const blocks = await compress(batch.bytes, signal);
    await this.#flush(); // the batch before: this bounds the queue
    signal.throwIfAborted();
    // From here on nothing waits: a `sync` sees the batch wholly or not at all.
    const member = this.#member ?? this.#beginMember();
    member.crc = zlib.crc32(batch.bytes, member.crc);
    member.bytes += batch.bytes.byteLength;
    this.#push(...blocks);
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    signal.throwIfAborted();
    this.#endMember();
    const end = this.#end;
    await this.#flush();
    return this.#file.position(end);
  }

  async finish(_end: FileEnd, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#end === 0) this.#beginMember(); // a file without a member is not gzip
    this.#endMember();
    await this.#flush();
    await this.#file.publish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  #beginMember(): Member {
    this.#push(HEADER);
    this.#member = { crc: 0, bytes: 0 };
    return this.#member;
  }

  #endMember(): void {
    if (this.#member === null) return;
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#member.crc, 0);
    trailer.writeUInt32LE(this.#member.bytes % 2 ** 32, 4);
    this.#push(LAST_BLOCK, trailer);
    this.#member = null;
  }

  #push(...parts: Uint8Array[]): void {
    for (const part of parts) this.#end += part.byteLength;
    this.#queue.push(...parts);
  }

  /** Brings everything queued so far into the file. What fails stays queued, for the next to try again. */
  #flush(): Promise<void> {
    const turn = this.#flushing.then(async () => {
      const parts = this.#queue.length; // more may be queued meanwhile
      if (parts === 0) return;
      await this.#file.append(Buffer.concat(this.#queue));
      this.#queue.splice(0, parts);
    });
    this.#flushing = turn.catch(() => {});
    return turn;
  }
}

/** Compresses a batch off the main thread; when it settles, the batch's memory is no longer read. */
async function compress(bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  for (let start = 0; start < bytes.byteLength; start += PIECES_MAX * PIECE_BYTES) {
    signal.throwIfAborted();
    const group: Promise<Uint8Array>[] = [];
    for (let piece = 0; piece < PIECES_MAX && start + piece * PIECE_BYTES < bytes.byteLength; piece += 1) {
      const from = start + piece * PIECE_BYTES;
      const input = bytes.subarray(from, from + PIECE_BYTES);
      group.push(deflateRaw(input, { level: LEVEL, finishFlush: zlib.constants.Z_SYNC_FLUSH, chunkSize: PIECE_BYTES / 4 }));
    }
    for (const result of await Promise.allSettled(group)) {
      if (result.status === "rejected") throw result.reason;
      blocks.push(result.value);
    }
  }
  return blocks;
}
