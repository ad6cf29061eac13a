import { StringDecoder } from "node:string_decoder";
import sax from "sax";
import { RecordBuilder } from "../builder.mjs";

export function open(recordName, onRecord) {
  const builder = new RecordBuilder(recordName, onRecord);
  const decoder = new StringDecoder("utf8");
  const parser = sax.parser(true, { position: false });
  parser.onopentag = (tag) => builder.start(tag.name, tag.attributes);
  parser.ontext = (text) => builder.text(text);
  parser.oncdata = (text) => builder.text(text);
  parser.onclosetag = (name) => builder.end(name);
  parser.onerror = (error) => {
    throw error;
  };
  return {
    write: (chunk) => parser.write(decoder.write(chunk)),
    end: () => {
      parser.write(decoder.end());
      parser.close();
      builder.finish();
    },
  };
}
