/** The runs of a marker: which one is active, and what it knows of its files. */
import assert from "node:assert/strict";
import { DATA_TYPES, type DataType, shareSink } from "../model.ts";
import {
  type FileState,
  type Marker,
  NO_COUNTS,
  type ProgressEntry,
  pendingDownload,
  pendingPhases,
  RUNS_MAX,
  type RunKey,
  type RunPhases,
  type RunState,
} from "./marker.ts";

/** The name of a run in the marker; the sink comes last since only it may hold blanks. */
export function runName({ mode, sink, contract, rulesDigest }: RunKey): string {
  const form = mode === "normal" ? contract : `${mode} ${contract}`;
  return `${form} ${rulesDigest ?? "no-rules"} ${sink}`;
}

/** The run that the upstream part describes; every transition works on it. */
export function activeRun(marker: Marker): RunState {
  const { active, runs } = marker.deadwax;
  const run = active === null ? undefined : runs[active];
  assert(run, "no run of the state marker is active");
  return run;
}

/** What the active run knows of its files; nothing if no run is active yet. */
export function activeFiles(marker: Marker): Readonly<Record<string, FileState>> {
  return marker.deadwax.active === null ? {} : activeRun(marker).files;
}

/** The active run's state of one file, or null if it has none. */
export function fileState(marker: Marker, file: string): FileState | null {
  return member(activeFiles(marker), file);
}

/** Upstream's entry of one file in processing, or null if it has none. */
export function progressEntry(marker: Marker, file: string): ProgressEntry | null {
  return member(marker.processing_phase.progress_by_file, file);
}

/** The marker with another state of one file in the active run. */
export function withFileState(marker: Marker, file: string, state: FileState): Marker {
  const run = activeRun(marker);
  return withActiveRun(marker, { ...run, files: { ...run.files, [file]: state } });
}

/**
 * The marker with `key`'s run active: the one before is parked, a new one adopts what upstream wrote or starts with nothing. Other data
 * quality rules into the same sink replace what was delivered, so that the runs of earlier rules are forgotten; what was verified stays so.
 */
export function activateRun(marker: Marker, key: RunKey, now: Date): Marker {
  const name = runName(key);
  const { active, runs } = marker.deadwax;
  const lastUsed = now.toISOString();
  if (active === null) {
    const run: RunState = { ...key, lastUsed, files: adoptedFiles(marker), parked: null };
    return { ...marker, deadwax: { ...marker.deadwax, active: name, runs: { [name]: run } } };
  }
  if (active === name) return withActiveRun(marker, { ...activeRun(marker), lastUsed });
  const { processing_phase, publishing_phase, summary } = marker;
  const before: RunState = { ...activeRun(marker), parked: { processing_phase, publishing_phase, summary } };
  const others = Object.entries({ ...runs, [active]: before }).filter(([other]) => other !== name);
  const replaced = others.find(([, run]) => isReplacedBy(run, key))?.[1];
  const target = runs[name] ?? { ...key, lastUsed, files: replaced === undefined ? {} : pendingFiles(replaced), parked: null };
  return {
    ...marker,
    ...(target.parked ?? pendingPhases()),
    deadwax: {
      ...marker.deadwax,
      active: name,
      runs: newestRuns({ ...Object.fromEntries(others.filter(([, run]) => !isReplacedBy(run, key))), [name]: { ...target, lastUsed, parked: null } }),
    },
  };
}

/** The marker with the active run back at its beginning; what was verified stays so. */
export function restartRun(marker: Marker): Marker {
  const run = activeRun(marker);
  const phases: RunPhases = pendingPhases();
  return withActiveRun({ ...marker, download_phase: pendingDownload(), ...phases }, { ...run, files: pendingFiles(run) });
}

/** Whether what a run has delivered is replaced by what a run of `key` delivers. */
function isReplacedBy(run: RunState, key: RunKey): boolean {
  return run.mode === key.mode && shareSink(run.sink, key.sink) && run.contract === key.contract && run.rulesDigest !== key.rulesDigest;
}

/** The files of a run as if no record of them had been read. */
function pendingFiles(run: RunState): RunState["files"] {
  return Object.fromEntries(Object.entries(run.files).map(([name, file]) => [name, pendingFile(file.dataType, file.source)] as const));
}

/** The state of a file of which no record was read. */
export function pendingFile(dataType: DataType | null, source: FileState["source"]): FileState {
  return { dataType, source, status: "pending", checkpoint: null, counts: NO_COUNTS, digest: null, ledger: null, deletions: null };
}

/** A file may be called `constructor`. */
function member<T>(members: Readonly<Record<string, T>>, name: string): T | null {
  return Object.hasOwn(members, name) ? (members[name] ?? null) : null;
}

function withActiveRun(marker: Marker, run: RunState): Marker {
  const { active } = marker.deadwax;
  assert(active !== null, "no run of the state marker is active");
  return { ...marker, deadwax: { ...marker.deadwax, runs: { ...marker.deadwax.runs, [active]: run } } };
}

function newestRuns(runs: Readonly<Record<string, RunState>>): Readonly<Record<string, RunState>> {
  const newestFirst = Object.entries(runs).sort(([, a], [, b]) => (a.lastUsed < b.lastUsed ? 1 : -1));
  // Those parked come behind the one that is not, even if the clock was set back.
  newestFirst.sort(([, a], [, b]) => Number(a.parked !== null) - Number(b.parked !== null));
  return Object.fromEntries(newestFirst.slice(0, RUNS_MAX));
}

function adoptedFiles(marker: Marker): Readonly<Record<string, FileState>> {
  const entries = Object.entries(marker.processing_phase.progress_by_file);
  return Object.fromEntries(entries.map(([name, entry]) => [name, adoptedFile(name, entry)]));
}

function adoptedFile(name: string, entry: ProgressEntry): FileState {
  const dataType = DATA_TYPES.find((type) => new RegExp(`(^|[^a-z])${type}([^a-z]|$)`).test(name)) ?? null;
  const written = entry.records_extracted;
  return { ...pendingFile(dataType, null), status: entry.status, counts: { ...NO_COUNTS, read: written, written } };
}
