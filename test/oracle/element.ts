import type { RawAttribute } from "./scanner.ts";

/** Character data of an element between two markup items: the unit of the topic contract's losses. */
export interface Chunk {
  readonly kind: "text" | "cdata";
  readonly bytes: Buffer;
}

/** One element of a record, as it stands in the document. */
export interface Element {
  readonly kind: "element";
  readonly name: Buffer;
  readonly attributes: readonly RawAttribute[];
  /** Written as `<x/>`; the topic contract's id depends on it. */
  readonly empty: boolean;
  readonly content: (Element | Chunk)[];
}

/** The attributes that count: the first of each name, quoted and named. */
export function countedAttributes(element: Element): { name: Buffer; value: Buffer }[] {
  const counted: { name: Buffer; value: Buffer }[] = [];
  const claimed: Buffer[] = [];
  for (const { name, value } of element.attributes) {
    if (claimed.some((earlier) => earlier.equals(name))) continue;
    claimed.push(name);
    if (name.length > 0 && value !== null) counted.push({ name, value });
  }
  return counted;
}

/** The child elements in document order. */
export function children(element: Element): Element[] {
  return element.content.filter((item) => item.kind === "element");
}

/** The character data directly in the element, in document order. */
export function chunks(element: Element): Chunk[] {
  return element.content.filter((item) => item.kind !== "element");
}
