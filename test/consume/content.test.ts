import { describe, expect, test } from "vitest";
import { contentOf } from "../../src/consume/content.ts";

const of = (value: unknown) => contentOf(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));

describe("a record is known", () => {
  test.each([
    ["by how it begins, without being read", '{"type":"data","id":'],
    ["by its type, wherever that stands", '{ "id": "1", "type": "data" }'],
    ["by having none", { id: "1", sha256: "x" }],
    ["whatever its members are called", { id: "1", note: '"type":"file_complete"' }],
  ])("%s", (_, body) => expect(of(body)).toEqual({ kind: "record" }));
});

test("file_complete gives the file and its records, or what of them is there", () => {
  const message = { type: "file_complete", data_type: "artists", timestamp: "2026-08-01T10:00:00Z", total_processed: 3, file: "a.xml.gz" };
  expect(of(message)).toEqual({ kind: "file_complete", message: { file: "a.xml.gz", totalProcessed: 3 } });
  expect(of({ type: "file_complete" })).toEqual({ kind: "file_complete", message: { file: null, totalProcessed: null } });
});

test("extraction_complete gives version, start and counts of the four types", () => {
  const message = { type: "extraction_complete", version: "20260801", started_at: "2026-08-01T00:00:00.123456789Z", record_counts: { artists: 1, other: 9 } };
  const expected = { version: "20260801", startedAt: "2026-08-01T00:00:00.123456789Z", recordCounts: { artists: 1 } };
  expect(of(message)).toEqual({ kind: "extraction_complete", message: expected });
  expect(of({ ...message, started_at: undefined })).toEqual({ kind: "extraction_complete", message: { ...expected, startedAt: null } });
});

test.each([["x"], ["null"], ["7"], ['"data"'], ["[]"], [{ type: null }], [{ type: {} }], [{ type: "DATA" }], [{ type: "x".repeat(1000) }]])(
  "%j is refused, with a reason on one short line",
  (body) => {
    const content = of(body);
    expect(content.kind).toBe("refused");
    expect(content.kind === "refused" ? content.reason : "").toMatch(/^.{10,80}$/);
  },
);
