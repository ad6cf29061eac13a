import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeSource, type Fault, openSource, pullPiece, type SourceOptions } from "../../native/index.js";
import type { Contract, DataType } from "../../src/model.ts";

/** What came out of a file, in the words of the oracle. */
export interface NativeOutcome {
  readonly outcome: "ok" | "rejects" | "fatal";
  /** Without their LF. */
  readonly bodies: Buffer[];
  readonly empty: number;
  readonly unknownIds: number;
  readonly rejects: { offset: number; kind: string }[];
  readonly read: number;
  readonly fault: Fault | null;
}

/** The options of a run, all limits at their defaults. */
export function sourceOptions(path: string, options: Partial<SourceOptions> = {}): SourceOptions {
  return {
    path,
    contract: "topic",
    backend: "zlib-ng",
    chunkBytes: 1 << 16,
    recordBytesMax: 64 * 1024 * 1024,
    depthMax: 64,
    attributesMax: 256,
    nameBytesMax: 1024,
    inflatedBytesMax: 2 ** 40,
    inflateRatioMax: 200,
    rejectRawBytesMax: 4096,
    checkpointRecords: 0,
    checkpointMs: 0,
    ...options,
  };
}

/** A folder for inputs, and what removes it. */
export function inputFolder(): { write: (bytes: Uint8Array) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "deadwax-native-"));
  let number = 0;
  return {
    write: (bytes) => {
      number = (number + 1) % 8;
      const path = join(folder, `input-${number}`);
      writeFileSync(path, bytes);
      return path;
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** Limits of the oracle that the addon knows by the same names; `rejectsMax` is the pipeline's. */
type Options = Partial<SourceOptions> & { readonly rejectsMax?: number };

/** Pulls a whole file through the addon; more rejects than `rejectsMax` are fatal, which is the pipeline's part. */
export function runNative(path: string, dataType: DataType, contract: Contract, { rejectsMax = 100, ...options }: Options = {}): NativeOutcome {
  const { handle } = openSource(sourceOptions(path, { dataType, contract, ...options }));
  const slot = new Uint8Array(1 << 16);
  const bodies: Buffer[] = [];
  const rejects: { offset: number; kind: string }[] = [];
  let empty = 0;
  let unknownIds = 0;
  let read = 0;
  try {
    for (;;) {
      const piece = pullPiece(handle, slot);
      const from = piece.own ?? slot;
      const ends = new Uint32Array(from.buffer, from.byteOffset + piece.table, piece.records);
      let start = 0;
      for (const end of ends) {
        bodies.push(Buffer.from(from.slice(start, end)));
        start = end + 1;
      }
      rejects.push(...piece.rejects.map(({ offset, kind }) => ({ offset, kind })));
      empty += piece.empty;
      unknownIds += piece.unknownIds;
      read += piece.read;
      const fault = piece.fault ?? null;
      if (!piece.end && fault === null) continue;
      const isFatal = fault !== null || rejects.length > rejectsMax;
      return { outcome: isFatal ? "fatal" : rejects.length > 0 ? "rejects" : "ok", bodies, empty, unknownIds, rejects, read, fault };
    }
  } finally {
    closeSource(handle);
  }
}
