/** Files that an earlier run has completed: which of them are read again, and what is reported of the others. */
import type { DataType } from "../model.ts";
import { sameIdentity } from "../model.ts";
import { identify } from "../source/identity.ts";
import type { InputFile } from "../source/inputs.ts";
import { NO_COUNTS } from "../state/marker.ts";
import { type RunContext, reportedCounts } from "./extract-file.ts";
import type { TypeReport } from "./request.ts";

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

/** Those of the completed files whose output has been removed since: they are extracted again. So are those whose changes the index lacks. */
export async function lostFiles({ request, sink, store, changes, telemetry }: RunContext): Promise<string[]> {
  const { version, contract, inputs } = request;
  const lost: string[] = [];
  for (const input of inputs) {
    const { name } = input;
    const state = store?.fileState(name);
    if (state?.status !== "completed") continue;
    const isIncremental = changes !== null && request.incremental !== null;
    // Without a digest it was another program that completed it, somewhere else. Changes that the index knows may have been taken away since.
    const isOwed = state.digest !== null && state.dataType !== null && !(isIncremental && changes.isConcluded(state.dataType, state.ledger));
    if (isOwed && state.dataType !== null && !(await sink.holds({ version, contract, dataType: state.dataType, stream: "records" }))) {
      telemetry.warned(`${name} was extracted before, but ${sink.name} no longer holds its records; extracting it again`);
      lost.push(name);
    } else if (isIncremental) {
      if (!(await changes.isRead(input, state.source, state.ledger))) lost.push(name);
    } else await changes?.takeUp(input, state.source, state.ledger);
  }
  return lost;
}

/** The report of a file that an earlier run has completed. */
export function addKnown(types: Partial<Record<DataType, TypeReport>>, input: InputFile, { request, store, pool }: RunContext): void {
  const state = store?.fileState(input.name);
  const dataType = state?.dataType ?? input.dataType;
  if (dataType === null || dataType === undefined) return;
  const counts = reportedCounts(state?.counts ?? NO_COUNTS, request);
  const digest = state?.digest ?? "0".repeat(64);
  types[dataType] = { ...counts, xmlBytes: 0, inflatedBytes: 0, seconds: 0, threads: pool.threads, digest, resumedFrom: null };
}
