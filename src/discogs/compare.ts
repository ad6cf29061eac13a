import type { Dump } from "./dump.ts";
import type { JsonValue } from "./dump-record.ts";
import { type PatchStep, stepsBetween } from "./json-patch.ts";

/** What has become of a record between two versions. */
export interface Comparison {
  readonly change: "created" | "updated" | "deleted" | "unchanged";
  /** From the one body to the other; one step at the root where there is only one of them. */
  readonly steps: readonly PatchStep[];
}

/** Compares the bodies of a record in two dumps; null if neither has one. */
export async function compareRecord(id: string, from: Dump, to: Dump): Promise<Comparison | null> {
  const before = await bodyIn(from, id);
  const after = await bodyIn(to, id);
  if (before === null) return after === null ? null : { change: "created", steps: [{ op: "add", path: "", value: after }] };
  if (after === null) return { change: "deleted", steps: [{ op: "remove", path: "", before }] };
  const steps = stepsBetween(before, after);
  return { change: steps.length === 0 ? "unchanged" : "updated", steps };
}

/** What is kept back by a rule is not there for consumers. */
async function bodyIn(dump: Dump, id: string): Promise<JsonValue | null> {
  const record = await dump.getRecord(id);
  return record === null || record.body === null ? null : record.parse();
}
