import { createHash } from "node:crypto";
import type { Batch, DataType } from "../../src/model.ts";
import type { FileEnd, SinkWriter, Target } from "../../src/sink/sink.ts";

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
