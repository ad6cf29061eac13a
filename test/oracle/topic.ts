import { isUtf8 } from "node:buffer";
import type { DataType } from "../../src/model.ts";
import { decode, readReference, trim } from "./characters.ts";
import { type Chunk, chunks, countedAttributes, type Element } from "./element.ts";
import { addChildren, type JsonObject, type JsonValue, usableId } from "./value.ts";

/** What a record is in the topic contract, or null where it is not an object. */
export function topicRecord(element: Element, dataType: DataType): { id: string | null; record: JsonObject } | null {
  const record = topicValue(element);
  if (!(record instanceof Map)) return null;
  // A self-closing record is looked at for `id` only, and has no children that could give one.
  if (element.empty) return { id: usableId(record.get("id")), record };
  const attributeId = record.get("@id");
  const id = usableId(attributeId === undefined ? record.get("id") : attributeId);
  if ((dataType === "masters" || dataType === "releases") && attributeId !== undefined && !record.has("id")) {
    record.set("id", attributeId);
  }
  return { id, record };
}

function topicValue(element: Element): JsonValue {
  const object: JsonObject = new Map();
  for (const { name, value } of countedAttributes(element)) object.set(`@${decode(name)}`, decode(value));
  const text = trim(chunks(element).map(topicText).join(""));
  const hasChildren = element.content.some((item) => item.kind === "element");
  if (text !== "" && !hasChildren) {
    if (object.size === 0) return text;
    object.set("#text", text);
  }
  addChildren(object, element, topicValue);
  return object.size === 0 ? null : object;
}

/** A chunk with anything wrong in it is lost as a whole; CDATA has nothing that could be wrong but its bytes. */
function topicText(chunk: Chunk): string {
  if (chunk.kind === "cdata") return decode(chunk.bytes);
  if (!isUtf8(chunk.bytes)) return "";
  const text = decode(chunk.bytes);
  let resolved = "";
  let at = 0;
  for (let amp = text.indexOf("&"); amp !== -1; amp = text.indexOf("&", at)) {
    const inside = /^&([^&;]*);/.exec(text.slice(amp))?.[1];
    if (inside === undefined) return "";
    const reference = readReference(inside);
    if (reference.kind !== "character") return "";
    resolved += text.slice(at, amp) + reference.text;
    at = amp + inside.length + 2;
  }
  return resolved + text.slice(at);
}
