/** `processing_runs`: what became of each run. */
import type { DataType } from "../model.ts";
import type { PostgresClient } from "./connect.ts";

/** A run that begins, or goes on. */
export interface StartedRun {
  readonly id: string;
  readonly state: number;
  readonly dataType: DataType;
  readonly version: string;
  /** What it is of; another one of the same finds the same. */
  readonly subject: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What a run has found. */
export interface RunCounts {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
}

/** Whoever processes a data type, to be named to others. */
export interface Holder {
  readonly id: string;
  readonly host: string | null;
  readonly pid: number | null;
  readonly started_at: Date;
  readonly heartbeat_at: Date;
}

/** Behind a subject: deletions of it were begun. Another run of the same may hold them back, and does not find the same. */
const DELETING = " deleting";

const HOLDER = `SELECT id, metadata->>'host' AS host, (metadata->>'pid')::integer AS pid, started_at, heartbeat_at
  FROM processing_runs WHERE state = $1 AND status = 'running' ORDER BY heartbeat_at DESC LIMIT 1`;
/** Who holds the lease knows that nobody else runs. */
const ABORT_ORPHANS = `UPDATE processing_runs SET status = 'aborted', completed_at = now(),
    error_message = format('the process %s on %s ended without a word; it was last heard of at %s',
      coalesce(metadata->>'pid', '?'), coalesce(metadata->>'host', '?'), to_char(heartbeat_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
  WHERE state = $1 AND status = 'running'`;
/** A run that goes on keeps its id, which consumers know; what became of its attempt so far becomes a row of its own. */
const KEEP_ATTEMPT = `INSERT INTO processing_runs (id, state, data_type, started_at, heartbeat_at, completed_at, status, error_message, version, subject, metadata)
  SELECT gen_random_uuid(), state, data_type, started_at, heartbeat_at, completed_at, status, error_message, version, subject,
    metadata || jsonb_build_object('resumed_as', id)
  FROM processing_runs WHERE id = $1 AND status <> 'running'`;
const START = `INSERT INTO processing_runs AS run (id, state, data_type, version, subject, metadata) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (id) DO UPDATE SET started_at = now(), heartbeat_at = now(), completed_at = NULL, status = 'running', error_message = NULL,
    subject = CASE run.subject WHEN excluded.subject || '${DELETING}' THEN run.subject ELSE excluded.subject END, metadata = excluded.metadata
  WHERE run.status <> 'running' OR run.metadata <> excluded.metadata`;
const NUMBER = "SELECT number FROM processing_runs WHERE id = $1";
const HEARTBEAT = "UPDATE processing_runs SET heartbeat_at = now() WHERE id = ANY ($1) AND status = 'running'";
const DOUBT = "UPDATE processing_runs SET in_doubt = true WHERE id = $1 AND status = 'running'";
const DOUBT_DELETIONS = `UPDATE processing_runs SET in_doubt = true, subject = CASE WHEN right(subject, $2) = '${DELETING}' THEN subject ELSE subject || '${DELETING}' END
  WHERE id = $1 AND status = 'running'`;
const IN_DOUBT = "SELECT id FROM processing_runs WHERE state = $1 AND in_doubt AND id <> $2 AND subject <> $3 ORDER BY id";
const END = `UPDATE processing_runs SET status = $2, completed_at = now(), error_message = $3 WHERE id = ANY ($1) AND status = 'running'`;
const SUPERSEDE = `UPDATE processing_runs SET status = 'superseded', in_doubt = false, completed_at = coalesce(completed_at, now())
  WHERE id = $1 AND status <> 'completed'`;
const COMPLETE = `UPDATE processing_runs SET status = 'completed', completed_at = now(), heartbeat_at = now(), records_processed = $2, records_created = $3,
    records_updated = $4, records_deleted = $5, records_unchanged = $6, error_message = NULL
  WHERE id = $1 AND status = 'running'`;
/** What they may have delivered is part of the records now, or delivered once more. */
const SETTLE = `UPDATE processing_runs SET in_doubt = false, status = CASE WHEN id = $2 THEN status ELSE 'superseded' END WHERE state = $1 AND in_doubt`;

/** The run that is under way; null: none says so. */
export async function readHolder(client: PostgresClient, state: number): Promise<Holder | null> {
  return (await client.query<Holder>(HOLDER, [state])).rows[0] ?? null;
}

/** Says of runs that ended without a word that they did; resolves with their number. For who holds the lease. */
export async function abortOrphans(client: PostgresClient, state: number): Promise<number> {
  return (await client.query(ABORT_ORPHANS, [state])).rowCount ?? 0;
}

/** Writes down, in a transaction, that a run begins or goes on. */
export async function startRun(client: PostgresClient, { id, state, dataType, version, subject, metadata }: StartedRun): Promise<void> {
  await client.query(KEEP_ATTEMPT, [id]);
  await client.query(START, [id, state, dataType, version, subject, JSON.stringify(metadata)]);
}

/** The number of a run that was begun. */
export async function runNumber(client: PostgresClient, id: string): Promise<number> {
  const number = (await client.query<{ number: number }>(NUMBER, [id])).rows[0]?.number;
  if (number === undefined) throw new Error(`the run ${id} is not there`);
  return number;
}

/** Says that runs are still under way. */
export async function beat(client: PostgresClient, runs: readonly string[]): Promise<void> {
  await client.query(HEARTBEAT, [runs]);
}

/** From now on the run may have delivered what the records do not tell; false: it is no longer under way, since another process has ended it. */
export async function doubtRun(client: PostgresClient, run: string): Promise<boolean> {
  return (await client.query(DOUBT, [run])).rowCount === 1;
}

/** The same of deletions. */
export async function doubtDeletions(client: PostgresClient, run: string): Promise<boolean> {
  return (await client.query(DOUBT_DELETIONS, [run, DELETING.length])).rowCount === 1;
}

/** Other runs that were of something else, never ended, and may have delivered what nobody can tell any more. */
export async function runsInDoubt(client: PostgresClient, state: number, own: string, subject: string): Promise<string[]> {
  return (await client.query<{ id: string }>(IN_DOUBT, [state, own, subject])).rows.map(({ id }) => id);
}

/** Ends runs that are under way. */
export async function endRuns(client: PostgresClient, runs: readonly string[], status: "failed" | "aborted", reason: string): Promise<void> {
  await client.query(END, [runs, status, reason]);
}

/** What a run that was never ended has delivered is known, and part of the records. */
export async function supersedeRun(client: PostgresClient, run: string): Promise<void> {
  await client.query(SUPERSEDE, [run]);
}

/** Completes a run in the transaction of its records, and settles those before it; false: it is no longer under way. */
export async function completeRun(client: PostgresClient, state: number, run: string, counts: RunCounts): Promise<boolean> {
  const { created, updated, deleted, unchanged } = counts;
  const { rowCount } = await client.query(COMPLETE, [run, created + updated + unchanged, created, updated, deleted, unchanged]);
  await client.query(SETTLE, [state, run]);
  return rowCount === 1;
}
