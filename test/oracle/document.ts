import type { DataType } from "../../src/model.ts";
import { decode, isBlank, isXmlSpace, skipXmlSpace } from "./characters.ts";
import type { Element } from "./element.ts";
import { readRecord } from "./record.ts";
import { type Landmarks, type Markup, nextMarkup, openName, readDoctype, startsWith } from "./scanner.ts";

/** What exceeding rejects a record, or, for the rejects themselves, ends the file. */
export interface OracleLimits {
  readonly recordBytesMax: number;
  /** The root counts 1, a record 2. */
  readonly depthMax: number;
  /** Per element; ignored ones count too. */
  readonly attributesMax: number;
  /** Of an element's or an attribute's name. */
  readonly nameBytesMax: number;
  readonly rejectsMax: number;
}

export const DEFAULT_LIMITS: OracleLimits = {
  recordBytesMax: 64 * 1024 * 1024,
  depthMax: 64,
  attributesMax: 256,
  nameBytesMax: 1024,
  rejectsMax: 100,
};

/** A record that could not be read, or something between records that is none. */
export interface OracleReject {
  readonly offset: number;
  readonly kind: string;
  readonly id: string | null;
}

/** A record, or what stands where one could be, in document order. */
export type DocumentItem =
  | { readonly kind: "record"; readonly offset: number; readonly element: Element }
  | { readonly kind: "reject"; readonly reject: OracleReject };

/** Why the file as a whole is refused. */
export interface Fatal {
  readonly offset: number;
  readonly message: string;
}

/** What is fixed for a document once its root and its first record have been seen. */
export interface DocumentShape {
  readonly dataType: DataType;
  readonly recordName: Buffer;
  readonly rootName: Buffer;
  readonly landmarks: Landmarks;
  /** The bytes from LF to `<` before the first record, if only white space. */
  readonly lineForm: Buffer | null;
  readonly limits: OracleLimits;
}

const RECORD_NAMES = { artists: "artist", labels: "label", masters: "master", releases: "release" } as const;
const NO_LANDMARKS: Landmarks = { record: null, rootEnd: null };

/** Reads a whole document into `items`; returns the fault that ended it early, or null. */
export function readDocument(xml: Buffer, dataType: DataType, limits: OracleLimits, items: DocumentItem[]): Fatal | null {
  let at = startsWith(xml, 0, Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;

  // Before the root.
  let root: Extract<Markup, { kind: "start" }> | null = null;
  while (root === null) {
    const markup = outside(xml, at, true);
    if ("message" in markup) return markup;
    if (markup.kind === "start") root = markup;
    at = markup.end;
  }

  // Between records.
  const first = root.empty ? null : firstElement(xml, at, root.name);
  const shape = shapeOf(dataType, root.name, first === null ? null : lineFormAt(xml, first.start), limits);
  if (first !== null && !first.name.equals(shape.recordName)) return wrongType(first, shape);
  let isRootClosed = root.empty;
  let isInStrayRun = false;
  const reject = (offset: number, kind: string, id: string | null = null): Fatal | null => {
    if (items.filter((item) => item.kind === "reject").length === limits.rejectsMax) {
      return { offset, message: `more than ${limits.rejectsMax} rejects` };
    }
    items.push({ kind: "reject", reject: { offset, kind, id } });
    return null;
  };
  while (!isRootClosed) {
    const markup = nextMarkup(xml, at, shape.landmarks);
    if (markup === null) return { offset: at, message: "the root element is not closed" };
    at = markup.end;
    const wasInStrayRun: boolean = isInStrayRun;
    isInStrayRun = false;
    let fault: Fatal | null = null;
    switch (markup.kind) {
      case "text":
      case "cdata": {
        const isStray = !isBlank(decode(markup.bytes));
        const start = markup.kind === "text" ? skipXmlSpace(xml, markup.start, markup.end) : markup.start;
        if (isStray && !wasInStrayRun) fault = reject(start, "stray-text");
        isInStrayRun = wasInStrayRun || isStray;
        break;
      }
      case "comment":
      case "instruction":
        break;
      case "doctype":
      case "declaration":
        fault = reject(markup.start, "bad-markup");
        break;
      case "end":
        if (markup.name.equals(shape.rootName)) isRootClosed = true;
        else fault = reject(markup.start, "stray-end-tag");
        break;
      case "open":
        fault = reject(markup.start, "tag-not-closed");
        break;
      case "start": {
        const end = readRecord(xml, markup, shape);
        if (end.kind === "fatal") return { offset: end.offset, message: end.message };
        at = end.at;
        isRootClosed = end.isRootClosed;
        if (end.kind === "record") items.push({ kind: "record", offset: markup.start, element: end.element });
        else fault = reject(markup.start, end.fault, end.id);
        break;
      }
      case "cut":
        return { offset: markup.start, message: "the document ends inside markup" };
      default:
        markup satisfies never;
    }
    if (fault !== null) return fault;
  }

  // Behind the root.
  while (at < xml.length) {
    const markup = outside(xml, at, false);
    if ("message" in markup) return markup;
    at = markup.end;
  }
  return null;
}

/** Markup around the root: white space, comments, instructions and, before it, a DOCTYPE and the root's start tag. */
function outside(xml: Buffer, at: number, isBefore: boolean): Markup | Fatal {
  const isDoctype = isBefore && xml.toString("latin1", at, at + 9).toUpperCase() === "<!DOCTYPE";
  const markup = isDoctype ? readDoctype(xml, at) : nextMarkup(xml, at, NO_LANDMARKS);
  if (markup === null) return { offset: at, message: "there is no root element" };
  if (markup.kind === "cut") return { offset: markup.start, message: "the document ends inside markup" };
  if (markup.kind === "comment" || markup.kind === "instruction" || markup.kind === "doctype") return markup;
  if (markup.kind === "start" && isBefore) return markup;
  if (markup.kind === "text" && isBlank(decode(markup.bytes))) return markup;
  const offset = markup.kind === "text" ? skipXmlSpace(xml, markup.start, markup.end) : markup.start;
  const place = isBefore ? "before the root element" : "behind the root element";
  return { offset, message: `${markup.kind === "start" ? "a second root" : markup.kind} ${place}` };
}

function shapeOf(dataType: DataType, rootName: Buffer, lineForm: Buffer | null, limits: OracleLimits): DocumentShape {
  const recordName = Buffer.from(RECORD_NAMES[dataType]);
  const landmarks = {
    record: lineForm === null ? null : Buffer.concat([lineForm, Buffer.from("<"), recordName]),
    rootEnd: Buffer.concat([Buffer.from("\n</"), rootName]),
  };
  return { dataType, recordName, rootName, landmarks, lineForm, limits };
}

/** The first element inside the root, whose name and place tell what records are and how they start. */
function firstElement(xml: Buffer, start: number, rootName: Buffer): { start: number; name: Buffer } | null {
  for (let at = start; ; ) {
    const markup = nextMarkup(xml, at, NO_LANDMARKS);
    if (markup === null || (markup.kind === "end" && markup.name.equals(rootName))) return null;
    if (markup.kind === "start") return markup;
    if (markup.kind === "cut")
      return /^<[^!?/]/s.test(xml.toString("latin1", markup.start, markup.start + 2)) ? { start: markup.start, name: openName(xml, markup.start) } : null;
    at = markup.end;
  }
}

function lineFormAt(xml: Buffer, at: number): Buffer | null {
  let start = at;
  while (start > 0 && isXmlSpace(xml[start - 1])) {
    start -= 1;
    if (xml[start] === 0x0a) return xml.subarray(start, at);
  }
  return null;
}

function wrongType(markup: { readonly start: number; readonly name: Buffer }, shape: DocumentShape): Fatal {
  return { offset: markup.start, message: `the first record is <${decode(markup.name)}>, not <${decode(shape.recordName)}>` };
}
