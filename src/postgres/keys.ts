import { type BodyKeys, bodyKeys } from "../../native/index.js";
import type { Portion } from "./portion.ts";

/** What bodies that anybody may have made say of themselves: every byte of them is looked at. */
export function checkedKeys({ bytes, ends }: Portion): BodyKeys {
  return bodyKeys(bytes, ends, true);
}
