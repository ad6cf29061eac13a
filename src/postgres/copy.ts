import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import type { PostgresClient } from "./connect.ts";

/** The driver makes two writes to the socket of every chunk, so that they should not be small; whole they would hide the server's pace. */
const CHUNK_BYTES = 256 * 1024;

/** Sends rows in COPY's text format; `target` is a table with its columns. */
export async function copyInto(client: PostgresClient, target: string, rows: Uint8Array): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${target} FROM STDIN`));
  await pipeline(Readable.from(chunksOf(rows)), stream);
}

/** Sends rows in COPY's binary format, as they come. */
export async function copyBinaryInto(client: PostgresClient, target: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${target} FROM STDIN (FORMAT binary)`));
  await pipeline(Readable.from(chunks, { objectMode: true, highWaterMark: 1 }), stream);
}

/** Reads the rows of a query in COPY's binary format. */
export function copyBinaryOut(client: PostgresClient, query: string): AsyncIterable<Uint8Array> {
  return client.query(copyTo(`COPY (${query}) TO STDOUT (FORMAT binary)`));
}

function* chunksOf(rows: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < rows.length; from += CHUNK_BYTES) yield rows.subarray(from, from + CHUNK_BYTES);
}
