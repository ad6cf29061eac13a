import { inflateRawSync } from "node:zlib";
import type { Fatal } from "./document.ts";

const FLAG = { text: 1, headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

/** Inflates every member of a gzip; content that does not start like one is taken as it is. Offsets of faults are those of the file. */
export function readGzip(file: Buffer): { bytes: Buffer; fatal?: Fatal } {
  if (!isMagic(file, 0)) return { bytes: file };
  const members: Buffer[] = [];
  let at = 0;
  while (at < file.length) {
    const member = readMember(file, at);
    if ("message" in member) return { bytes: Buffer.concat(members), fatal: member };
    members.push(member.bytes);
    at = member.end;
  }
  return { bytes: Buffer.concat(members) };
}

function isMagic(file: Buffer, at: number): boolean {
  return file[at] === 0x1f && file[at + 1] === 0x8b;
}

function readMember(file: Buffer, start: number): { bytes: Buffer; end: number } | Fatal {
  const fatal = (message: string): Fatal => ({ offset: start, message });
  if (!isMagic(file, start)) return fatal("bytes behind the last gzip member");
  const data = headerEnd(file, start);
  if (typeof data === "string") return fatal(data);
  const inflated = inflate(file.subarray(data));
  if (typeof inflated === "string") return fatal(inflated);
  const trailer = data + inflated.consumed;
  if (trailer + TRAILER_BYTES > file.length) return fatal("the gzip trailer is cut");
  if (file.readUInt32LE(trailer) !== crc32(inflated.bytes)) return fatal("the CRC of the gzip member is wrong");
  if (file.readUInt32LE(trailer + 4) !== inflated.bytes.length % 2 ** 32) return fatal("the length of the gzip member is wrong");
  return { bytes: inflated.bytes, end: trailer + TRAILER_BYTES };
}

/** Offset behind the member's header, or what is wrong with it. */
function headerEnd(file: Buffer, start: number): number | string {
  if (start + HEADER_BYTES > file.length) return "the gzip header is cut";
  if (file[start + 2] !== 8) return "the compression method is not deflate";
  const flags = file[start + 3] ?? 0;
  if ((flags & FLAG.reserved) !== 0) return "a reserved flag of the gzip header is set";
  let at = start + HEADER_BYTES;
  if (flags & FLAG.extra) at += 2 + (at + 2 <= file.length ? file.readUInt16LE(at) : 0);
  for (const flag of [FLAG.name, FLAG.comment]) {
    if (!(flags & flag)) continue;
    const zero = file.indexOf(0, at);
    if (zero === -1) return "the gzip header is cut";
    at = zero + 1;
  }
  if (flags & FLAG.headerCrc) {
    if (at + 2 > file.length) return "the gzip header is cut";
    if (file.readUInt16LE(at) !== (crc32(file.subarray(start, at)) & 0xffff)) return "the CRC of the gzip header is wrong";
    at += 2;
  }
  return at > file.length ? "the gzip header is cut" : at;
}

function inflate(data: Buffer): { bytes: Buffer; consumed: number } | string {
  try {
    // `info` gives the engine too, whose `bytesWritten` is the number of bytes consumed; the types do not know it.
    const result: unknown = inflateRawSync(data, { info: true });
    const { buffer, engine } = result as { buffer: Buffer; engine: { bytesWritten: number } };
    return { bytes: buffer, consumed: engine.bytesWritten };
  } catch (error) {
    return `the deflate stream is damaged or cut: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** CRC-32 bit by bit, by its definition (node:zlib has one from Node 22 on only). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
