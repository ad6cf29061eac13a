import { fault } from "#fault";
import { DumpError } from "../errors.ts";
import type { DataType } from "../model.ts";
import type { PostgresClient } from "../postgres/connect.ts";
import { copyBinaryInto } from "../postgres/copy.ts";
import { completeRun, runNumber, supersedeRun } from "../postgres/processing-runs.ts";
import { completeState, moveState, readRun } from "../postgres/processing-state.ts";
import { applyStaged, forgetChanges, isUnknown, RECORD_COLUMNS, STAGING_COLUMNS, stage } from "../postgres/record-states.ts";
import { inTransaction } from "../postgres/transaction.ts";
import { recordRows, stagingRows } from "./differences.ts";
import type { BegunRun } from "./index-store.ts";
import { OpenIndex } from "./ledger.ts";
import type { Generation } from "./pointer.ts";

/** One data type's way from its last generation to the next. */
export interface TypeCommit {
  readonly dataType: DataType;
  /** Row of processing_state. */
  readonly state: number;
  readonly old: Generation | null;
  readonly next: Generation;
  /** Null where a run is folded. */
  readonly run: BegunRun | null;
}

export interface CommitOptions {
  /** The run that was never ended, and whose deliveries become known. */
  readonly folded: string | null;
  readonly runsKept: number;
  readonly pathOf: (generation: Generation) => string;
}

/** Brings all data types to their next generations in one transaction. What was committed although nobody could say so is not done again. */
export async function commitVersion(client: PostgresClient, types: readonly TypeCommit[], options: CommitOptions): Promise<void> {
  const [first] = types;
  if (first === undefined || (await readRun(client, first.state)) === first.next.run) return; // all move together
  await inTransaction(client, async () => {
    for (const type of types) await commitType(client, type, options);
    fault("state-stored");
  });
}

async function commitType(client: PostgresClient, type: TypeCommit, { folded, runsKept, pathOf }: CommitOptions): Promise<void> {
  const { dataType, state, old, next, run } = type;
  const isMoved = await moveState(client, state, old?.run ?? null, next);
  if (!isMoved) throw overtaken(dataType);
  using before = old === null ? null : new OpenIndex(pathOf(old));
  using after = new OpenIndex(pathOf(next));
  const number = await runNumber(client, next.run);
  const isFirst = old === null && (await isUnknown(client, state));
  if (isFirst) await copyBinaryInto(client, RECORD_COLUMNS, recordRows(after, state, number));
  const isRebased = folded === null && old !== null && old.hashVersion !== next.hashVersion;
  await stage(client);
  await copyBinaryInto(client, STAGING_COLUMNS, stagingRows(before, after, { isRebased, withoutPlain: isFirst }));
  await applyStaged(client, { dataType, state, run: next.run, number, isLogged: folded === null && run?.isBaseline === false });
  if (folded !== null) return await supersedeRun(client, folded);
  const isCompleted = await completeRun(client, state, next.run, next.changes);
  if (!isCompleted) throw overtaken(dataType);
  await forgetChanges(client, state, runsKept);
  const { created, updated, unchanged } = next.changes;
  if (run !== null)
    await completeState(client, state, { name: run.file.name, checksum: run.file.sha256, bytes: run.file.bytes }, created + updated + unchanged);
}

function overtaken(dataType: DataType): DumpError {
  return new DumpError("STATE_LOCKED", `${dataType}: another process has processed it meanwhile; run again`);
}
