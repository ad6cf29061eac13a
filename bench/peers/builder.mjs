import { addField, attributeKey, Fields, rawAttribute, sortedFields, trimmed } from "./fields.mjs";

const RECORD_DEPTH = 2;

/** Builds one object per record from the events of a streaming parser. */
export class RecordBuilder {
  #recordName;
  #onRecord;
  #depth = 0;
  /** One element per depth, used again and again; `null` fields are the common case of a text-only element. */
  #open = [];
  #inRecord = false;

  constructor(recordName, onRecord) {
    this.#recordName = recordName;
    this.#onRecord = onRecord;
  }

  start(name, attributes) {
    const depth = ++this.#depth;
    if (depth === RECORD_DEPTH) this.#inRecord = name === this.#recordName;
    if (!this.#inRecord) return;
    this.#open[depth] ??= { fields: null, text: "", hasChildren: false };
    const element = this.#open[depth];
    element.fields = null;
    element.text = "";
    element.hasChildren = false;
    for (const key in attributes) {
      element.fields ??= new Fields();
      element.fields[attributeKey(key)] = rawAttribute(attributes[key]);
    }
    if (depth > RECORD_DEPTH) this.#open[depth - 1].hasChildren = true;
  }

  text(text) {
    if (this.#inRecord) this.#open[this.#depth].text += text;
  }

  end(name) {
    const depth = this.#depth--;
    if (!this.#inRecord) return;
    const element = this.#open[depth];
    const { fields } = element;
    // Text beside children is dropped, as the contract has it.
    const text = element.hasChildren ? "" : trimmed(element.text);
    if (depth === RECORD_DEPTH) {
      this.#inRecord = false;
      if (fields === null) return;
      if (text !== "") fields["#text"] = text;
      this.#onRecord(fields);
      return;
    }
    const parent = this.#open[depth - 1];
    parent.fields ??= new Fields();
    if (fields === null) {
      addField(parent.fields, name, text === "" ? null : text);
    } else {
      if (text !== "") fields["#text"] = text;
      addField(parent.fields, name, sortedFields(fields));
    }
  }

  /** Fails if the document ended too early; not every parser does. */
  finish() {
    if (this.#depth !== 0) throw new Error("the file ends before the closing root tag");
  }
}
