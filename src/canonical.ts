/** One text for one JSON value, so that a checksum over it ignores white space and key order and nothing else. */
import { createHash } from "node:crypto";

/** Deeper JSON is not a marker. */
const DEPTH_MAX = 32;

/** Compact JSON with sorted keys. Throws a RangeError on values deeper than a marker can be. */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > DEPTH_MAX) throw new RangeError(`nested deeper than ${DEPTH_MAX} levels`);
  if (Object.is(value, -0)) return "-0"; // JSON.stringify would hide the sign
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(",")}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item, depth + 1)}`).join(",")}}`;
}

/** SHA-256 in hex over the canonical JSON of `value`. */
export function checksumOf(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
