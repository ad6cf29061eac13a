import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readGzip } from "./gzip.ts";

const TEXT = Buffer.from("<artists>".repeat(50));

describe("the oracle's gzip reader", () => {
  test("every single-bit flip is refused or gives the same bytes", () => {
    const file = gzipSync(TEXT);
    for (let bit = 0; bit < file.length * 8; bit += 1) {
      const flipped = Buffer.from(file);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const read = readGzip(flipped);
      // A flip in the magic makes it plain bytes, which are no XML.
      if (read.fatal === undefined && bit >= 16) expect(read.bytes.equals(TEXT), `bit ${bit}`).toBe(true);
    }
  });

  test("every truncation is refused", () => {
    const file = gzipSync(TEXT);
    for (let end = 2; end < file.length; end += 1) expect(readGzip(file.subarray(0, end)).fatal, `at ${end}`).toBeDefined();
  });

  test("header fields are skipped", () => {
    const plain = gzipSync(TEXT);
    const header = Buffer.concat([plain.subarray(0, 3), Buffer.from([0x1c]), plain.subarray(4, 10)]);
    const fields = Buffer.from("\x02\0abname\0comment\0", "latin1");
    expect(readGzip(Buffer.concat([header, fields, plain.subarray(10)])).bytes.equals(TEXT)).toBe(true);
  });

  test("what is not gzip is taken as it is", () => {
    expect(readGzip(TEXT)).toEqual({ bytes: TEXT });
    expect(readGzip(Buffer.alloc(0))).toEqual({ bytes: Buffer.alloc(0) });
  });
});
