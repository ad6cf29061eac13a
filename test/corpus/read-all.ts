import type { ParsePool } from "../../dist/parse/pool.js";
import type { Contract, DataType } from "../../src/model.ts";

/** What came out of one file, as the edge cases judge it. */
export interface Reading {
  readonly outcome: "ok" | "rejects" | "fatal";
  /** All bodies, each with its LF. */
  readonly bytes: Buffer;
  readonly read: number;
  readonly written: number;
  readonly empty: number;
  readonly rejects: number;
  readonly error: string | null;
}

/** Rejects of one file before it fails: the command line's default. */
const REJECTS_MAX = 100;

const LIMITS = {
  recordBytesMax: 64 * 2 ** 20,
  depthMax: 64,
  attributesMax: 256,
  nameBytesMax: 1024,
  inflatedBytesMax: 2 ** 40,
  inflateRatioMax: 200,
  rejectRawBytesMax: 1000,
};

/** Reads a whole file through the pool; a 101st reject fails it, as in a run. */
export async function readAll(pool: ParsePool, path: string, dataType: DataType, contract: Contract): Promise<Reading> {
  const parts: Buffer[] = [];
  const sum = { read: 0, written: 0, empty: 0, rejects: 0 };
  let error: string | null = null;
  const checkpoints = { checkpointRecords: 0, checkpointMs: 0 };
  await using pieces = pool.pull(path, { path, dataType, contract, backend: "zlib-ng", resume: null, ...LIMITS, ...checkpoints });
  for await (const piece of pieces) {
    try {
      error = piece.error?.message ?? (sum.rejects + piece.rejects.length > REJECTS_MAX ? "too many rejects" : null);
      if (sum.rejects + piece.rejects.length > REJECTS_MAX) break;
      parts.push(Buffer.from(piece.body.slice()));
      sum.read += piece.read;
      sum.written += piece.records;
      sum.empty += piece.empty;
      sum.rejects += piece.rejects.length;
    } finally {
      piece.release();
    }
  }
  return { outcome: error !== null ? "fatal" : sum.rejects > 0 ? "rejects" : "ok", bytes: Buffer.concat(parts), ...sum, error };
}

/** Bodies as one stretch of bytes, each with its LF. */
export function joined(bodies: readonly Buffer[]): Buffer {
  return Buffer.concat(bodies.flatMap((body) => [body, Buffer.from("\n")]));
}
