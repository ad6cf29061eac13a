import fc from "fast-check";

/** What tears documents: markup and its pieces, at any place. */
const INSERTS = [
  "<",
  ">",
  "/",
  '"',
  "'",
  "&",
  "=",
  "\n",
  "\0",
  "\xff",
  "stray",
  "<!x>",
  "<!",
  "<!--",
  "-->",
  "<![CDATA[",
  "]]>",
  "<![cdata[x]]>",
  "<?",
  "?>",
  "</",
  "/>",
  "<x>",
  "</x>",
  "<x/>",
  "</>",
  "<foo>",
  "</foo>",
  "<foo/>",
  "<artist>",
  "</artist>",
  "<artist/>",
  "<label>",
  "</label>",
  "\n<label>",
  "<master>",
  "</master>",
  "<release>",
  "</release>",
  "<sublabels>",
  "</sublabels>",
  "\n<artist>",
  "\n<artist",
  '\n<release id="1">',
  "\n<master",
  "\n</artists>",
  "\n</labels>",
  "\n</releases",
  "</artists>",
  "</labels>",
  "</masters>",
  "</releases>",
  "<artists>",
  "&#32;",
  "<![CDATA[ ]]>",
  "<?p?>",
  "<!-- -->",
];

/** One damage; places are numbers taken modulo what is there, so that they stay valid while others shrink. */
type Mutation =
  | { readonly kind: "insert"; readonly place: number; readonly atTag: boolean; readonly bytes: string }
  | { readonly kind: "delete"; readonly place: number; readonly length: number }
  | { readonly kind: "replace"; readonly place: number; readonly bytes: string }
  | { readonly kind: "delete-tag"; readonly place: number }
  | { readonly kind: "move-tag"; readonly place: number; readonly to: number }
  | { readonly kind: "repeat"; readonly place: number; readonly length: number }
  | { readonly kind: "truncate"; readonly place: number };

const place = fc.nat();
const bytes = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...INSERTS) },
  fc.nat({ max: 255 }).map((byte) => String.fromCharCode(byte)),
);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("insert" as const), place, atTag: fc.boolean(), bytes }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), place, length: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("replace" as const), place, bytes }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("delete-tag" as const), place }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("move-tag" as const), place, to: place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("repeat" as const), place, length: fc.integer({ min: 1, max: 80 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("truncate" as const), place }) },
);

/** A document with one to four damages. */
export function broken(document: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(document, fc.array(mutation, { minLength: 1, maxLength: 4 })).map(([xml, mutations]) => mutations.reduce(apply, xml));
}

function apply(xml: string, change: Mutation): string {
  const at = change.place % (xml.length + 1);
  switch (change.kind) {
    case "insert": {
      const where = change.atTag ? (tagAt(xml, change.place)?.start ?? at) : at;
      return xml.slice(0, where) + change.bytes + xml.slice(where);
    }
    case "delete":
      return xml.slice(0, at) + xml.slice(at + change.length);
    case "replace":
      return xml.slice(0, at) + change.bytes + xml.slice(at + change.bytes.length);
    case "delete-tag": {
      const tag = tagAt(xml, change.place);
      return tag === null ? xml : xml.slice(0, tag.start) + xml.slice(tag.end);
    }
    case "move-tag": {
      const tag = tagAt(xml, change.place);
      if (tag === null) return xml;
      const rest = xml.slice(0, tag.start) + xml.slice(tag.end);
      const to = tagAt(rest, change.to)?.start ?? rest.length;
      return rest.slice(0, to) + xml.slice(tag.start, tag.end) + rest.slice(to);
    }
    case "repeat":
      return xml.slice(0, at + change.length) + xml.slice(at);
    case "truncate":
      return xml.slice(0, at);
    default:
      return change satisfies never;
  }
}

function tagAt(xml: string, number: number): { start: number; end: number } | null {
  const tags = [...xml.matchAll(/<[^<>]*>/g)];
  const found = tags[number % Math.max(1, tags.length)];
  return found === undefined ? null : { start: found.index, end: found.index + found[0].length };
}
