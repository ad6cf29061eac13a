import { StringDecoder } from "node:string_decoder";
import { XMLParser } from "fast-xml-parser";
import { Fields, sortedFields, trimmed } from "../fields.mjs";

/**
 * fast-xml-parser takes whole documents only, so the records are cut out of the stream by their closing tag and parsed
 * one by one. That is safe for dumps in Discogs' own byte form, where a raw `<` never stands in text.
 */
export function open(recordName, onRecord) {
  const decoder = new StringDecoder("utf8");
  // References are resolved below: the parser's own switch would resolve those in attributes as well, which the topic
  // contract keeps raw, and leaves numeric ones alone.
  const parser = new XMLParser({
    attributeNamePrefix: "@",
    ignoreAttributes: false,
    jPath: false,
    parseTagValue: false,
    processEntities: false,
    trimValues: false,
  });
  let rest = "";
  let sawRoot = false;

  const parseRecords = () => {
    let from = 0;
    for (let to = recordEnd(rest, from, recordName); to !== -1; to = recordEnd(rest, from, recordName)) {
      let start = from;
      if (!sawRoot) {
        start = rest.indexOf(`<${recordName}`, rest.indexOf(`<${recordName}s`) + 1);
        sawRoot = true;
      }
      const record = finished(parser.parse(rest.slice(start, to))[recordName]);
      if (record !== null && typeof record === "object") onRecord(record);
      from = to;
    }
    rest = rest.slice(from);
  };

  return {
    write: (chunk) => {
      rest += decoder.write(chunk);
      parseRecords();
    },
    end: () => {
      rest += decoder.end();
      parseRecords();
      if (rest.trim() !== `</${recordName}s>`) throw new Error("the file ends before the closing root tag");
    },
  };
}

/** Where the record that starts at `from` ends, or -1; the sub-labels of a label have the record's name and are skipped. */
function recordEnd(xml, from, recordName) {
  const closing = `</${recordName}>`;
  let at = xml.indexOf(closing, from);
  if (at === -1) return -1;
  if (recordName === "label") {
    const sublabels = xml.indexOf("<sublabels>", from);
    if (sublabels !== -1 && sublabels < at) {
      const end = xml.indexOf("</sublabels>", sublabels);
      at = end === -1 ? -1 : xml.indexOf(closing, end);
      if (at === -1) return -1;
    }
  }
  return at + closing.length;
}

/** What the parser gave, in the form of the contract: text resolved and trimmed, null for nothing, keys in order. */
function finished(value) {
  if (typeof value === "string") return textOrNull(value);
  if (Array.isArray(value)) return value.map(finished);
  const fields = new Fields();
  let text = null;
  let hasChildren = false;
  for (const key in value) {
    if (key === "#text") {
      text = textOrNull(value[key]);
    } else if (key.startsWith("@")) {
      fields[key] = value[key];
    } else {
      fields[key] = finished(value[key]);
      hasChildren = true;
    }
  }
  // Text beside children is dropped, as the contract has it.
  if (text !== null && !hasChildren) fields["#text"] = text;
  return sortedFields(fields);
}

const named = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function textOrNull(raw) {
  const text = trimmed(raw.includes("&") ? raw.replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, resolve) : raw);
  return text === "" ? null : text;
}

function resolve(reference, hex, decimal, name) {
  if (name !== undefined) return named[name] ?? reference;
  return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
}
