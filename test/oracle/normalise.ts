import type { DataType } from "../../src/model.ts";
import { type JsonObject, type JsonValue, sortedKeys } from "./value.ts";

/** Brings a fanout record into the shape of its data type, in place. */
export function normalise(record: JsonObject, dataType: DataType): void {
  switch (dataType) {
    case "artists":
      for (const field of ["members", "groups", "aliases"]) replace(record, field, (value) => items(value, "name"));
      return;
    case "labels":
      replace(record, "parentLabel", stripped);
      replace(record, "sublabels", (value) => items(value, "label"));
      return;
    case "masters":
      strip(record);
      replace(record, "artists", (value) => items(value, "artist"));
      replace(record, "genres", (value) => unwrap(value, "genre"));
      replace(record, "styles", (value) => unwrap(value, "style"));
      return;
    case "releases":
      strip(record);
      replace(record, "artists", (value) => items(value, "artist"));
      replace(record, "labels", (value) => items(value, "label"));
      replace(record, "master_id", masterId);
      replace(record, "genres", (value) => unwrap(value, "genre"));
      replace(record, "styles", (value) => unwrap(value, "style"));
      replace(record, "extraartists", (value) => items(value, "artist"));
      replace(record, "formats", (value) => unwrap(value, "format").map(stripped));
      return;
    default:
      dataType satisfies never;
  }
}

function replace(record: JsonObject, field: string, change: (value: JsonValue) => JsonValue): void {
  const value = record.get(field);
  if (value === undefined) return;
  const changed = change(value);
  if (Array.isArray(changed) && changed.length === 0) record.delete(field);
  else record.set(field, changed);
}

/** `@k` becomes `k`, `#text` becomes `name` unless there is a `name`; a rename overwrites. */
function strip(object: JsonObject): void {
  for (const key of sortedKeys(object)) {
    let renamed: string;
    if (key.startsWith("@")) renamed = key.slice(1);
    else if (key === "#text" && !object.has("name")) renamed = "name";
    else continue;
    const value = object.get(key) ?? null;
    object.delete(key);
    object.set(renamed, value);
  }
}

function stripped(value: JsonValue): JsonValue {
  if (value instanceof Map) strip(value);
  return value;
}

function unwrap(value: JsonValue, key: string): JsonValue[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value;
  if (!(value instanceof Map)) return [value];
  const inner = value.get(key);
  if (inner === undefined || inner === null) return [];
  return Array.isArray(inner) ? inner : [inner];
}

function items(value: JsonValue, key: string): JsonValue[] {
  return unwrap(value, key).map((item) => (typeof item === "string" ? new Map([["id", item]]) : stripped(item)));
}

function masterId(value: JsonValue): JsonValue {
  if (!(value instanceof Map)) return value;
  const key = ["#text", "id"].find((candidate) => value.has(candidate));
  return key === undefined ? value : (value.get(key) ?? null);
}
