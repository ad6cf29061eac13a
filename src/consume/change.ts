import { DATA_TYPES, type DataType } from "../model.ts";

const KINDS = ["created", "updated", "deleted"] as const;

/** One change of one record: the five fields that its message has, as they are called there. */
export interface Change {
  readonly data_type: DataType;
  readonly record_id: string;
  readonly change_type: (typeof KINDS)[number];
  /** Names the run that has found the change. */
  readonly processing_run_id: string;
  /** ISO, in UTC. */
  readonly timestamp: string;
  /** Of a deleted record: the first 32 hex digits of the `sha256` that it had. Who holds another one holds a later record. */
  readonly hash?: string;
}

/** All changes of a file at once, where they are not told one by one. */
export interface ChangeSummary {
  readonly data_type: DataType;
  readonly change_type: "summary";
  readonly processing_run_id: string;
  readonly timestamp: string;
  readonly counts: { readonly created: number; readonly updated: number };
  /** Some of the ids. */
  readonly sample: { readonly created: readonly string[]; readonly updated: readonly string[] };
}

/** What a message of changes holds. */
export type ChangeContent =
  | { readonly kind: "change"; readonly change: Change }
  | { readonly kind: "summary"; readonly summary: ChangeSummary }
  | { readonly kind: "refused"; readonly reason: string };

/** A message of changes as it came. */
export interface ChangeMessage {
  readonly content: Exclude<ChangeContent, { readonly kind: "refused" }>;
  readonly messageId: string | null;
  readonly redelivered: boolean;
}

/** Reads the body of a message of changes; the hash of what was deleted stands in a header. */
export function changeContentOf(body: Buffer, headers: Readonly<Record<string, unknown>>): ChangeContent {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return refused("the body is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refused("the body is not a JSON object");
  const { data_type, record_id, change_type, processing_run_id, timestamp, counts, sample } = value as Readonly<Record<string, unknown>>;
  if (!isOneOf(DATA_TYPES, data_type)) return refused("data_type is not one of the four");
  if (typeof processing_run_id !== "string") return refused("processing_run_id is not a string");
  if (typeof timestamp !== "string" || Number.isNaN(Date.parse(timestamp))) return refused("timestamp is not a time");
  const common = { processing_run_id, timestamp };
  if (change_type === "summary") {
    if (!isCounts(counts) || !isSample(sample)) return refused("the summary has no counts or no sample");
    return { kind: "summary", summary: { data_type, change_type, ...common, counts, sample } };
  }
  if (!isOneOf(KINDS, change_type)) return refused("change_type is none of created, updated, deleted");
  if (typeof record_id !== "string") return refused("record_id is not a string");
  const hash = headers["x-deadwax-hash"];
  return { kind: "change", change: { data_type, record_id, change_type, ...common, ...(typeof hash === "string" ? { hash } : {}) } };
}

function isOneOf<T extends string>(words: readonly T[], value: unknown): value is T {
  return words.some((word) => word === value);
}

function isCounts(value: unknown): value is ChangeSummary["counts"] {
  const { created, updated } = Object(value) as Record<string, unknown>;
  return Number.isSafeInteger(created) && Number.isSafeInteger(updated);
}

function isSample(value: unknown): value is ChangeSummary["sample"] {
  const { created, updated } = Object(value) as Record<string, unknown>;
  return [created, updated].every((ids) => Array.isArray(ids) && ids.every((id) => typeof id === "string"));
}

function refused(reason: string): ChangeContent {
  return { kind: "refused", reason };
}
