import { fault } from "#fault";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import type { RunContext } from "./extract-file.ts";
import type { TypeReport } from "./request.ts";

type Types = Readonly<Partial<Record<DataType, TypeReport>>>;

/**
 * Tells consumers that the version is complete, if it is: all data types of it, not only those that this run was asked for. Where that fails
 * the marker says so.
 */
export async function announce(types: Types, run: RunContext): Promise<void> {
  try {
    await tell(types, run);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!run.signal.aborted) await run.store?.apply({ type: "phase-failed", phase: "publishing", error: message }).catch(() => {});
    throw error;
  }
}

async function tell(types: Types, { request, store, sink, signal }: RunContext): Promise<void> {
  const { version, contract } = request;
  const startedAt = store?.marker.processing_phase.started_at ?? null;
  const counts = DATA_TYPES.map((type) => [type, recordsOf(types[type])] as const);
  if (counts.some(([, count]) => count === undefined)) return;
  // Consumers remove what is older: a version whose beginning is not known must not be announced.
  if (startedAt === null) throw new DumpError("INTERNAL", `version ${version}: the state does not say when it was begun; please report it`);
  const recordCounts = Object.fromEntries(counts) as Record<DataType, number>;
  await sink.announce({ version, contract, startedAt, recordCounts }, signal);
  fault("version-announced");
}

/** Records with a message, those that a rule skipped included, as at the end of each file. */
function recordsOf(type: TypeReport | undefined): number | undefined {
  return type === undefined ? undefined : type.written + (type.skipped ?? 0);
}
