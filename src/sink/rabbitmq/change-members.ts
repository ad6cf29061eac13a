import { type Batch, CHANGE_TYPES, startOf } from "../../model.ts";
import { changeMembers } from "./messages.ts";

const LF = 10;

/** The bodies of a batch with how each has changed as its last members, in memory of their own; `ends` as in a batch. */
export function withChangeMembers({ bytes, ends, changes }: Batch): Pick<Batch, "bytes" | "ends"> {
  if (changes === null) return { bytes, ends };
  const members = CHANGE_TYPES.map((change) => changeMembers(change, changes.run));
  const membersOf = (index: number) => members[changes.kinds[index] ?? 0] ?? Buffer.alloc(0);
  let size = 0;
  for (let index = 0; index < ends.length; index += 1) size += (ends[index] ?? 0) - startOf(ends, index) + membersOf(index).length;
  const longer = Buffer.allocUnsafe(size); // the brace that each body loses is its LF
  const longerEnds = new Uint32Array(ends.length);
  let at = 0;
  for (let index = 0; index < ends.length; index += 1) {
    const body = bytes.subarray(startOf(ends, index), (ends[index] ?? 0) - 1);
    longer.set(body, at);
    at += body.length;
    longer.set(membersOf(index), at);
    at += membersOf(index).length;
    longerEnds[index] = at;
    longer[at] = LF;
    at += 1;
  }
  return { bytes: longer, ends: longerEnds };
}
