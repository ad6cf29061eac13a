import { type Flags, resolveExtractConfig } from "../config.ts";
import type { Batch, Contract, DataType } from "../model.ts";
import type { ParsedPiece } from "../parse/piece-stream.ts";
import { ParsePool } from "../parse/pool.ts";
import { Tally } from "../tally.ts";
import { silentTelemetry } from "../telemetry.ts";
import { type DumpRecord, parseRecord } from "./dump-record.ts";
import { assertVerified, sourceOptions } from "./extract-file.ts";
import { findDumps, toRequest } from "./plan.ts";
import { ensureSound, verifyStreamed } from "./verify-files.ts";

/** How a dump is read; what is left out has the command line's default. Environment variables play no part. */
export interface ExtractOptions {
  readonly contract?: Contract;
  /** Needed only where neither the file's name nor its root element tells. */
  readonly type?: DataType;
  /** Worker threads; default: the CPU count. */
  readonly threads?: number;
  /** Inflated bytes that a batch aims at; default 2 MiB. */
  readonly chunkBytes?: number;
  /** `auto`: the file is verified before the first batch; `full`: by a pass over the gzip in any case; `stream`: only while reading. */
  readonly verify?: "auto" | "full" | "stream";
  /** Malformed records after which reading fails; default 100. */
  readonly rejectsMax?: number;
  readonly signal?: AbortSignal;
}

/** Records in file order. It and all it gives out are valid until the next batch is asked for: copy what is to stay. */
export interface RecordBatch extends Batch {
  /** Number of records. */
  readonly length: number;
  /** The exact bytes of one message body. */
  body(index: number): Uint8Array;
  /** The records, each parsed when it is reached. */
  [Symbol.iterator](): Generator<DumpRecord>;
}

/**
 * Reads a dump, gzip or plain XML, as batches of records, parsed on worker threads. Throws a `DumpError` with a code where the dump is
 * damaged; malformed records come in `rejects` of their batch, up to the limit. Leaving the loop early ends the reading.
 *
 * @param path the dump, or `-` for standard input
 */
export async function* extract(path: string, options: ExtractOptions = {}): AsyncGenerator<RecordBatch, void, undefined> {
  const config = resolveExtractConfig({ files: [path], flags: { ...toFlags(options), sink: "null:" }, env: {} });
  const request = toRequest(config, await findDumps(config));
  const signal = options.signal ?? new AbortController().signal;
  await using pool = new ParsePool(request);
  using telemetry = silentTelemetry();
  const context = { request, pool, store: null, telemetry, signal };
  for (const input of request.inputs) {
    const source = await ensureSound(input, context);
    const tally = new Tally(null, null);
    await using pieces = pool.pull(input.name, { ...sourceOptions(request), path: input.path, dataType: input.dataType, resume: null });
    assertVerified(input.name, source, pieces);
    const stop = () => pieces.stop();
    signal.addEventListener("abort", stop);
    using _deaf = { [Symbol.dispose]: () => signal.removeEventListener("abort", stop) };
    for await (const piece of pieces) {
      try {
        signal.throwIfAborted();
        const batch = tally.cut(piece, request);
        tally.refuseTooMany(input.name, batch, request.limits.rejectsMax);
        tally.add(piece, batch);
        if (batch.ends.length + batch.rejects.length > 0) yield toRecordBatch(batch, piece);
        if (piece.error !== null) throw piece.error;
      } finally {
        piece.release();
      }
    }
    signal.throwIfAborted();
    tally.assertConserved(input.name);
    assertVerified(input.name, source, pieces);
    if (request.verify === "stream") await verifyStreamed(input, context);
  }
}

function toFlags({ contract, type, threads, chunkBytes, verify, rejectsMax }: ExtractOptions): Flags {
  const given = { contract, type, threads, chunk: chunkBytes, verify, maxRejects: rejectsMax };
  return Object.fromEntries(Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])));
}

function toRecordBatch(batch: Batch, { body: bytes }: ParsedPiece): RecordBatch {
  const body = (index: number) => bytes.subarray(index === 0 ? 0 : (batch.ends[index - 1] ?? 0) + 1, batch.ends[index]);
  return {
    ...batch,
    length: batch.ends.length,
    body,
    *[Symbol.iterator]() {
      for (let index = 0; index < batch.ends.length; index += 1) yield parseRecord(body(index));
    },
  };
}
