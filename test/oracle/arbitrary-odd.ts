import fc from "fast-check";
import type { DataType } from "../../src/model.ts";
import { utf8 } from "./arbitrary-records.ts";

type Xml = fc.Arbitrary<string>;

const RECORD_NAMES = { artists: "artist", labels: "label", masters: "master", releases: "release" } as const;

/** Names that mean something to the contract, to JSON, to JavaScript, or to nobody. */
const NAMES = [
  "id",
  "name",
  "title",
  "artist",
  "label",
  "master",
  "release",
  "artists",
  "labels",
  "sublabels",
  "parentLabel",
  "members",
  "groups",
  "aliases",
  "genres",
  "genre",
  "styles",
  "style",
  "formats",
  "format",
  "extraartists",
  "master_id",
  "type",
  "sha256",
  "x",
  "y",
  "Z",
  "_",
  "a-b",
  "a.b",
  "q:a",
  utf8("é"),
  utf8("\ud800\udc00"),
  utf8("\uff61"),
  "__proto__",
  "constructor",
  "toJSON",
  "@id",
  "@name",
  "#text",
  "",
  "a\xff",
  "a\xfe",
  "\0",
];

/** Character data: every piece is text of an element that is accepted, whatever stands around it. */
const TEXTS = [
  "a",
  "text",
  " ",
  "\t",
  "\r",
  "\r\n ",
  "\n ",
  "x\ny",
  "  pad  ",
  utf8("\u0085"),
  utf8("\u00a0"),
  utf8("\u2003"),
  utf8("\u3000"),
  utf8("\ufeff"),
  utf8("\u200b"),
  "\x0b",
  "\x1c",
  utf8("é"),
  utf8("🎵"),
  utf8("\u2028"),
  '"',
  "'",
  "\\",
  "/",
  ">",
  "]]>",
  "-->",
  "\0",
  "\x01",
  "\x1f",
  "\x7f",
  "\xff",
  "\xc3",
  "\xe2\x82",
  "\xf0\x9f\x8e",
  "\xc0\x80",
  "\xed\xa0\x80",
  ";",
  "=",
];

const REFERENCES = [
  "&amp;",
  "&lt;",
  "&gt;",
  "&quot;",
  "&apos;",
  "&#65;",
  "&#x41;",
  "&#10;",
  "&#13;",
  "&#9;",
  "&#32;",
  "&#xa0;",
  "&#x1f;",
  "&#x85;",
  "&#x1F3B5;",
  "&#0000065;",
  "&#0;",
  "&#;",
  "&#x;",
  "&#X41;",
  "&#abc;",
  "&#+65;",
  "&#-1;",
  "&# 65;",
  "&#xD800;",
  "&#x110000;",
  "&#99999999999;",
  "&nbsp;",
  "&AMP;",
  "&;",
  "& ",
  "&",
  "&&",
  "&amp",
  "& b;",
  "&\xff;",
  "&x\xe2\x82;",
];

const text = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...TEXTS) }, { weight: 2, arbitrary: fc.constantFrom(...REFERENCES) });

/** What hides in comments, CDATA and instructions, where no markup counts. */
const HIDDEN = [
  "",
  "x",
  "</artist>",
  "<label>",
  "\n<artist>",
  "\n<label>",
  "\n</labels>",
  "\n</artists>",
  "<![CDATA[",
  "<!--",
  "&amp;",
  "&",
  "\xff",
  " ",
  "--",
  "]]",
  "<?",
  '"',
  ">",
];
const hidden = fc.array(fc.constantFrom(...HIDDEN), { maxLength: 3 }).map((parts) => parts.join(""));

const cdata = hidden.map((inside) => `<![CDATA[${inside.replaceAll("]]>", "")}]]>`);
const comment = hidden.map((inside) => `<!--${inside.replaceAll("-->", "")} -->`);
const instruction = hidden.map((inside) => `<?p ${inside.replaceAll("?>", "")}?>`);

const spaces = fc.constantFrom(" ", " ", "  ", "\t", "\r\n ");
const quotedValue = fc.array(fc.oneof(text, fc.constantFrom("<", "</a>", "/>")), { maxLength: 4 }).map((parts) => parts.join(""));
const doubleQuoted = quotedValue.map((value) => `"${value.replaceAll('"', "")}"`);
const singleQuoted = quotedValue.map((value) => `'${value.replaceAll("'", "")}'`);

const attributeName = fc.constantFrom("id", "id", "name", "x", "y", "type", "status", "title", "Z", "@id", "#text", "xmlns:q", utf8("é"), "a\xff", "__proto__");
const quotedAttribute = fc
  .tuple(spaces, attributeName, fc.constantFrom("=", "=", " = ", "=\t"), fc.oneof(doubleQuoted, singleQuoted))
  .map((parts) => parts.join(""));
/** Attributes that are ignored. A blank behind them, since what follows directly would be part of them. */
const ignoredAttribute = fc.tuple(spaces, attributeName, fc.constantFrom("=1 ", "=a&amp;b ", " ")).map((parts) => parts.join(""));
const attributes = fc.array(fc.oneof({ weight: 5, arbitrary: quotedAttribute }, ignoredAttribute), { maxLength: 3 }).map((parts) => parts.join(""));

const { element } = fc.letrec<{ element: string; content: string }>((tie) => ({
  content: fc
    .array(fc.oneof({ depthSize: "small" }, { weight: 5, arbitrary: text }, cdata, comment, instruction, { weight: 3, arbitrary: tie("element") }), {
      maxLength: 5,
    })
    .map((parts) => parts.join("")),
  element: elementOf(fc.constantFrom(...NAMES), tie("content")),
}));

const content = fc.array(fc.oneof({ weight: 2, arbitrary: element }, text, cdata, comment, instruction), { maxLength: 6 }).map((parts) => parts.join(""));

function elementOf(name: Xml, inside: Xml): Xml {
  return fc.tuple(name, attributes, fc.constantFrom("", "", " ", "\n "), inside, fc.boolean()).map(([tag, pairs, blank, inner, isShort]) => {
    // A nameless tag cannot be written in the short form, and a blank would be its end tag's name.
    if (tag === "") return `<${pairs}>${inner}</>`;
    return inner === "" && isShort ? `<${tag}${pairs}${blank}/>` : `<${tag}${pairs}${blank}>${inner}</${tag}${blank}>`;
  });
}

/** A record that is accepted although Discogs would never write it. */
export function oddRecord(dataType: DataType): Xml {
  return elementOf(fc.constant(RECORD_NAMES[dataType]), content);
}

/** Comments, instructions and white space, which may stand anywhere between records. */
export const oddGap: Xml = fc.array(fc.oneof(fc.constantFrom(" ", "\t", "\r\n "), comment, instruction), { maxLength: 2 }).map((parts) => parts.join(""));

/** What may stand before a root. */
export const oddProlog: Xml = fc.constantFrom(
  "",
  "",
  "",
  utf8("\ufeff"),
  "<?xml version='1.0'?>\n",
  "\n",
  "<!-- <artists> -->",
  '<!DOCTYPE artists SYSTEM "x>y">',
  "<?p?>",
);

/** What may stand behind a root. */
export const oddEpilog: Xml = fc.constantFrom("", "", "\n", " \r\n\t", "<!-- end -->", "<?p </artists> ?>\n");
