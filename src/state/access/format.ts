/**
 * The access index as bytes:
 *
 *     head     magic, version, zeros                                 16 bytes
 *     windows  of the points, deflated, one after another
 *     table    a row of 13 float64 for each span                     little endian; -1: there is none
 *     facts    JSON
 *     foot     lengths of table and facts, where the table begins, SHA-256 of head, table, facts and these three, magic
 *
 * Table and facts are checked as a whole when the file is opened, a window by its CRC-32 when it is used.
 */
import { createHash } from "node:crypto";
import type { FileIdentity } from "../../model.ts";
import type { Span } from "./span.ts";

export const ACCESS_VERSION = 1;
const MAGIC = "DWaccess";
export const HEAD_BYTES = 16;
const FIELDS = 13;
const ROW_BYTES = FIELDS * 8;
const LENGTHS_BYTES = 24;
const HASH_BYTES = 32;
export const FOOT_BYTES = LENGTHS_BYTES + HASH_BYTES + MAGIC.length;

/** Where the window of a span's point lies in the file. */
export interface WindowPlace {
  readonly offset: number;
  readonly bytes: number;
  readonly crc: number;
}

/** What a dump is as a whole. */
export interface AccessFacts {
  /** Of the very file that the points lead into. */
  readonly identity: FileIdentity;
  readonly dataType: string;
  readonly rootName: string;
  readonly lineForm: string | null;
}

/** All of an access index but the windows. */
export interface AccessTable {
  readonly facts: AccessFacts;
  readonly spans: readonly Span[];
  readonly windows: readonly WindowPlace[];
}

/** What the file begins with. */
export function encodeHead(): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, "latin1");
  head.writeUInt32LE(ACCESS_VERSION, MAGIC.length);
  return head;
}

/** What follows the windows, the table beginning at `offset`. */
export function encodeTable({ facts, spans, windows }: AccessTable, offset: number): Buffer {
  const numbers = spans.flatMap(({ point, offset, records, min, max, odd }, index) => [
    ...[offset, records, min ?? -1, max ?? -1, odd],
    ...(point === null ? [-1, 0, 0, 0, 0] : [point.compressedOffset, point.bits, point.memberCrc, point.memberBytes, point.inflatedOffset]),
    ...[windows[index]?.offset ?? 0, windows[index]?.bytes ?? 0, windows[index]?.crc ?? 0],
  ]);
  const table = Buffer.alloc(spans.length * ROW_BYTES);
  for (const [index, number] of numbers.entries()) table.writeDoubleLE(number, index * 8);
  const json = Buffer.from(JSON.stringify(facts));
  const lengths = Buffer.alloc(LENGTHS_BYTES);
  for (const [index, number] of [table.length, json.length, offset].entries()) lengths.writeDoubleLE(number, index * 8);
  return Buffer.concat([table, json, lengths, digest(encodeHead(), table, json, lengths), Buffer.from(MAGIC, "latin1")]);
}

/** Where table and facts lie, by the file's last bytes; null if these are no such thing. */
export function decodeFoot(foot: Buffer, fileBytes: number): { readonly offset: number; readonly bytes: number } | null {
  if (foot.length !== FOOT_BYTES || foot.toString("latin1", FOOT_BYTES - MAGIC.length) !== MAGIC) return null;
  const [table, json, offset] = [foot.readDoubleLE(0), foot.readDoubleLE(8), foot.readDoubleLE(16)];
  const isSound = [table, json, offset].every((number) => Number.isSafeInteger(number) && number >= 0) && table % ROW_BYTES === 0;
  return isSound && offset + table + json + FOOT_BYTES === fileBytes ? { offset, bytes: table + json } : null;
}

/** What {@link encodeTable} has written, or why it cannot be used. */
export function decodeTable(head: Buffer, tableAndFacts: Buffer, foot: Buffer): AccessTable | string {
  if (head.toString("latin1", 0, MAGIC.length) !== MAGIC) return "it is no access index";
  const version = head.readUInt32LE(MAGIC.length);
  if (version !== ACCESS_VERSION) return `it has the format ${version}, and this deadwax ${ACCESS_VERSION}`;
  const lengths = foot.subarray(0, LENGTHS_BYTES);
  const table = tableAndFacts.subarray(0, lengths.readDoubleLE(0));
  const json = tableAndFacts.subarray(table.length);
  if (!digest(head, table, json, lengths).equals(foot.subarray(LENGTHS_BYTES, LENGTHS_BYTES + HASH_BYTES))) return "its checksum is wrong";
  const rows = Array.from({ length: table.length / ROW_BYTES }, (_, row) => decodeRow(table, row * ROW_BYTES));
  // Behind the checksum it is what we have written.
  return { facts: JSON.parse(json.toString()) as AccessFacts, spans: rows.map(({ span }) => span), windows: rows.map(({ window }) => window) };
}

function decodeRow(table: Buffer, at: number): { span: Span; window: WindowPlace } {
  const [offset = 0, records = 0, min = 0, max = 0, odd = 0, compressedOffset = 0, bits = 0, memberCrc = 0, memberBytes = 0, inflatedOffset = 0, ...window] =
    Array.from({ length: FIELDS }, (_, field) => table.readDoubleLE(at + field * 8));
  const [windowOffset = 0, bytes = 0, crc = 0] = window;
  const point = compressedOffset < 0 ? null : { compressedOffset, bits, memberCrc, memberBytes, inflatedOffset, recordOffset: offset };
  return {
    span: { point, offset, records, min: min < 0 ? null : min, max: max < 0 ? null : max, odd },
    window: { offset: windowOffset, bytes, crc },
  };
}

function digest(...parts: readonly Buffer[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
