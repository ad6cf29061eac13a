import { StringDecoder } from "node:string_decoder";
import { SaxesParser } from "saxes";
import { RecordBuilder } from "../builder.mjs";

export function open(recordName, onRecord) {
  const builder = new RecordBuilder(recordName, onRecord);
  const decoder = new StringDecoder("utf8");
  const parser = new SaxesParser({ position: false });
  parser.on("opentag", (tag) => builder.start(tag.name, tag.attributes));
  parser.on("text", (text) => builder.text(text));
  parser.on("cdata", (text) => builder.text(text));
  parser.on("closetag", (tag) => builder.end(tag.name));
  parser.on("error", (error) => {
    throw error;
  });
  return {
    write: (chunk) => parser.write(decoder.write(chunk)),
    end: () => {
      parser.write(decoder.end());
      parser.close();
      builder.finish();
    },
  };
}
