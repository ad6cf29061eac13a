import { isXmlSpace, skipXmlSpace } from "./characters.ts";

/** One attribute as it stands in a tag; `value` is null where it has no quotes, so that it only claims its name. */
export interface RawAttribute {
  readonly name: Buffer;
  readonly value: Buffer | null;
}

interface Span {
  /** Offset of the first byte. */
  readonly start: number;
  /** Offset behind the last byte. */
  readonly end: number;
}

/** A stretch of a document between two decisions of the reader. */
export type Markup =
  | (Span & { readonly kind: "text" | "cdata"; readonly bytes: Buffer })
  | (Span & { readonly kind: "comment" | "instruction" | "doctype" | "declaration" })
  | (Span & { readonly kind: "start"; readonly name: Buffer; readonly attributes: RawAttribute[]; readonly empty: boolean })
  | (Span & { readonly kind: "end"; readonly name: Buffer })
  /** A tag without its `>`; `end` is the offset of the `<` where reading resumes, `landmark` says what stands there. */
  | (Span & { readonly kind: "open"; readonly name: Buffer; readonly landmark: Landmark })
  /** Markup that the end of the document cuts. */
  | (Span & { readonly kind: "cut" });

/** What proves, inside a tag, that its `>` is missing. */
export type Landmark = "record" | "root-end";

/** Byte strings to look for inside tags: the way records start in this file and the way its root ends. */
export interface Landmarks {
  readonly record: Buffer | null;
  readonly rootEnd: Buffer | null;
}

const LT = 0x3c;
const GT = 0x3e;
const SLASH = 0x2f;
const EQUALS = 0x3d;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;

/** Reads what stands at `at`, or null at the end of the document. */
export function nextMarkup(xml: Buffer, at: number, landmarks: Landmarks): Markup | null {
  if (at >= xml.length) return null;
  if (xml[at] !== LT) return text(xml, at);
  if (startsWith(xml, at, "<!--")) return delimited(xml, at, "comment", "<!--", "-->");
  if (startsWith(xml, at, "<![CDATA[")) return delimited(xml, at, "cdata", "<![CDATA[", "]]>");
  if (startsWith(xml, at, "<?")) return delimited(xml, at, "instruction", "<?", "?>");
  if (startsWith(xml, at, "<!")) return declaration(xml, at);
  return tag(xml, at, landmarks);
}

/** Tells whether the bytes at `at` are those of `wanted`. */
export function startsWith(xml: Buffer, at: number, wanted: string | Buffer): boolean {
  if (xml[at] !== (typeof wanted === "string" ? wanted.charCodeAt(0) : wanted[0])) return false;
  const bytes = typeof wanted === "string" ? Buffer.from(wanted) : wanted;
  return at >= 0 && at + bytes.length <= xml.length && xml.compare(bytes, 0, bytes.length, at, at + bytes.length) === 0;
}

/** Tells whether a name ends at `at`: white space, `>` or `/` stands there. */
function endsName(xml: Buffer, at: number): boolean {
  // A slash is part of the name unless it closes the tag.
  if (xml[at] === SLASH) return xml[at + 1] === GT;
  return xml[at] === GT || isXmlSpace(xml[at]);
}

function text(xml: Buffer, at: number): Markup {
  const next = xml.indexOf("<", at);
  const end = next === -1 ? xml.length : next;
  return { kind: "text", start: at, end, bytes: xml.subarray(at, end) };
}

function delimited(xml: Buffer, at: number, kind: "comment" | "cdata" | "instruction", opener: string, closer: string): Markup {
  const close = xml.indexOf(closer, at + opener.length);
  if (close === -1) return { kind: "cut", start: at, end: xml.length };
  const span = { start: at, end: close + closer.length };
  return kind === "cdata" ? { kind, ...span, bytes: xml.subarray(at + opener.length, close) } : { kind, ...span };
}

/** `<!...>` that is nothing known ends behind the next `>`, or before a `<` that comes sooner, so that it swallows no tag. */
function declaration(xml: Buffer, start: number): Markup {
  const close = xml.indexOf(">", start + 2);
  const open = xml.indexOf("<", start + 2);
  if (close === -1 && open === -1) return { kind: "cut", start, end: xml.length };
  return { kind: "declaration", start, end: open === -1 || (close !== -1 && close < open) ? close + 1 : open };
}

/** Start tags end at the first `>` outside quotes; end tags, which have no attributes, at the first `>`. */
function tag(xml: Buffer, start: number, landmarks: Landmarks): Markup {
  const isStart = xml[start + 1] !== SLASH;
  let quote: number | null = null;
  for (let at = start + 1; at < xml.length; at += 1) {
    const landmark = landmarkAt(xml, at, landmarks);
    if (landmark !== null) {
      return { kind: "open", start, end: xml.indexOf("<", at), name: openName(xml, start), landmark };
    }
    const byte = xml[at];
    if (quote !== null) {
      if (byte === quote) quote = null;
    } else if (isStart && (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE)) {
      quote = byte;
    } else if (byte === GT) {
      return closedTag(xml, start, at);
    }
  }
  return { kind: "cut", start, end: xml.length };
}

/** The landmark whose bytes, line form included, are at `at`. */
export function landmarkAt(xml: Buffer, at: number, landmarks: Landmarks): Landmark | null {
  const { record, rootEnd } = landmarks;
  if (record !== null && startsWith(xml, at, record) && endsName(xml, at + record.length)) return "record";
  if (rootEnd !== null && startsWith(xml, at, rootEnd) && endsName(xml, at + rootEnd.length)) return "root-end";
  return null;
}

/** The name of a tag that is not closed. */
export function openName(xml: Buffer, start: number): Buffer {
  let end = start + 1;
  while (end < xml.length && !isXmlSpace(xml[end]) && xml[end] !== GT) end += 1;
  return xml.subarray(start + 1, end);
}

function closedTag(xml: Buffer, start: number, close: number): Markup {
  const span = { start, end: close + 1 };
  if (xml[start + 1] === SLASH) {
    let end = close;
    while (end > start + 2 && isXmlSpace(xml[end - 1])) end -= 1;
    return { kind: "end", ...span, name: xml.subarray(start + 2, end) };
  }
  const empty = close - 1 > start && xml[close - 1] === SLASH;
  const contentEnd = empty ? close - 1 : close;
  let nameEnd = start + 1;
  while (nameEnd < contentEnd && !isXmlSpace(xml[nameEnd])) nameEnd += 1;
  const name = xml.subarray(start + 1, nameEnd);
  return { kind: "start", ...span, name, attributes: readAttributes(xml, nameEnd, contentEnd), empty };
}

function readAttributes(xml: Buffer, start: number, end: number): RawAttribute[] {
  const attributes: RawAttribute[] = [];
  let at = skipXmlSpace(xml, start, end);
  while (at < end) {
    const nameStart = at;
    while (at < end && xml[at] !== EQUALS && !isXmlSpace(xml[at])) at += 1;
    const name = xml.subarray(nameStart, at);
    at = skipXmlSpace(xml, at, end);
    let value: Buffer | null = null;
    if (at < end && xml[at] === EQUALS) {
      at = skipXmlSpace(xml, at + 1, end);
      const quote = xml[at];
      if (at < end && (quote === DOUBLE_QUOTE || quote === SINGLE_QUOTE)) {
        const found = xml.indexOf(quote, at + 1);
        const isClosed = found !== -1 && found < end;
        value = isClosed ? xml.subarray(at + 1, found) : null;
        at = isClosed ? found + 1 : end;
      } else {
        while (at < end && !isXmlSpace(xml[at])) at += 1;
      }
    }
    attributes.push({ name, value });
    at = skipXmlSpace(xml, at, end);
  }
  return attributes;
}

/** Reads a `<!DOCTYPE ...>` with its quotes, internal subset, comments and instructions. */
export function readDoctype(xml: Buffer, start: number): Markup {
  let brackets = 0;
  let nested = 0;
  let at = start + 2;
  while (at < xml.length) {
    const byte = xml[at];
    let skipTo: number | null = null;
    if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) skipTo = behind(xml, String.fromCharCode(byte), at + 1);
    else if (startsWith(xml, at, "<!--")) skipTo = behind(xml, "-->", at + 4);
    else if (startsWith(xml, at, "<?")) skipTo = behind(xml, "?>", at + 2);
    else if (byte === 0x5b) brackets += 1;
    else if (byte === 0x5d) brackets -= 1;
    else if (byte === LT) nested += 1;
    else if (byte === GT && nested > 0) nested -= 1;
    else if (byte === GT && brackets <= 0) return { kind: "doctype", start, end: at + 1 };
    at = skipTo ?? at + 1;
  }
  return { kind: "cut", start, end: xml.length };
}

function behind(xml: Buffer, closer: string, from: number): number {
  const found = xml.indexOf(closer, from);
  return found === -1 ? xml.length : found + closer.length;
}
