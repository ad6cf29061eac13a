import { createHash } from "node:crypto";
import { decode } from "./characters.ts";
import { children, type Element } from "./element.ts";

/** A JSON object; a Map, so that no key is special. */
export type JsonObject = Map<string, JsonValue>;
/** What a record turns into; the contract has no numbers or booleans. */
export type JsonValue = null | string | JsonValue[] | JsonObject;

/** Adds the children's values to an object: a name seen once gives the value itself, seen more often an array. */
export function addChildren(object: JsonObject, element: Element, toValue: (child: Element) => JsonValue): void {
  const valuesByName = new Map<string, JsonValue[]>();
  for (const child of children(element)) {
    const name = decode(child.name);
    const values = valuesByName.get(name) ?? [];
    values.push(toValue(child));
    valuesByName.set(name, values);
  }
  for (const [name, values] of valuesByName) {
    const [first, ...others] = values;
    object.set(name, others.length === 0 && first !== undefined ? first : values);
  }
}

/** The keys of an object in the order of their UTF-8 bytes. */
export function sortedKeys(object: JsonObject): string[] {
  return [...object.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Compact JSON with sorted keys. */
export function toJson(value: JsonValue): string {
  if (value === null) return "null";
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  return `{${membersOf(value).join(",")}}`;
}

function membersOf(object: JsonObject): string[] {
  return sortedKeys(object).map((key) => `${JSON.stringify(key)}:${toJson(object.get(key) ?? null)}`);
}

/** The message body: envelope first, then the record's own members, whatever they are called. */
export function toBody(id: string, record: JsonObject): Buffer {
  const sha256 = createHash("sha256").update(toJson(record)).digest("hex");
  const envelope = ['"type":"data"', `"id":${JSON.stringify(id)}`, `"sha256":"${sha256}"`];
  return Buffer.from(`{${[...envelope, ...membersOf(record)].join(",")}}`);
}

/** The envelope's id: a string as it is, anything else is not usable. */
export function usableId(value: JsonValue | undefined): string | null {
  return typeof value === "string" ? value : null;
}
