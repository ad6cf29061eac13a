/** Dumps that lie where completed ones were: whether they are still those. */
import { sameIdentity } from "../model.ts";
import { identify } from "../source/identity.ts";
import type { InputFile } from "../source/inputs.ts";
import type { RunContext } from "./extract-file.ts";

/**
 * Those of the completed files that are not the very files which were completed, or which are published with another hash by now. Verifying
 * tells whether their bytes are others. What another program has completed is left alone, since nothing is known of its bytes.
 */
export async function doubtedFiles({ request, store }: Pick<RunContext, "request" | "store">): Promise<InputFile[]> {
  const doubted: InputFile[] = [];
  if (store === null || request.force) return doubted;
  for (const input of request.inputs) {
    const state = store.fileState(input.name);
    if (input.path === null || state?.status !== "completed" || state.source === null) continue;
    const [before, now] = [state.source, await identify(input.path)];
    // Nothing is hashed before it is streamed.
    const isStreamed = request.verify === "stream";
    const isPublished = isStreamed || input.expected === null || input.expected.sha256 === before.sha256;
    const isSame = isStreamed ? before.size === now.size && before.mtimeNs === now.mtimeNs : sameIdentity(before, now);
    if (!isPublished || !isSame) doubted.push(input);
  }
  return doubted;
}
