import fc from "fast-check";
import type { DataType } from "../../src/model.ts";

// XML is made as binary strings, one character a byte, so that any bytes can be mixed in and shrinking stays readable.

/** The bytes of a text as a binary string. */
export function utf8(text: string): string {
  return Buffer.from(text).toString("latin1");
}

const WORDS = [
  "a",
  "The",
  "Jesper Dahlbäck",
  "日本語",
  "🎵 x",
  '12"',
  "it's",
  "R & B",
  "<b>",
  "A > B",
  "line\nline",
  "tab\there",
  " padded ",
  "Ω\u00a0Ω",
  "e\u0301",
  "[a=Svek]",
  "x]]y",
  "",
  "?",
  "http://x.y/?a=1&b=2",
];

const word = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...WORDS) }, fc.string({ maxLength: 12 }));

/** Text as people write it, unescaped. */
const plainText = fc.array(word, { maxLength: 4 }).map((words) => words.join(" "));

const id = fc.nat({ max: 99_999_999 }).map(String);

function escapeText(text: string): string {
  return utf8(text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\r", "&#13;"));
}

function escapeAttribute(text: string): string {
  return escapeText(text).replaceAll('"', "&quot;").replaceAll("\t", "&#9;");
}

type Xml = fc.Arbitrary<string>;
type Attributes = Record<string, fc.Arbitrary<string>>;

function element(name: string, attributes: Attributes, content: Xml): Xml {
  const values = fc.record(attributes).map((record) => Object.entries(record).map(([key, value]) => ` ${key}="${escapeAttribute(value)}"`));
  return fc.tuple(values, content, fc.boolean()).map(([pairs, inside, isShort]) => {
    const head = `<${name}${pairs.join("")}`;
    return inside === "" && isShort ? `${head}/>` : `${head}>${inside}</${name}>`;
  });
}

function leaf(name: string, text = plainText, attributes: Attributes = {}): Xml {
  return element(name, attributes, text.map(escapeText));
}

function many(item: Xml, maxLength = 3): Xml {
  return fc.array(item, { maxLength }).map((items) => items.join(""));
}

/** Some of the parts, in their order. */
function some(...parts: Xml[]): Xml {
  return fc.tuple(...parts.map((part) => fc.option(part, { nil: "" }))).map((chosen) => chosen.join(""));
}

const credit = element("artist", {}, some(leaf("id", id), leaf("name"), leaf("anv"), leaf("join"), leaf("role"), leaf("tracks")));
const images = element(
  "images",
  {},
  many(element("image", { type: fc.constantFrom("primary", "secondary"), uri: fc.constant(""), width: id }, fc.constant(""))),
);
const urls = element("urls", {}, many(leaf("url")));
const names = (container: string): Xml => element(container, {}, many(fc.oneof(leaf("name", plainText, { id }), leaf("name"))));
const genres = element("genres", {}, many(leaf("genre")));
const styles = element("styles", {}, many(leaf("style")));
const videos = element(
  "videos",
  {},
  many(element("video", { src: plainText, duration: id, embed: fc.constantFrom("true", "false") }, some(leaf("title"), leaf("description")))),
);
const members = fc.oneof(
  names("members"),
  element("members", {}, many(fc.tuple(leaf("id", id), leaf("name", plainText, { id })).map((pair) => pair.join("")))),
);
const subTracks = element("sub_tracks", {}, many(element("track", {}, some(leaf("position"), leaf("title")))));
const track = element("track", {}, some(leaf("position"), leaf("title"), leaf("duration"), element("artists", {}, many(credit)), subTracks));
const format = element("format", { name: plainText, qty: id, text: plainText }, some(element("descriptions", {}, many(leaf("description")))));
const series = element("series", {}, many(element("series", { name: plainText, catno: plainText, id }, fc.constant(""))));

const ARTIST = element(
  "artist",
  {},
  some(
    images,
    leaf("id", id),
    leaf("name"),
    leaf("realname"),
    leaf("profile"),
    leaf("data_quality"),
    urls,
    element("namevariations", {}, many(leaf("name"))),
    names("aliases"),
    members,
    names("groups"),
  ),
);

const LABEL = element(
  "label",
  {},
  some(
    images,
    leaf("id", id),
    leaf("name"),
    leaf("contactinfo"),
    leaf("profile"),
    leaf("data_quality"),
    leaf("parentLabel", plainText, { id }),
    urls,
    element("sublabels", {}, many(leaf("label", plainText, { id }))),
  ),
);

const MASTER = element(
  "master",
  { id },
  some(leaf("main_release", id), images, element("artists", {}, many(credit)), genres, styles, leaf("year", id), leaf("title"), leaf("data_quality"), videos),
);

const releaseContent = some(
  images,
  element("artists", {}, many(credit)),
  leaf("title"),
  element("labels", {}, many(element("label", { name: plainText, catno: plainText, id }, fc.constant("")))),
  element("extraartists", {}, many(credit)),
  element("formats", {}, many(format)),
  genres,
  styles,
  leaf("country"),
  leaf("released"),
  leaf("notes"),
  leaf("master_id", id, { is_main_release: fc.constantFrom("true", "false") }),
  element("tracklist", {}, many(track)),
  element("identifiers", {}, many(element("identifier", { type: plainText, description: plainText, value: plainText }, fc.constant("")))),
  series,
);
const RELEASE = fc.oneof(element("release", { id, status: fc.constant("Accepted") }, releaseContent), element("release", { id }, releaseContent));

const RECORDS: Record<DataType, Xml> = { artists: ARTIST, labels: LABEL, masters: MASTER, releases: RELEASE };

/** A record as Discogs writes it, with text it might hold. */
export function plainRecord(dataType: DataType): Xml {
  return RECORDS[dataType];
}
