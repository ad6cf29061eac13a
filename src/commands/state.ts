import { type ListedIndex, listIndexes } from "../change/listing.ts";
import type { Secret } from "../config/secrets.ts";
import { type Flags, resolveConfig } from "../config.ts";
import { DumpError } from "../errors.ts";
import { parsePostgresUrl } from "../postgres/config.ts";
import { keptName } from "../state/codec.ts";
import { listMarkers, MarkerFile } from "../state/file.ts";
import type { Marker, RunState } from "../state/marker.ts";
import type { TextOutput } from "../telemetry/screen.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";

/** Lines of an index's history that people are shown; JSON has all. */
const HISTORY_SHOWN = 12;

/** `deadwax state show`: what is known of every version in the state folder, and of every sink that gets changes. */
export async function runStateShow(flags: Flags, { stdout }: CommandContext): Promise<number> {
  const { root, json } = settingsOf(flags);
  const found = await readAll(root);
  for (const { version, path, marker, fault } of found) {
    if (json) stdout.write(`${JSON.stringify({ version, path, fault, marker })}\n`);
    else stdout.write(marker === null ? `${version}: ${fault} (${path})\n` : renderMarker(marker));
  }
  const indexes = await listIndexes(root);
  for (const index of indexes)
    stdout.write(json ? `${JSON.stringify({ index: index.folder, fault: index.fault, ...index.pointer, history: index.history })}\n` : renderIndex(index));
  if (found.length + indexes.length === 0 && !json) stdout.write(`no state in ${root}\n`);
  return EXIT_CODES.done.exit;
}

/** `deadwax state check`: whether every marker, and the database of the state, could be used; changes nothing. */
export async function runStateCheck(flags: Flags, { stdout }: CommandContext): Promise<number> {
  const { root, json, stateUrl } = settingsOf(flags);
  if (stateUrl !== null) return await checkDatabase(stateUrl, json, stdout);
  const found = await readAll(root);
  for (const { version, path, fault } of found) {
    stdout.write(json ? `${JSON.stringify({ version, path, fault })}\n` : `${fault === null ? "✅" : "❌"} ${path}: ${fault ?? "sound"}\n`);
  }
  if (found.length === 0 && !json) stdout.write(`no state in ${root}\n`);
  return (found.every(({ fault }) => fault === null) ? EXIT_CODES.done : EXIT_CODES.state).exit;
}

async function checkDatabase(url: Secret, json: boolean, stdout: TextOutput): Promise<number> {
  const { checkState } = await import("../postgres/check-state.ts");
  const fault = await checkState(parsePostgresUrl(url.reveal(), "state")).then(
    () => null,
    (error: unknown) => {
      if (error instanceof DumpError) return error;
      throw error;
    },
  );
  const database = parsePostgresUrl(url.reveal(), "state").name;
  if (json) stdout.write(`${JSON.stringify({ database, fault: fault?.message ?? null })}\n`);
  else stdout.write(fault === null ? `✅ ${database}: sound\n` : `❌ ${fault.message}\n`);
  return (fault === null ? EXIT_CODES.done : EXIT_CODES.state).exit;
}

/** `deadwax state reset VERSION...`: the versions start afresh; their markers are kept beside. */
export async function runStateReset(versions: readonly string[], flags: Flags, { stdout }: CommandContext): Promise<number> {
  const { root, json } = settingsOf(flags);
  const known = (await listMarkers(root)).map(({ version }) => version);
  const unknown = versions.filter((version) => !known.includes(version));
  if (unknown.length > 0) {
    const there = known.length === 0 ? "none" : known.join(", ");
    throw new DumpError("CONFIG_INVALID", `${root}: no state of ${unknown.join(", ")}; versions there: ${there}`);
  }
  await using _lock = await lock(root);
  for (const version of new Set(versions)) {
    const kept = await new MarkerFile(root, version).keepBeside(keptName(version, new Date()));
    stdout.write(json ? `${JSON.stringify({ version, kept })}\n` : `✅ ${version} starts afresh; the old marker is kept as ${kept}\n`);
  }
  return EXIT_CODES.done.exit;
}

/** Loaded late: the lock is in the addon, and the other commands work without it. */
async function lock(root: string): Promise<AsyncDisposable> {
  const { lockRoot } = await import("../state/lock.ts");
  return await lockRoot(root);
}

/** The folder of the state as `extract` finds it, for dumps that are named without a folder. */
function settingsOf(flags: Flags): { root: string; json: boolean; stateUrl: Secret | null } {
  const { state, stateUrl, root, output } = resolveConfig({ flags });
  return { root: state ?? root ?? ".", json: output === "json", stateUrl };
}

/** An index, and the last runs of each data type. */
function renderIndex({ folder, pointer, fault, history }: ListedIndex): string {
  if (pointer === null) return `record index ${folder}: ${fault}\n`;
  const types = Object.entries(pointer.types).map(([type, { version, records, pending }]) => {
    return `  ${type}: ${records} records as of ${version}${pending === 0 ? "" : `, ${pending} deletions pending`}`;
  });
  const runs = history.slice(-HISTORY_SHOWN).map(({ at, dataType, version, created, updated, deleted, unchanged, pending }) => {
    const held = pending === 0 ? "" : `, ${pending} pending`;
    return `    ${at} ${dataType} ${version}: ${created} created, ${updated} updated, ${deleted} deleted, ${unchanged} unchanged${held}`;
  });
  return [`record index of ${pointer.sink} (${pointer.contract})`, ...types, ...runs, ""].join("\n");
}

interface Found {
  readonly version: string;
  readonly path: string;
  readonly marker: Marker | null;
  /** Why the marker cannot be used, or null. */
  readonly fault: string | null;
}

async function readAll(root: string): Promise<Found[]> {
  const now = new Date();
  return Promise.all(
    (await listMarkers(root)).map(async ({ version, path }): Promise<Found> => {
      const read = await new MarkerFile(root, version).read(now);
      switch (read.kind) {
        case "marker":
          return { version, path, marker: read.marker, fault: null };
        case "absent":
          return { version, path, marker: null, fault: "it was removed just now" };
        case "fresh":
          return { version, path, marker: null, fault: read.reason };
        case "too-new":
          return { version, path, marker: null, fault: `it was written by a newer deadwax (markerVersion ${read.markerVersion})` };
      }
      return read satisfies never;
    }),
  );
}

function renderMarker({ current_version, summary, deadwax }: Marker): string {
  const runs = Object.values(deadwax.runs).map(renderRun);
  return [`${current_version}: ${summary.overall_status}`, ...runs, ""].join("\n");
}

function renderRun({ sink, contract, files }: RunState): string {
  const lines = Object.entries(files).map(([name, { status, counts, checkpoint }]) => {
    const at = checkpoint === null ? "" : `, goes on at record ${checkpoint.ordinal}`;
    return `    ${name}: ${status}, ${counts.written} written, ${counts.rejected} rejected${at}`;
  });
  return [`  ${sink} (${contract})`, ...lines].join("\n");
}
