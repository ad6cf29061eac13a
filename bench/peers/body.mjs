import { hash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { sortedFields } from "./fields.mjs";

const OUTPUT_BUFFER_BYTES = 1024 * 1024;
/** A UTF-16 code unit takes three bytes of UTF-8 at most. */
const UTF8_BYTES_MAX = 3;

/** Writes one message body a line, in large pieces, and adds up the digest of what it wrote. */
export class BodyWriter {
  records = 0;
  #fd;
  #idIsAttribute;
  #buffer = Buffer.allocUnsafe(OUTPUT_BUFFER_BYTES);
  #used = 0;
  #sum = 0n;

  constructor(output, recordName) {
    this.#fd = output === "-" ? 1 : openSync(output, "w");
    this.#idIsAttribute = recordName === "master" || recordName === "release";
  }

  /** Takes a record whose own keys may still be in any order; those below are sorted. */
  write(record) {
    if (this.#idIsAttribute && record["@id"] !== undefined && record.id === undefined) record.id = record["@id"];
    const ownId = record["@id"] ?? record.id;
    const id = typeof ownId === "string" ? ownId : "unknown";
    const json = JSON.stringify(sortedFields(record));
    const sha256 = hash("sha256", json, "hex");
    this.#append(`{"type":"data","id":${JSON.stringify(id)},"sha256":"${sha256}",${json.slice(1)}\n`);
    this.#sum += BigInt(`0x${hash("sha256", `${id}\0${sha256}`, "hex")}`);
    this.records++;
  }

  /** The sum of SHA-256(id, 0x00, sha256 in hex) modulo 2^256. */
  get digest() {
    return BigInt.asUintN(256, this.#sum).toString(16).padStart(64, "0");
  }

  close() {
    this.#flush();
    if (this.#fd !== 1) closeSync(this.#fd);
  }

  #append(line) {
    const bytesMax = line.length * UTF8_BYTES_MAX;
    if (bytesMax > this.#buffer.length - this.#used) this.#flush();
    if (bytesMax > this.#buffer.length) this.#writeAll(Buffer.from(line));
    else this.#used += this.#buffer.write(line, this.#used, "utf8");
  }

  #flush() {
    this.#writeAll(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #writeAll(bytes) {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
  }
}
