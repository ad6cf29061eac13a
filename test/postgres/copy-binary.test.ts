import { expect, test } from "vitest";
import { BinaryRows, binaryRows } from "../../src/postgres/copy-binary.ts";
import { seeded } from "../system/support/random.ts";

const random = seeded("copy-binary");

async function* inChunks(bytes: Buffer, size: () => number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; ) {
    const to = from + size();
    yield bytes.subarray(from, to);
    from = to;
  }
}

test("rows come back whole, wherever their bytes are cut", async () => {
  const rows = new BinaryRows();
  const expected: (string | null)[][] = [];
  for (let row = 0; row < 200; row++) {
    const text = "ä".repeat(random.between(0, 40));
    rows.row(4);
    rows.number(2 ** 53 - 1 - row);
    rows.absent();
    rows.text(text);
    rows.bigint(-1n);
    const number = Buffer.alloc(8);
    number.writeBigInt64BE(BigInt(2 ** 53 - 1 - row));
    expected.push([number.toString("hex"), null, Buffer.from(text).toString("hex"), "ff".repeat(8)]);
  }
  const bytes = rows.end();
  for (const size of [() => 1, () => bytes.length, () => random.between(1, 50)]) {
    const found: (string | null)[][] = [];
    for await (const some of binaryRows(inChunks(bytes, size))) {
      found.push(...some.map((fields) => fields.map((field) => field?.toString("hex") ?? null)));
    }
    expect(found).toEqual(expected);
  }
});

test("a text that is longer than a chunk is written as it is", async () => {
  const rows = new BinaryRows();
  const text = "x".repeat(2 ** 20);
  rows.row(1);
  rows.text(text);
  expect(rows.isFull).toBe(true);
  const taken = rows.take();
  const found = [];
  for await (const some of binaryRows(inChunks(Buffer.concat([taken, rows.end()]), () => 65_536))) found.push(...some);
  expect(found.map(([field]) => field?.toString())).toEqual([text]);
});
