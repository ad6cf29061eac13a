import { readRulesFile } from "../config/rules-file.ts";
import { type Config, type Flags, resolveConfig, resolveMigrateConfig } from "../config.ts";
import type { IndexSubject, Outcome, Source } from "../discogs/index-upkeep.ts";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { Telemetry } from "../telemetry.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";

/** What was typed behind `state import` and `state repair`. */
export type IndexFlags = Flags & { readonly from?: string; readonly current?: boolean };

/** `deadwax state export DIR`: copies the record index of a sink into a new folder there. */
export async function runStateExport(place: string, flags: Flags, { stdout }: CommandContext): Promise<number> {
  const config = resolveConfig({ flags });
  const { exportOf } = await application();
  const subject = await subjectOf(config);
  const { folder, at, types } = await exportOf(subject, place);
  const { sink, contract } = subject;
  const held = Object.entries(types).map(([type, { version, records }]) => [type, { version, records }] as const);
  if (config.output === "json") stdout.write(`${JSON.stringify({ folder, at, sink, contract, types: Object.fromEntries(held) })}\n`);
  else stdout.write(`✅ ${held.map(([type, { version, records }]) => `${type} ${version} (${records})`).join(", ")} exported to ${folder}\n`);
  return EXIT_CODES.done.exit;
}

/** `deadwax state import`: brings an export back, or makes an index of what tables hold. */
export async function runStateImport(place: string | undefined, flags: IndexFlags, { stdout }: CommandContext): Promise<number> {
  const { from, current = false, ...settings } = flags;
  const config = resolveConfig({ flags: settings });
  if ((place === undefined) === (from === undefined)) throw new DumpError("CONFIG_INVALID", "give either the folder of an export, or --from postgres://…");
  const { importBackup, importTables } = await application();
  const subject = await subjectOf(config);
  const done = from === undefined ? await importBackup(subject, place ?? "", current) : await importTables(subject, databaseOf(from));
  write(done.types, { from: done.from, sink: subject.sink, contract: subject.contract }, config, stdout);
  return EXIT_CODES.done.exit;
}

/** `deadwax state repair`: reads every block of a record index, and makes what is damaged anew from dumps or tables. */
export async function runStateRepair(files: readonly string[], flags: IndexFlags, context: CommandContext): Promise<number> {
  const { from, current: _, ...settings } = flags;
  const config = resolveConfig({ files, flags: { ...settings, mode: "incremental" } });
  const { repairIndex } = await application();
  const subject = await subjectOf(config);
  using telemetry = new Telemetry({ level: config.logLevel, format: config.output, output: context.stderr, bar: false });
  using stop = context.listen(config.drainTimeoutMs, telemetry);
  const { stopping, signal } = stop;
  const source = from === undefined ? await dumps(config, { stopping, signal, telemetry }) : tables(from);
  const { pointerFault, types } = await repairIndex(subject, source, (fault) => telemetry.warned(fault));
  write(types, { pointerFault, sink: subject.sink, contract: subject.contract }, config, context.stdout);
  const damaged = types.filter(({ what }) => what === "damaged");
  if (damaged.length === 0) return EXIT_CODES.done.exit;
  const wanted = damaged.map(({ dataType, version }) => (version ? `${version} of ${dataType}` : dataType)).join(", ");
  throw new DumpError("INDEX_CORRUPT", `the record index is damaged; name the dumps of what the sink has (${wanted}) or --root, or give --from postgres://…`);
}

function tables(url: string): Source {
  return { kind: "tables", database: databaseOf(url) };
}

/** The dumps that are named; null: none are. */
async function dumps(config: Config, context: { stopping: AbortSignal; signal: AbortSignal; telemetry: Telemetry }): Promise<Source | null> {
  if (config.files.length === 0 && config.root === null) return null;
  const rules = config.dataQualityRules === null ? null : await readRulesFile(config.dataQualityRules);
  const { indexDumps } = await import("../discogs/rebuild.ts");
  return { kind: "dumps", force: config.force, build: (indexRoot, versions) => indexDumps(config, rules, indexRoot, versions, context) };
}

function databaseOf(url: string) {
  return resolveMigrateConfig({ url, flags: {} }).postgres;
}

/** Whose index is meant. */
async function subjectOf({ state, stateUrl, root, files, sink, contract, type, origins }: Config): Promise<IndexSubject> {
  if (stateUrl !== null) throw new DumpError("CONFIG_INVALID", "--state names a PostgreSQL: copy and restore that database with its own tools");
  if (origins.sink === "default") throw new DumpError("CONFIG_INVALID", "a record index belongs to a sink: give --sink as the runs do");
  const { openSinks } = await import("../sink/index.ts");
  const { dirname, resolve } = await import("node:path");
  const dataTypes: readonly DataType[] = type === null ? DATA_TYPES : [type];
  return { root: state ?? root ?? dirname(resolve(files[0] ?? "./-")), sink: openSinks(sink).name, contract, dataTypes };
}

/** Loaded late: this brings the addon. (The compiler leaves the endings of such imports alone in a function with `using`.) */
async function application() {
  return await import("../discogs/index-upkeep.ts");
}

function write(types: readonly Outcome[], of: object, { output }: Config, stdout: CommandContext["stdout"]): void {
  if (output === "json") stdout.write(`${JSON.stringify({ ...of, types: Object.fromEntries(types.map(({ dataType, ...rest }) => [dataType, rest])) })}\n`);
  else for (const outcome of types) stdout.write(`${textOf(outcome)}\n`);
}

const TEXTS: Readonly<Record<Outcome["what"], string>> = {
  sound: "sound",
  same: "is what was exported, nothing to restore",
  restored: "restored",
  rebuilt: "made anew",
  damaged: "damaged",
};

function textOf({ dataType, what, version, records, doubted, fault }: Outcome): string {
  const of = version === null || version === "" ? dataType : `${dataType} ${version}`;
  const why = fault === null ? "" : ` (${fault})`;
  const again = doubted === 0 ? "" : `; ${doubted} of the ids are in doubt: the next run delivers them again, or deletes them`;
  return `${what === "damaged" ? "❌" : "✅"} ${of}: ${TEXTS[what]}, ${records} records${again}${why}`;
}
