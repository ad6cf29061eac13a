import { expect, test } from "vitest";
import { POINTER_VERSION, readPointer, writePointer } from "../../src/change/pointer.ts";

const pointer = { sink: "null:", contract: "topic", types: {} } as const;

test("a pointer is read as it was written, and not if a byte of what it says has changed", () => {
  const text = writePointer(pointer);
  expect(readPointer(text)).toEqual(pointer);
  expect(readPointer(text.replace("null:", "nulL:"))).toBe("its checksum is not that of what it says");
});

test("a pointer of a newer release is not called damaged, whatever members it has", () => {
  const newer = JSON.stringify({ ...JSON.parse(writePointer(pointer)), pointerVersion: POINTER_VERSION + 1, more: [] });
  expect(() => readPointer(newer)).toThrow(
    expect.objectContaining({ code: "STATE_TOO_NEW", message: expect.stringContaining("use the release that wrote it") }),
  );
});
