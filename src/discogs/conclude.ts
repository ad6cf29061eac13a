import { dirname } from "node:path";
import { fault } from "#fault";
import { holdBack, isUnusual } from "../change/brake.ts";
import { addHistory, type HistoryLine } from "../change/history.ts";
import type { IndexStore } from "../change/index-store.ts";
import { type Generation, generationMeta, HASH_VERSION } from "../change/pointer.ts";
import { tombstones } from "../change/tombstones.ts";
import type { DataType } from "../model.ts";
import type { SinkWriter, Target } from "../sink/sink.ts";
import { isPositionLost } from "../sink/sink-errors.ts";
import type { DeletionsState } from "../state/marker.ts";
import type { VersionChanges } from "./changes.ts";
import type { RunContext } from "./extract-file.ts";
import type { ChangeReport } from "./request.ts";
import type { TypeChanges } from "./type-changes.ts";

/** Tombstones that are sent, made durable and written down together: what a crash makes come again at most. */
const TOMBSTONES_TOGETHER = 1000;

const NONE_SENT = { upTo: 0, sent: 0, sink: null } as const satisfies DeletionsState;

/** A sink that takes tombstones from a position in the ledger's list on, and how many it has. */
interface OpenTombstones extends Omit<DeletionsState, "sink"> {
  readonly writer: SinkWriter;
}

/** What became of the changes of each data type. */
export type Conclusion = Readonly<Partial<Record<DataType, ChangeReport>>>;

/**
 * The files of a version have been read to their ends: sends the tombstones that are believed, writes the next generation of each data type, and
 * moves the pointer to all of them at once. `doubt` says why a record that was not seen may be there all the same; null: it is gone.
 */
export async function concludeChanges(changes: VersionChanges, doubt: string | null, run: RunContext): Promise<Conclusion> {
  const dataTypes = changes.open;
  if (dataTypes.length === 0) return {};
  const reports: Partial<Record<DataType, ChangeReport>> = {};
  const generations: Partial<Record<DataType, Generation>> = {};
  for (const dataType of dataTypes) {
    const found = changes.of(dataType);
    if (found === null) continue;
    reports[dataType] = await concludeType(changes, found, doubt, run);
    if (!changes.dryRun) generations[dataType] = await writeGeneration(changes, found, reports[dataType], run);
    fault("generation-written");
  }
  if (!changes.dryRun) {
    await remember(changes.index, generations, new Date());
    await changes.index.commit(generations);
    fault("index-moved");
    changes[Symbol.dispose]();
    await changes.index.removeLedgers(dataTypes);
  }
  return reports;
}

async function concludeType(changes: VersionChanges, found: TypeChanges, doubt: string | null, run: RunContext): Promise<ChangeReport> {
  const { ledger, dataType, generation, index } = found;
  const { created, updated, unchanged, repeated, nameless } = ledger.counts;
  const counts = { created, updated, unchanged, repeated };
  const gone = ledger.goneCount;
  if (changes.options === null) return { ...counts, deleted: 0, pending: gone };
  run.telemetry.changes.updates(dataType, counts, isUnusual(counts, changes.options.warnUpdateShare));
  // Whoever has heard that some are gone has to hear it of all: what is held back counts as still there.
  const isBegun = (run.store?.fileState(found.file)?.deletions ?? null) !== null;
  const held = isBegun ? null : holdBack({ known: index?.ids ?? 0, gone, nameless }, changes.options, doubt);
  if (held !== null) run.telemetry.changes.held(dataType, gone, held);
  const deleted = held === null ? gone : 0;
  // What was known of nothing cannot have lost anything; otherwise the sinks hear that nothing is gone, too.
  if (held === null && generation !== null && !changes.dryRun) await sendTombstones(found, run);
  const report = { ...counts, deleted, pending: gone - deleted };
  run.telemetry.changes.found(dataType, report);
  return report;
}

/** Sends a tombstone for each record that is gone. What is on its way stands in the ledger first, and what has arrived in the state marker. */
async function sendTombstones(found: TypeChanges, run: RunContext): Promise<void> {
  const { ledger, dataType, file } = found;
  const { request, store, signal } = run;
  const { version, contract } = request;
  const of = { version, dataType, contract, run: ledger.run.id };
  const { writer: opened, upTo, sent: before } = await openTombstones(found, run);
  await using writer = opened;
  let sent = before;
  ledger.deleting(upTo);
  await ledger.sync();
  if (ledger.goneCount > 0) {
    await store?.apply({ type: "deletions-progressed", file, deletions: store.fileState(file)?.deletions ?? NONE_SENT });
    await found.delivering("deletions");
  }
  for (let from: number | null = upTo; from !== null; ) {
    const gone = ledger.gone(from, TOMBSTONES_TOGETHER);
    if (gone.ids.length > 0) await writer.write(tombstones(gone, sent, of, new Date()), signal);
    sent += gone.ids.length;
    from = gone.next;
    const position = await writer.sync(signal);
    fault("tombstones-synced");
    ledger.deleting(from);
    if (from !== null) await store?.apply({ type: "deletions-progressed", file, deletions: { upTo: from, sent, sink: position } });
  }
  await writer.finish({ file: `${dataType}.deleted`, records: sent, complete: true }, signal);
}

/** Opens the sink behind the tombstones that have arrived; where it has lost its place, before the first. */
async function openTombstones({ dataType, file }: TypeChanges, { request, sink, store, telemetry, signal }: RunContext): Promise<OpenTombstones> {
  const { version, contract } = request;
  const target: Target = { version, dataType, contract, stream: "deletions" };
  const { sink: position, ...before } = store?.fileState(file)?.deletions ?? NONE_SENT;
  try {
    return { writer: await sink.open(target, position, signal), ...before };
  } catch (error) {
    if (!isPositionLost(error)) throw error;
    telemetry.warned(`${dataType}: ${sink.name} no longer holds the tombstones that were sent; sending them from the first one`);
    return { writer: await sink.open(target, null, signal), upTo: NONE_SENT.upTo, sent: NONE_SENT.sent };
  }
}

async function writeGeneration(changes: VersionChanges, found: TypeChanges, report: ChangeReport, { request }: RunContext): Promise<Generation> {
  const { ledger, dataType } = found;
  const { version, contract, rules } = request;
  const { pending, ...counts } = report;
  const known = { version, run: ledger.run.id, pending, changes: counts, rulesDigest: rules?.digest ?? null, hashVersion: HASH_VERSION };
  const next = { ...changes.index.next(dataType), ...known, records: 0 };
  const meta = generationMeta(dataType, contract, next);
  const { records } = await ledger.merge({ out: changes.index.pathOf(next), meta, pending: fateOf(changes, found, report) });
  return { ...next, records };
}

/** Who gets every record may drop what is not among them, or keep it: nobody knows. */
function fateOf({ options }: VersionChanges, { holdsUnseen }: TypeChanges, { pending }: ChangeReport): "keep" | "recheck" | "drop" | "doubt" {
  if (options === null) return "doubt";
  if (pending === 0) return "drop";
  return holdsUnseen ? "keep" : "recheck";
}

/** Before they become the last good ones: a run that is ended once more says it once more. */
async function remember(index: IndexStore, generations: Readonly<Partial<Record<DataType, Generation>>>, now: Date): Promise<void> {
  const [first] = Object.values(generations);
  if (first === undefined) return;
  const lines = (Object.entries(generations) as [DataType, Generation][]).map(([dataType, { version, run, changes, pending }]): HistoryLine => {
    return { version, run, dataType, at: now.toISOString(), ...changes, pending };
  });
  await addHistory(dirname(index.pathOf(first)), lines);
}
