import { expect } from "vitest";

/** Bodies as a batch has them: one after another, each with a LF, and where they end. */
export function asBatch(bodies: readonly (string | Uint8Array)[]): { bytes: Buffer; ends: Uint32Array } {
  const parts = bodies.map((body) => Buffer.from(body));
  let at = -1;
  const ends = Uint32Array.from(parts, (part) => (at += part.length + 1));
  return { bytes: Buffer.concat(parts.flatMap((part) => [part, Buffer.from("\n")])), ends };
}

const ESCAPES: Readonly<Record<string, string>> = { "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t" };

/** Rows of COPY in their columns, as the server reads them. */
export function columnsOf(rows: Buffer): string[][] {
  if (rows.length === 0) return [];
  const text = rows.toString("utf8");
  expect(text.endsWith("\n")).toBe(true);
  return text
    .slice(0, -1)
    .split("\n")
    .map((row) => row.split("\t").map((column) => column.replace(/\\.?/gs, (found) => ESCAPES[found] ?? expect.fail(`${found} in ${row}`))));
}

/** What becomes of text that PostgreSQL cannot hold. */
function storableText(text: string): string {
  return text.replaceAll("\0", "\ufffd").replace(/\p{Surrogate}/gu, "\ufffd");
}

/** What a table holds of a parsed body. */
export function storable(value: unknown): unknown {
  if (typeof value === "string") return storableText(value);
  if (typeof value === "number") return value === 0 ? 0 : value; // numeric has no negative zero
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [storableText(key), storable(member)]));
}

/** The keys that a release gets beside its own, as simply as can be. */
export function derived(release: Readonly<Record<string, unknown>>, yearMax: number): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const year = typeof release["released"] === "string" ? Number(/^\d{4}(?!\d)/.exec(release["released"])?.[0]) : Number.NaN;
  if (year >= 1860 && year <= yearMax) found["year"] = year;
  else if ("year" in release && !Number.isInteger(release["year"])) found["year"] = null;
  const list = member(release["artists"], "artist") ?? release["artists"];
  let artist = "";
  let join: string | null = null;
  for (const one of Array.isArray(list) ? list : [list]) {
    const name = member(one, "name");
    if (typeof name !== "string" || name === "") continue;
    if (join !== null) artist += join === "" || join === "," ? ", " : ` ${join} `;
    artist += name;
    const next = member(one, "join");
    join = typeof next === "string" ? next : "";
  }
  if (join !== null) found["artist"] = artist;
  return found;
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>)[key] : undefined;
}
