/** COPY's binary format, for fixed tables of ours: numbers, uuids and text. */

const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");
/** Signature, flags, length of an extension that there is none of. */
const HEADER_BYTES = SIGNATURE.length + 8;
const CHUNK_BYTES = 256 * 1024;
const UUID_BYTES = 16;

/** Writes rows, field by field; what is full is taken with {@link take}. */
export class BinaryRows {
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #length = 0;

  constructor() {
    this.#length = SIGNATURE.copy(this.#buffer);
    this.#buffer.fill(0, this.#length, HEADER_BYTES);
    this.#length = HEADER_BYTES;
  }

  get isFull(): boolean {
    return this.#length >= CHUNK_BYTES;
  }

  row(fields: number): void {
    this.#need(2);
    this.#length = this.#buffer.writeInt16BE(fields, this.#length);
  }

  absent(): void {
    this.#need(4);
    this.#length = this.#buffer.writeInt32BE(-1, this.#length);
  }

  smallint(value: number): void {
    this.#head(2);
    this.#length = this.#buffer.writeInt16BE(value, this.#length);
  }

  integer(value: number): void {
    this.#head(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
  }

  /** As its 64 bits are, whatever the sign. */
  bigint(value: bigint): void {
    this.#head(8);
    this.#length = this.#buffer.writeBigUInt64BE(BigInt.asUintN(64, value), this.#length);
  }

  /** A whole number that is no bigint. */
  number(value: number): void {
    this.#head(8);
    this.#length = this.#buffer.writeUInt32BE(Math.floor(value / 2 ** 32), this.#length);
    this.#length = this.#buffer.writeUInt32BE(value % 2 ** 32, this.#length);
  }

  /** The 16 bytes of `bytes` at `at`. */
  uuid(bytes: Uint8Array, at: number): void {
    this.#head(UUID_BYTES);
    this.#buffer.set(bytes.subarray(at, at + UUID_BYTES), this.#length);
    this.#length += UUID_BYTES;
  }

  text(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.#head(bytes);
    this.#length += this.#buffer.write(value, this.#length);
  }

  /** What was written since it was last taken. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    this.#length = 0;
    return taken;
  }

  /** The rest, with the end mark. */
  end(): Buffer {
    this.#need(2);
    this.#length = this.#buffer.writeInt16BE(-1, this.#length);
    return this.take();
  }

  #head(bytes: number): void {
    this.#need(4 + bytes);
    this.#length = this.#buffer.writeInt32BE(bytes, this.#length);
  }

  #need(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** Reads what COPY sends in its binary format, whole rows of each chunk at a time, as the bytes of their fields; null: no value. */
export async function* binaryRows(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<(Buffer | null)[][]> {
  let rest = Buffer.alloc(0);
  let isBegun = false;
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk]);
    if (!isBegun && rest.length < HEADER_BYTES) continue;
    let at = isBegun ? 0 : HEADER_BYTES;
    isBegun = true;
    const rows: (Buffer | null)[][] = [];
    for (let read = readRow(rest, at); read !== null; read = readRow(rest, at)) {
      at = read.next;
      rows.push(read.fields);
    }
    if (rows.length > 0) yield rows;
    rest = rest.subarray(at);
  }
}

/** The row at a place; null: it is not there as a whole, or it is the end mark. */
function readRow(bytes: Buffer, from: number): { fields: (Buffer | null)[]; next: number } | null {
  if (from + 2 > bytes.length) return null;
  const count = bytes.readInt16BE(from);
  if (count < 0) return null;
  const fields: (Buffer | null)[] = [];
  let at = from + 2;
  for (let field = 0; field < count; field++) {
    if (at + 4 > bytes.length) return null;
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0) {
      fields.push(null);
      continue;
    }
    if (at + length > bytes.length) return null;
    fields.push(bytes.subarray(at, at + length));
    at += length;
  }
  return { fields, next: at };
}
