/** Bytes to marker and back. Reading never throws: a marker is believed as a whole or not at all. */
import { isUtf8 } from "node:buffer";
import type { z } from "zod";
import { checksumOf } from "../canonical.ts";
import { DumpError } from "../errors.ts";
import { MARKER_BYTES_MAX, MARKER_VERSION, type Marker } from "./marker.ts";
import { oneLine } from "./one-line.ts";
import { markerSchema, upstreamSchema } from "./schema.ts";

/** Most characters of another library's words in a reason. */
const REASON_CHARS_MAX = 200;

export type ReadResult =
  /** Upstream's marker has no part of ours: the run that opens it adopts what it says. */
  | { readonly kind: "marker"; readonly marker: Marker; readonly writer: "deadwax" | "upstream" }
  /** Nothing in it is believed: the caller warns, keeps the file as `keepAs` beside and starts afresh. */
  | { readonly kind: "fresh"; readonly reason: string; readonly keepAs: string }
  /** A newer deadwax wrote it: the caller refuses to go on. */
  | { readonly kind: "too-new"; readonly markerVersion: number };

/** Name of a version's marker file. */
export function markerName(version: string): string {
  return `.extraction_status_${version}.json`;
}

/** Name under which a marker that cannot be used is kept. */
export function keptName(version: string, now: Date): string {
  return `${markerName(version)}.corrupt-${now.toISOString().replace(/[-:.]/g, "")}`;
}

/** Reads the marker of `version`; any bytes give a result. */
export function readMarker(bytes: Uint8Array, version: string, now: Date): ReadResult {
  const fresh = (reason: string): ReadResult => ({ kind: "fresh", reason, keepAs: keptName(version, now) });
  try {
    if (bytes.byteLength > MARKER_BYTES_MAX) return fresh(`it is larger than ${MARKER_BYTES_MAX} bytes`);
    if (!isUtf8(bytes)) return fresh("it is not UTF-8");
    const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (!isObject(json)) return fresh("it is not a JSON object");
    const result = "deadwax" in json ? readOwn(json) : readUpstream(json);
    if (typeof result === "string") return fresh(result);
    if (result.kind === "marker" && result.marker.current_version !== version) {
      return fresh(`it is for version ${oneLine(JSON.stringify(result.marker.current_version), REASON_CHARS_MAX)}`);
    }
    return result;
  } catch (error) {
    return fresh(`it cannot be understood: ${oneLine(error instanceof Error ? error.message : String(error), REASON_CHARS_MAX)}`);
  }
}

/** The marker as a file's text, with its checksum. A marker that could not be read back is a defect and not written. */
export function serialiseMarker(marker: Marker): string {
  const valid = markerSchema.safeParse(marker);
  if (!valid.success) {
    throw new DumpError("INTERNAL", `state marker of version ${marker.current_version} would be invalid: ${firstIssue(valid.error)}`);
  }
  const data: Marker = JSON.parse(JSON.stringify(valid.data, leaveOutUnused));
  const { markerVersion, ...rest } = data.deadwax;
  const text = JSON.stringify({ ...data, deadwax: { markerVersion, checksum: checksumOf(data), ...rest } }, null, 2);
  if (Buffer.byteLength(text) >= MARKER_BYTES_MAX) {
    throw new DumpError("INTERNAL", `state marker of version ${marker.current_version} would be larger than ${MARKER_BYTES_MAX} bytes`);
  }
  return `${text}\n`;
}

/** Without data quality rules a marker is what it was before there were any, and an older deadwax opens it. */
function leaveOutUnused(key: string, value: unknown): unknown {
  const isUnused = key === "skipped" ? value === 0 : key === "flaggedBytes" && isObject(value) && value["violations"] === 0 && value["skips"] === 0;
  return isUnused ? undefined : value;
}

type Checked = Exclude<ReadResult, { kind: "fresh" }> | string;

function readOwn(json: JsonObject): Checked {
  const own = json.deadwax;
  if (!isObject(own)) return "its deadwax part is not an object";
  const { checksum, ...rest } = own;
  const version = own.markerVersion;
  // Before the checksum: a newer one may be made by another rule, and refusing loses nothing.
  if (typeof version === "number" && Number.isInteger(version) && version > MARKER_VERSION) return { kind: "too-new", markerVersion: version };
  const unsigned = { ...json, deadwax: rest };
  if (checksum !== checksumOf(unsigned)) return "its checksum does not match";
  const marker = markerSchema.safeParse(unsigned);
  if (!marker.success) return `it is invalid: ${firstIssue(marker.error)}`;
  return { kind: "marker", marker: marker.data, writer: "deadwax" };
}

function readUpstream(json: JsonObject): Checked {
  // Upstream drops what it does not know, so a part like ours under another name is ours with a damaged name.
  const damaged = Object.values(json).some((part) => isObject(part) && ("markerVersion" in part || "checksum" in part));
  if (damaged) return "the name of its deadwax part is damaged";
  const marker = upstreamSchema.safeParse(json);
  if (!marker.success) return `it is invalid: ${firstIssue(marker.error)}`;
  return { kind: "marker", marker: marker.data, writer: "upstream" };
}

type JsonObject = { readonly [key: string]: unknown };

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? "unknown" : oneLine(`${issue.path.join(".") || "marker"}: ${issue.message}`, REASON_CHARS_MAX);
}
