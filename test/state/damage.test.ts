import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { readMarker, serialiseMarker } from "../../src/state/codec.ts";
import { pendingFiles, resumeInfo } from "../../src/state/decide.ts";
import { FILES, fileOf, realisticMarker, source, VERSION } from "./samples.ts";

const NOW = new Date("2026-03-01T00:00:00.000Z");
const ORIGINAL = realisticMarker(6144);
const BYTES = new TextEncoder().encode(serialiseMarker(ORIGINAL));

/** Fails unless damaged bytes give the very same marker, or none. */
function judge(bytes: Uint8Array, what: string): "same" | "fresh" | "too-new" {
  const result = readMarker(bytes, VERSION, NOW);
  if (result.kind !== "marker") return result.kind;
  // The whole of it: checkpoints, counts, identities and statuses of every run.
  if (!isDeepStrictEqual(result.marker, ORIGINAL)) throw new Error(`${what} gives another marker`);
  return "same";
}

test("the marker under test resumes", () => {
  expect(judge(BYTES, "no damage")).toBe("same");
  expect(resumeInfo(ORIGINAL, fileOf("labels"), source("labels"))).toMatchObject({ kind: "resume", checkpoint: { ordinal: 5000 } });
  expect(pendingFiles(ORIGINAL, FILES)).toHaveLength(3);
  expect(BYTES.length).toBeGreaterThan(10_000);
});

test("every truncation is a fresh start, or the same", () => {
  const same: number[] = [];
  for (let length = 0; length < BYTES.length; length++) {
    if (judge(BYTES.subarray(0, length), `cut to ${length}`) === "same") same.push(length);
  }
  expect(same).toEqual([BYTES.length - 1]); // without the last line feed
});

test("no change of a single byte gives another marker", { timeout: 60_000 }, () => {
  const seen = { same: 0, fresh: 0, "too-new": 0 };
  const bytes = BYTES.slice();
  for (const [at, byte] of BYTES.entries()) {
    const replacements = new Set([byte ^ 0x01, byte ^ 0x20, byte ^ 0x80, 0x22, 0x30 + ((byte + 1) % 10)]);
    replacements.delete(byte);
    for (const replacement of replacements) {
      bytes[at] = replacement;
      seen[judge(bytes, `byte ${at} as ${replacement}`)]++;
    }
    bytes[at] = byte;
  }
  expect(seen.fresh).toBeGreaterThan(4 * BYTES.length * 0.9);
  expect(seen["too-new"]).toBeGreaterThan(0); // markerVersion 2 to 9
});

test("no value of a byte of structure, number or version gives another marker", { timeout: 60_000 }, () => {
  const bytes = BYTES.slice();
  const text = new TextDecoder().decode(BYTES);
  const own = text.indexOf('"deadwax"');
  const places = [own, own + 1, own + 8, text.indexOf('"checksum"', own), text.indexOf('"resume"'), text.indexOf('"ordinal"') + 11];
  for (const place of places) {
    for (let at = place; at < place + 12; at++) {
      for (let replacement = 0; replacement < 256; replacement++) {
        bytes[at] = replacement;
        judge(bytes, `byte ${at} as ${replacement}`);
      }
      bytes[at] = BYTES[at] ?? 0;
    }
  }
});

test("a minus before a zero is noticed", () => {
  const text = new TextDecoder().decode(BYTES);
  const zero = text.lastIndexOf('"unknownIds": 0');
  expect(zero).toBeGreaterThan(0);
  const signed = `${text.slice(0, zero)}"unknownIds":-0${text.slice(zero + 15)}`;
  expect(signed).toHaveLength(text.length);
  expect(judge(new TextEncoder().encode(signed), "-0")).toBe("fresh");
});

test("no removal or repetition of a line gives another marker", () => {
  const lines = new TextDecoder().decode(BYTES).split("\n");
  const encoder = new TextEncoder();
  for (let at = 0; at < lines.length; at++) {
    judge(encoder.encode(lines.toSpliced(at, 1).join("\n")), `without line ${at}`);
    judge(encoder.encode(lines.toSpliced(at, 0, lines[at] ?? "").join("\n")), `line ${at} twice`);
  }
});
