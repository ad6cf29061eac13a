/** Reads a marker as upstream does: every field required but the checksums, unknown ones ignored, times RFC 3339. */
type Json = { [key: string]: unknown };

const STATUS = ["pending", "in_progress", "completed", "failed"];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

export function readAsUpstream(text: string): void {
  const marker = object(JSON.parse(text), "marker");
  string(marker, "metadata_version");
  time(marker, "last_updated", false);
  string(marker, "current_version");

  const download = object(marker.download_phase, "download_phase");
  status(download, "status");
  time(download, "started_at");
  time(download, "completed_at");
  counts(download, ["files_downloaded", "files_total", "bytes_downloaded"]);
  for (const [name, value] of Object.entries(object(download.downloads_by_file, "downloads_by_file"))) {
    const entry = object(value, name);
    status(entry, "status");
    counts(entry, ["bytes_downloaded"]);
    time(entry, "started_at");
    time(entry, "completed_at");
    optionalString(entry, "checksum");
  }
  strings(download, "errors");

  const processing = object(marker.processing_phase, "processing_phase");
  status(processing, "status");
  time(processing, "started_at");
  time(processing, "completed_at");
  counts(processing, ["files_processed", "files_total", "records_extracted"]);
  required(processing, "current_file");
  optionalString(processing, "current_file");
  for (const [name, value] of Object.entries(object(processing.progress_by_file, "progress_by_file"))) {
    const entry = object(value, name);
    status(entry, "status");
    counts(entry, ["records_extracted", "messages_published", "batches_sent"]);
    time(entry, "started_at");
    time(entry, "completed_at");
    optionalString(entry, "source_checksum");
  }
  strings(processing, "errors");

  const publishing = object(marker.publishing_phase, "publishing_phase");
  status(publishing, "status");
  counts(publishing, ["messages_published", "batches_sent"]);
  strings(publishing, "errors");
  time(publishing, "last_amqp_heartbeat");

  const summary = object(marker.summary, "summary");
  status(summary, "overall_status");
  required(summary, "total_duration_seconds");
  const duration = summary.total_duration_seconds;
  if (duration !== null && typeof duration !== "number") throw new Error("total_duration_seconds is no number");
  const byType = object(summary.files_by_type, "files_by_type");
  for (const type of Object.keys(byType)) status(byType, type);
}

function required(parent: Json, key: string): void {
  if (!Object.hasOwn(parent, key)) throw new Error(`${key} is missing`);
}

function object(value: unknown, name: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${name} is no object`);
  return value as Json;
}

function string(parent: Json, key: string): void {
  if (typeof parent[key] !== "string") throw new Error(`${key} is no string`);
}

function optionalString(parent: Json, key: string): void {
  if (parent[key] !== undefined && parent[key] !== null) string(parent, key);
}

function strings(parent: Json, key: string): void {
  const list = parent[key];
  if (!Array.isArray(list) || list.some((item) => typeof item !== "string")) throw new Error(`${key} is no list of strings`);
}

function status(parent: Json, key: string): void {
  if (!STATUS.includes(String(parent[key]))) throw new Error(`${key} is no status`);
}

function time(parent: Json, key: string, nullable = true): void {
  required(parent, key);
  if (nullable && parent[key] === null) return;
  if (!TIME.test(String(parent[key])) || Number.isNaN(Date.parse(String(parent[key])))) throw new Error(`${key} is no time`);
}

function counts(parent: Json, keys: readonly string[]): void {
  for (const key of keys) {
    if (!Number.isInteger(parent[key]) || Number(parent[key]) < 0) throw new Error(`${key} is no count`);
  }
}
