import expat from "node-expat";
import { RecordBuilder } from "../builder.mjs";

/** Expat reads the bytes itself, so nothing is decoded before it. */
export function open(recordName, onRecord) {
  const builder = new RecordBuilder(recordName, onRecord);
  const parser = new expat.Parser("UTF-8");
  parser.on("startElement", (name, attributes) => builder.start(name, attributes));
  parser.on("text", (text) => builder.text(text));
  parser.on("endElement", (name) => builder.end(name));
  // `parse` instead of `write`: it says whether it worked, while `write` emits an error and goes on.
  const parse = (chunk, isFinal) => {
    if (!parser.parse(chunk, isFinal)) throw new Error(parser.getError());
  };
  return {
    write: (chunk) => parse(chunk, false),
    end: () => {
      parse("", true);
      builder.finish();
    },
  };
}
