import { decode, trim } from "./characters.ts";
import type { DocumentShape } from "./document.ts";
import { type Chunk, chunks, countedAttributes, type Element } from "./element.ts";
import { landmarkAt, type Markup, nextMarkup } from "./scanner.ts";

type StartTag = Extract<Markup, { kind: "start" }>;

/** How reading an element at depth 2 ended; `at` is where reading goes on. */
export type RecordEnd =
  | { readonly kind: "record"; readonly element: Element; readonly at: number; readonly isRootClosed: false }
  | { readonly kind: "reject"; readonly fault: string; readonly id: string | null; readonly at: number; readonly isRootClosed: boolean }
  | { readonly kind: "fatal"; readonly offset: number; readonly message: string };

/** Reads the element that `first` starts; a name other than the record's makes it a reject from the start. */
export function readRecord(xml: Buffer, first: StartTag, shape: DocumentShape): RecordEnd {
  const { limits, recordName } = shape;
  const record = elementOf(first);
  const stack: Element[] = [];
  let fault: string | null = first.name.equals(recordName) ? tagFault(first, 2, shape) : "foreign-element";
  const rejected = (at: number, kind: string, isRootClosed = false): RecordEnd => {
    return { kind: "reject", fault: fault ?? kind, id: idOf(record), at, isRootClosed };
  };

  if (!first.empty) stack.push(record);
  let at = first.end;
  while (stack.length > 0) {
    // A label among sublabels may look exactly like a record.
    const mayNest = shape.dataType === "labels" && stack.some((element) => element.name.equals(Buffer.from("sublabels")));
    if (!mayNest && isRecordStart(xml, at, shape)) return rejected(at, "record-not-closed");
    const markup = nextMarkup(xml, at, shape.landmarks);
    if (markup === null) return { kind: "fatal", offset: at, message: "the document ends inside a record" };
    const parent = stack[stack.length - 1] ?? record;
    at = markup.end;
    switch (markup.kind) {
      case "text":
      case "cdata":
        parent.content.push({ kind: markup.kind, bytes: markup.bytes } satisfies Chunk);
        break;
      case "comment":
      case "instruction":
        break;
      case "doctype":
      case "declaration":
        fault ??= "bad-markup";
        break;
      case "open":
        if (markup.landmark === "root-end" || !mayNest) return rejected(markup.end, "tag-not-closed");
        fault ??= "tag-not-closed";
        break;
      case "start": {
        fault ??= tagFault(markup, stack.length + 2, shape);
        const element = elementOf(markup);
        parent.content.push(element);
        if (!markup.empty) stack.push(element);
        break;
      }
      case "end": {
        if (!markup.name.equals(parent.name)) fault ??= "end-tag-mismatch";
        const depth = stack.findLastIndex((element) => element.name.equals(markup.name));
        if (depth !== -1) stack.length = depth;
        else if (markup.name.equals(shape.rootName)) return rejected(markup.end, "end-tag-mismatch", true);
        break;
      }
      case "cut":
        return { kind: "fatal", offset: markup.start, message: "the document ends inside markup" };
      default:
        markup satisfies never;
    }
  }
  if (at - first.start > limits.recordBytesMax) fault ??= "record-too-large";
  if (fault !== null) return rejected(at, fault);
  return { kind: "record", element: record, at, isRootClosed: false };
}

function elementOf(tag: StartTag): Element {
  return { kind: "element", name: tag.name, attributes: tag.attributes, empty: tag.empty, content: [] };
}

/** The limit that a tag exceeds, if any. */
function tagFault(tag: StartTag, depth: number, { limits }: DocumentShape): string | null {
  const names = [tag.name, ...tag.attributes.map((attribute) => attribute.name)];
  if (names.some((name) => name.length > limits.nameBytesMax)) return "name-too-long";
  if (tag.attributes.length > limits.attributesMax) return "too-many-attributes";
  return depth > limits.depthMax ? "too-deep" : null;
}

/** Tells whether a record starts at `at` as the file's first one does. */
function isRecordStart(xml: Buffer, at: number, { lineForm, landmarks }: DocumentShape): boolean {
  return lineForm !== null && landmarkAt(xml, at - lineForm.length, landmarks) === "record";
}

/** The id of a record that is not delivered, as far as it was read: for people, so raw and trimmed. */
function idOf(record: Element): string | null {
  const attribute = countedAttributes(record).find(({ name }) => name.equals(Buffer.from("id")));
  if (attribute !== undefined) return decode(attribute.value);
  const child = record.content.find((item) => item.kind === "element" && item.name.equals(Buffer.from("id")));
  if (child?.kind !== "element") return null;
  const text = trim(decode(Buffer.concat(chunks(child).map((chunk) => chunk.bytes))));
  return text === "" ? null : text;
}
