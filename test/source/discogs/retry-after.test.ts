import { expect, it } from "vitest";
import { readHttpDate, readRetryAfter } from "../../../src/source/discogs/retry-after.ts";

const NOW = Date.parse("Sun, 06 Nov 1994 08:49:37 GMT");

it.each([
  ["7", undefined, 7],
  [" 0 ", undefined, 0],
  ["100000", undefined, 7200],
  ["99999999999", undefined, null],
  ["-5", undefined, null],
  ["1.5", undefined, null],
  ["soon", undefined, null],
  ["", undefined, null],
  [undefined, undefined, null],
  ["Sun, 06 Nov 1994 08:50:37 GMT", undefined, 60],
  ["Sun, 06 Nov 1994 08:48:37 GMT", undefined, 0],
  ["Sun, 06 Nov 1995 08:48:37 GMT", undefined, 7200],
  // measured on the server's clock where it tells its time, which here is an hour ahead
  ["Sun, 06 Nov 1994 09:50:37 GMT", "Sun, 06 Nov 1994 09:49:37 GMT", 60],
  ["Sun, 06 Nov 1994 08:50:37 GMT", "nonsense", 60],
])("understands Retry-After: %s (Date: %s) as %s seconds", (header, date, seconds) => {
  expect(readRetryAfter(header, date, NOW, 7200)).toBe(seconds);
});

it("reads the three forms of a date", () => {
  for (const text of ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]) expect(readHttpDate(text)).toBe(NOW);
  expect(readHttpDate("1994-11-06T08:49:37Z")).toBeNull();
});
