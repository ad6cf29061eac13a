import { fstatSync, write as writeFd } from "node:fs";
import type { Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { DumpError } from "../../errors.ts";
import { BrokenPipeError, osCode } from "../sink-errors.ts";

/** `process.stdout`, or what stands in for it. */
export type StandardStream = Writable & { readonly fd: number };

/** Bytes handed to a pipe at a time: what a Linux pipe holds, and what is copied at once. */
const PIECE_BYTES = 64 * 1024;

const CLOSED = ["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END"];

/** Takes bytes in the order of the calls; once a write has failed, all later ones fail with the same error. */
export interface Outlet {
  /** Resolves once the system has all the bytes, and they may be overwritten. */
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
}

type Send = (bytes: Uint8Array, signal: AbortSignal) => Promise<void>;

/**
 * Opens the way out that fits what standard output is. A regular file or a device takes writes by descriptor, off the
 * main thread. A pipe, socket or terminal must not: a thread blocked by a reader that stalls would keep the process
 * from exiting; its stream waits without a thread.
 */
export function openOutlet(stream: StandardStream): Outlet {
  const kind = describe(() => fstatSync(stream.fd));
  const isWaited = kind.isFIFO() || kind.isSocket() || ("isTTY" in stream && stream.isTTY === true);
  const send = isWaited ? throughStream(stream) : throughDescriptor(stream.fd);
  let last: Promise<void> = Promise.resolve();
  let failure: { readonly error: unknown } | null = null;

  async function take(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    if (failure !== null) throw failure.error;
    signal.throwIfAborted();
    try {
      await send(bytes, signal);
    } catch (error) {
      // A part may be out, so that neither this batch nor another may follow.
      failure = { error: stdoutError(error) };
      throw failure.error;
    }
  }

  return {
    write(bytes, signal) {
      const turn = last.then(() => take(bytes, signal));
      last = turn.catch(() => {});
      return turn;
    },
  };
}

function throughDescriptor(fd: number): Send {
  const write = promisify(writeFd);
  return async (bytes, signal) => {
    let done = 0;
    while (done < bytes.byteLength) {
      signal.throwIfAborted();
      const { bytesWritten } = await write(fd, bytes, done, bytes.byteLength - done, null); // null: honours >>
      done += bytesWritten;
    }
  };
}

function throughStream(stream: StandardStream): Send {
  // Never removed: the stream reports a broken pipe once more as an event, maybe after the last write was answered.
  stream.on("error", () => {});
  // A copy, since an abort has to leave at once while the stream still holds the piece.
  const buffer = Buffer.alloc(PIECE_BYTES);
  return async (bytes, signal) => {
    for (let start = 0; start < bytes.byteLength; start += PIECE_BYTES) {
      const part = bytes.subarray(start, start + PIECE_BYTES);
      buffer.set(part);
      await sendPiece(stream, buffer.subarray(0, part.byteLength), signal);
    }
    // A fast reader has every piece answered without a turn of the event loop; signals and timers need one.
    await setImmediate();
  };
}

function sendPiece(stream: StandardStream, piece: Uint8Array, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    stream.write(piece, (error) => {
      signal.removeEventListener("abort", onAbort);
      if (error) reject(error);
      else resolve();
    });
  });
}

function describe<T>(operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw stdoutError(error);
  }
}

/** Turns what writing threw into a {@link DumpError}; an abort or a defect comes back as it is. */
function stdoutError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  if (code !== undefined && CLOSED.includes(code)) {
    return new BrokenPipeError("SINK_UNAVAILABLE", "standard output: its reader has gone", { cause: error });
  }
  const cause = osCode(error);
  if (cause === "ENOSPC" || cause === "EDQUOT" || cause === "EFBIG") {
    const text = "standard output: no space left; free some space or send it elsewhere, then start again";
    return new DumpError("SINK_FULL", text, { cause: error });
  }
  if (cause === undefined) return error;
  const text = `standard output: cannot be written (${cause}); check where it goes, then start again`;
  return new DumpError("SINK_UNAVAILABLE", text, { cause: error });
}
