/** Bytes and characters as the record contract sees them: white space, lossy UTF-8 and references. */

const LOSSY = new TextDecoder("utf-8", { ignoreBOM: true });

/** Unicode White_Space, which is neither what `String.prototype.trim` nor what `\s` takes. */
const WHITE_SPACE = "\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANK = new RegExp(`^[${WHITE_SPACE}]*$`);
const BOTH_ENDS = new RegExp(`^[${WHITE_SPACE}]+|[${WHITE_SPACE}]+$`, "g");

/** Decodes UTF-8 with one U+FFFD per bad sequence (maximal subpart). */
export function decode(bytes: Uint8Array): string {
  return LOSSY.decode(bytes);
}

/** Tells whether a text is only Unicode White_Space. */
export function isBlank(text: string): boolean {
  return BLANK.test(text);
}

/** Removes Unicode White_Space at both ends. */
export function trim(text: string): string {
  return text.replace(BOTH_ENDS, "");
}

/** Tells whether a byte is white space of the XML grammar, which is what separates markup. */
export function isXmlSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** Offset of the first byte from `start` that is not white space of the XML grammar, or `end`. */
export function skipXmlSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isXmlSpace(bytes[at])) at += 1;
  return at;
}

const PREDEFINED = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** What stands between `&` and `;`: a character, a malformed numeric reference or an unknown entity. */
export type Reference = { kind: "character"; text: string } | { kind: "malformed" } | { kind: "unknown" };

/** Reads the inside of a reference. */
export function readReference(inside: string): Reference {
  if (inside.startsWith("#")) {
    const code = readCode(inside.slice(1));
    return code === null ? { kind: "malformed" } : { kind: "character", text: String.fromCodePoint(code) };
  }
  const text = PREDEFINED.get(inside);
  return text === undefined ? { kind: "unknown" } : { kind: "character", text };
}

function readCode(digits: string): number | null {
  let code: number;
  if (/^x[0-9a-fA-F]+$/.test(digits)) code = Number.parseInt(digits.slice(1), 16);
  else if (/^[0-9]+$/.test(digits)) code = Number.parseInt(digits, 10);
  else return null;
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  return code === 0 || isSurrogate || code > 0x10ffff ? null : code;
}
