/** An object without inherited members that V8 still keeps in its fast form, unlike `Object.create(null)`. */
export function Fields() {}
Fields.prototype = Object.create(null);

/** The same fields with their keys in order; the very object if they are already. */
export function sortedFields(fields) {
  let last = "";
  for (const key in fields) {
    if (key < last) return rebuilt(fields);
    last = key;
  }
  return fields;
}

function rebuilt(fields) {
  const sorted = new Fields();
  for (const key of Object.keys(fields).sort()) sorted[key] = fields[key];
  return sorted;
}

/** Adds a child; a name seen before makes an array. */
export function addField(fields, name, value) {
  const seen = fields[name];
  if (seen === undefined) fields[name] = value;
  else if (Array.isArray(seen)) seen.push(value);
  else fields[name] = [seen, value];
}

const edges = /^\p{White_Space}+|\p{White_Space}+$/gu;

/** Trims what Unicode calls white space; `String#trim` takes U+FEFF for it and U+0085 not. */
export function trimmed(text) {
  if (isPlain(text.charCodeAt(0)) && isPlain(text.charCodeAt(text.length - 1))) return text;
  return text.replace(edges, "");
}

/** Above the space and below U+0085; NaN, of an empty text, is not. */
function isPlain(code) {
  return code > 0x20 && code < 0x7f;
}

const attributeKeys = new Map();

/** `@name`, made once for each name. */
export function attributeKey(name) {
  let key = attributeKeys.get(name);
  if (key === undefined) {
    key = `@${name}`;
    attributeKeys.set(name, key);
  }
  return key;
}

const resolved = /[&<>"\t\n\r]/;
const references = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/**
 * The value of an attribute as the dump spells it: the topic contract leaves references raw, while these parsers resolve
 * them. Exact for dumps in Discogs' own byte form, which has one spelling for each of these characters.
 */
export function rawAttribute(value) {
  return resolved.test(value) ? value.replace(/[&<>"\t\n\r]/g, (character) => references[character]) : value;
}
