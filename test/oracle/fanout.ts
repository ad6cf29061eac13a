import { isUtf8 } from "node:buffer";
import type { DataType } from "../../src/model.ts";
import { decode, isBlank, readReference } from "./characters.ts";
import { type Chunk, chunks, countedAttributes, type Element } from "./element.ts";
import { normalise } from "./normalise.ts";
import { addChildren, type JsonObject, type JsonValue, usableId } from "./value.ts";

/** What a record is in the fanout contract, or null where it is not an object. */
export function fanoutRecord(element: Element, dataType: DataType): { id: string | null; record: JsonObject } | null {
  const parsed = parsedRecord(element);
  if (parsed !== null) normalise(parsed.record, dataType);
  return parsed;
}

/** The same before anything is normalised: what rules look at. */
export function parsedRecord(element: Element): { id: string | null; record: JsonObject } | null {
  const record = fanoutValue(element);
  if (!(record instanceof Map)) return null;
  const attributeId = record.get("@id");
  const id = usableId(attributeId === undefined ? record.get("id") : attributeId);
  if (attributeId !== undefined) record.delete("id");
  return { id, record };
}

function fanoutValue(element: Element): JsonValue {
  const object: JsonObject = new Map();
  for (const { name, value } of countedAttributes(element)) object.set(`@${decode(name)}`, attributeValue(value));
  const text = chunks(element).map(fanoutText).join("");
  const hasChildren = element.content.some((item) => item.kind === "element");
  if (!isBlank(text)) {
    if (object.size === 0 && !hasChildren) return text;
    object.set("#text", text);
  }
  addChildren(object, element, fanoutValue);
  return object.size === 0 ? null : object;
}

/** A value with anything wrong in it stays raw as a whole. */
function attributeValue(bytes: Buffer): string {
  const raw = decode(bytes);
  if (!isUtf8(bytes)) return raw;
  let resolved = "";
  let at = 0;
  for (let amp = raw.indexOf("&"); amp !== -1; amp = raw.indexOf("&", at)) {
    const inside = /^&([^&;]*);/.exec(raw.slice(amp))?.[1];
    if (inside === undefined) return raw;
    const reference = readReference(inside);
    if (reference.kind !== "character") return raw;
    resolved += spaced(raw.slice(at, amp)) + reference.text;
    at = amp + inside.length + 2;
  }
  return resolved + spaced(raw.slice(at));
}

function spaced(literal: string): string {
  return literal.replace(/\r\n|[\t\r\n]/g, " ");
}

/** What is wrong in text stays as it stands, but a malformed numeric reference is one U+FFFD. */
function fanoutText(chunk: Chunk): string {
  if (chunk.kind === "cdata") return decode(chunk.bytes);
  // One character per byte, so that pieces are cut before anything is decoded.
  const bytes = chunk.bytes.toString("latin1");
  let resolved = "";
  let at = 0;
  for (let amp = bytes.indexOf("&"); amp !== -1; amp = bytes.indexOf("&", at)) {
    resolved += decodePiece(bytes.slice(at, amp));
    const inside = /^&([^&;]*);/.exec(bytes.slice(amp))?.[1];
    if (inside === undefined) {
      resolved += "&";
      at = amp + 1;
      continue;
    }
    const reference = readReference(decodePiece(inside));
    if (reference.kind === "character") resolved += reference.text;
    else if (reference.kind === "malformed") resolved += "\ufffd";
    else resolved += `&${decodePiece(inside)};`;
    at = amp + inside.length + 2;
  }
  return resolved + decodePiece(bytes.slice(at));
}

function decodePiece(latin1: string): string {
  return decode(Buffer.from(latin1, "latin1"));
}
