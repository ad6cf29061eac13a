/** A value in a record: the contracts know no numbers and no booleans. */
export type JsonValue = null | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** One record as its message carries it: the envelope, and the record's own members beside it. */
export interface DumpRecord {
  readonly type: "data";
  readonly id: JsonValue;
  /** SHA-256 of the record's compact sorted JSON, in hex. */
  readonly sha256: string;
  readonly [key: string]: JsonValue;
}

const decoder = new TextDecoder();

/** Parses one message body. Of members that stand twice (`id`) the record's own wins, as for every JSON parser. */
export function parseRecord(body: Uint8Array): DumpRecord {
  // A decoder takes no shared memory.
  return JSON.parse(decoder.decode(body.buffer instanceof SharedArrayBuffer ? body.slice() : body)) as DumpRecord;
}
