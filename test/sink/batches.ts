import { createHash } from "node:crypto";
import type { Batch, DataType } from "../../src/model.ts";
import type { FileEnd, SinkWriter, Stream, Target } from "../../src/sink/sink.ts";

export const TARGET: Target = { version: "20260801", dataType: "artists", contract: "topic", stream: "records" };
/** The sound end of a file. */
export const END: FileEnd = { file: "discogs_20260801_artists.xml.gz", records: 1, complete: true };
/** A signal that never fires. */
export const NEVER = new AbortController().signal;

/** A message body that differs per ordinal and compresses about as well as real ones. */
export function bodyOf(ordinal: number, padding = 40): string {
  const sha256 = createHash("sha256").update(String(ordinal)).digest("hex");
  return JSON.stringify({ type: "data", id: String(ordinal), sha256, text: `Ünïcödé ${(ordinal * 2654435761) % 2 ** 32} ${"x".repeat(padding)}` });
}

/** The tombstone of the record of an ordinal. */
export function tombstoneOf(ordinal: number): string {
  const hash = createHash("sha256").update(String(ordinal)).digest("hex").slice(0, 32);
  const found = { processing_run_id: "2f1e5a3c-0000-4000-8000-000000000001", timestamp: "2026-08-05T04:00:00.000Z", hash };
  return JSON.stringify({ data_type: TARGET.dataType, record_id: String(ordinal), change_type: "deleted", ...found });
}

/** What goes through a sink in one stream, and a number of bodies that are many there. */
export interface StreamSample {
  readonly target: Target;
  readonly many: number;
  batchFrom(firstOrdinal: number, count: number): Batch;
  textTo(count: number): string;
}

export const STREAMS: Readonly<Record<Stream, StreamSample>> = {
  records: { target: TARGET, many: 50_000, batchFrom: (first, count) => batchFrom(first, count), textTo: (count) => textTo(count) },
  deletions: {
    target: { ...TARGET, stream: "deletions" },
    many: 5_000,
    batchFrom: (first, count) =>
      batchOf(
        Array.from({ length: count }, (_, index) => tombstoneOf(first + index)),
        first,
      ),
    textTo: (count) => Array.from({ length: count }, (_, ordinal) => `${tombstoneOf(ordinal)}\n`).join(""),
  },
};

/** A batch of bodies in shared memory, with other bytes before and behind it as in a slot. */
export function batchOf(bodies: readonly string[], firstOrdinal = 0, dataType: DataType = TARGET.dataType): Batch {
  const encoded = bodies.map((body) => Buffer.from(body));
  const size = encoded.reduce((sum, body) => sum + body.length + 1, 0);
  const slot = new Uint8Array(new SharedArrayBuffer(size + 200)).fill(0xee);
  const bytes = slot.subarray(100, 100 + size);
  const ends = new Uint32Array(encoded.length);
  let at = 0;
  encoded.forEach((body, index) => {
    bytes.set(body, at);
    at += body.length;
    ends[index] = at;
    bytes[at] = 0x0a;
    at += 1;
  });
  return { version: TARGET.version, dataType, contract: "topic", firstOrdinal, bytes, ends, rejects: [], changes: null };
}

/** A batch of `count` bodies from an ordinal on. */
export function batchFrom(firstOrdinal: number, count: number, padding?: number): Batch {
  return batchOf(
    Array.from({ length: count }, (_, index) => bodyOf(firstOrdinal + index, padding)),
    firstOrdinal,
  );
}

/** What a reader gets of the ordinals from 0 on. */
export function textTo(count: number, padding?: number): string {
  return Array.from({ length: count }, (_, ordinal) => `${bodyOf(ordinal, padding)}\n`).join("");
}

/** Writes a batch and then uses its memory for something else, as the pool does with a slot. */
export async function writeAndReuse(writer: SinkWriter, batch: Batch, signal: AbortSignal = NEVER): Promise<void> {
  await writer.write(batch, signal);
  batch.bytes.fill(0x21);
}
