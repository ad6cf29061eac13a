import { DATA_TYPES, type DataType } from "../model.ts";

/** A file is at its end: the records before this message are all there are of it. */
export interface FileComplete {
  readonly file: string | null;
  /** Records that its publisher has read. */
  readonly totalProcessed: number | null;
}

/** All files of a version are at their end. */
export interface ExtractionComplete {
  readonly version: string;
  /** When the version was first begun, RFC 3339. */
  readonly startedAt: string | null;
  readonly recordCounts: Readonly<Partial<Record<DataType, number>>>;
}

/** What a message holds. */
export type Content =
  | { readonly kind: "record" }
  | { readonly kind: "file_complete"; readonly message: FileComplete }
  | { readonly kind: "extraction_complete"; readonly message: ExtractionComplete }
  | { readonly kind: "refused"; readonly reason: string };

/** How our records begin, and upstream's: most messages are known by it alone. */
const RECORD_START = Buffer.from('{"type":"data",');
const RECORD: Content = { kind: "record" };
const TYPE_CHARS_MAX = 40;

/** Tells a record from what is not. Records of others are told by their member `type`, or by having none; whether they are sound is the target's to say. */
export function contentOf(body: Buffer): Content {
  if (body.subarray(0, RECORD_START.length).equals(RECORD_START)) return RECORD;
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return refused("the body is not JSON");
  }
  if (!isObject(value)) return refused("the body is not a JSON object");
  switch (value["type"]) {
    case undefined:
    case "data":
      return RECORD;
    case "file_complete":
      return fileComplete(value);
    case "extraction_complete":
      return extractionComplete(value);
    default:
      return refused(`the type ${JSON.stringify(value["type"]).slice(0, TYPE_CHARS_MAX)} is not known`);
  }
}

function fileComplete({ file, total_processed: total }: JsonObject): Content {
  if (file !== undefined && typeof file !== "string") return refused("file_complete: file is not a string");
  if (total !== undefined && !isCount(total)) return refused("file_complete: total_processed is not a count");
  return { kind: "file_complete", message: { file: file ?? null, totalProcessed: total ?? null } };
}

function extractionComplete({ version, started_at: startedAt, record_counts: counts }: JsonObject): Content {
  if (typeof version !== "string" || version === "") return refused("extraction_complete: version is not a string");
  if (startedAt !== undefined && (typeof startedAt !== "string" || Number.isNaN(Date.parse(startedAt))))
    return refused("extraction_complete: started_at is not a time");
  if (!isObject(counts)) return refused("extraction_complete: record_counts is not an object");
  const recordCounts: Partial<Record<DataType, number>> = {};
  for (const dataType of DATA_TYPES) {
    const count = counts[dataType];
    if (count === undefined) continue;
    if (!isCount(count)) return refused(`extraction_complete: record_counts.${dataType} is not a count`);
    recordCounts[dataType] = count;
  }
  return { kind: "extraction_complete", message: { version, startedAt: startedAt ?? null, recordCounts } };
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function refused(reason: string): Content {
  return { kind: "refused", reason };
}
