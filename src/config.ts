import { type ChangesConfig, type ChangesFlags, composeChangesConfig } from "./config/changes.ts";
import { CHANGES_OPTIONS } from "./config/changes-options.ts";
import { sinksWithChanges } from "./config/notification-options.ts";
import { flagOf, variableNames } from "./config/option.ts";
import { envOf, OPTIONS, type OptionKey, type Values } from "./config/options.ts";
import { missingPostgres, postgresUrl } from "./config/postgres.ts";
import { POSTGRES_OPTIONS } from "./config/postgres-options.ts";
import { type FlagsOf, type Origin, resolveTable } from "./config/resolve.ts";
import { Secret } from "./config/secrets.ts";
import { composeServeConfig, type ServeConfig, type ServeFlags } from "./config/serve.ts";
import { SERVE_OPTIONS } from "./config/serve-options.ts";
import { sinksFault } from "./config/sink-urls.ts";
import { composeTableConfig, type TableConfig, type TableFlags } from "./config/table.ts";
import { TABLE_OPTIONS } from "./config/table-options.ts";
import { DumpError } from "./errors.ts";
import { type PostgresConfig, parsePostgresUrl } from "./postgres/config.ts";

/** What was typed behind `deadwax extract`. */
export type Flags = FlagsOf<typeof OPTIONS>;

/** Raw input of a run. */
export interface RawConfig {
  readonly files?: readonly string[];
  readonly flags: Flags;
  readonly env?: NodeJS.ProcessEnv;
}

/** Resolved, checked and frozen settings. */
export interface Config extends Values {
  /** Folder of the state; null: none was named. */
  readonly state: string | null;
  /** Database of the state; null: the folder has it all. */
  readonly stateUrl: Secret | null;
  /** Dumps to extract; empty: take them from `root`. The only entry `-` is standard input. */
  readonly files: readonly string[];
  readonly origins: Readonly<Record<keyof Values, Origin>>;
}

/** Resolves every setting, or fails once with all that is wrong. */
export function resolveConfig(raw: RawConfig): Config {
  const { config, problems } = resolve(raw);
  return settle(config, problems);
}

/** Like {@link resolveConfig}, for a run that reads dumps: there must be some, and they must go together. */
export function resolveExtractConfig(raw: RawConfig): Config {
  const { config, problems } = resolve(raw);
  return settle(config, [...problems, ...inputProblems(config)]);
}

/** Resolves every setting of the service, or fails once with all that is wrong and upstream's exit code. */
export function resolveServeConfig({ flags, env = process.env }: { readonly flags: ServeFlags; readonly env?: NodeJS.ProcessEnv }): ServeConfig {
  return composeServeConfig(flags, env, unknownVariables(env));
}

/** Resolves every setting of the table writer, or fails once with all that is wrong. */
export function resolveTableConfig({ flags, env = process.env }: { readonly flags: TableFlags; readonly env?: NodeJS.ProcessEnv }): TableConfig {
  return composeTableConfig(flags, env, unknownVariables(env));
}

/** Resolves every setting of the reader of changes, or fails once with all that is wrong. */
export function resolveChangesConfig({ flags, env = process.env }: { readonly flags: ChangesFlags; readonly env?: NodeJS.ProcessEnv }): ChangesConfig {
  return composeChangesConfig(flags, env, unknownVariables(env));
}

/** What was typed behind `deadwax migrate`. */
export type MigrateFlags = Pick<Flags, "output"> & { readonly dryRun?: boolean; readonly indexes?: boolean };

/** The database to migrate: that of the URL, else that of the variables; fails once with all that is wrong. */
export function resolveMigrateConfig(raw: { readonly url: string | undefined; readonly flags: MigrateFlags; readonly env?: NodeJS.ProcessEnv }): {
  readonly postgres: PostgresConfig;
  readonly isJson: boolean;
} {
  const { url, flags, env = process.env } = raw;
  const output = resolveTable({ output: OPTIONS.output }, { flags: { output: flags.output }, env });
  const variables = url === undefined ? resolveTable(POSTGRES_OPTIONS, { flags: {}, env }) : null;
  const missing = variables === null ? null : missingPostgres(variables);
  const faults = [...output.problems, ...(variables?.problems ?? [])].map(({ text }) => text);
  settle({}, [...unknownVariables(env), ...faults, ...(missing === null ? [] : [`${missing}; give them, or the URL of the database`])]);
  return { postgres: parsePostgresUrl(url ?? (variables === null ? "" : postgresUrl(variables).reveal())), isJson: output.values.output === "json" };
}

/** Whether machines read the output, as far as that can be told before the settings are known to be sound. */
export function wantsJson(flags: Flags, env: NodeJS.ProcessEnv = process.env): boolean {
  return outputOf(flags, env) === "json";
}

/** The form of the output that is asked for, unchecked; undefined: none is. */
export function outputOf(flags: Pick<Flags, "output">, env: NodeJS.ProcessEnv = process.env): string | boolean | undefined {
  return flags.output ?? (env[envOf("output")] || undefined);
}

function resolve({ files = [], flags, env = process.env }: RawConfig): { config: Config; problems: string[] } {
  const { values, origins, problems } = resolveTable(OPTIONS, { flags, env });
  // A root from the environment is where dumps usually are; naming files overrides it.
  const root = files.length > 0 && origins.root === "env" ? null : values.root;
  const sink = problems.length === 0 ? sinksWithChanges(values.sink, values) : values.sink;
  const together = problems.length === 0 ? sinksFault(sink) : null;
  const texts = [...problems.map(({ text }) => text), ...(together === null ? [] : [together])];
  const { state, stateUrl, fault } = splitState(values.state);
  const faults = [...texts, ...(fault === null ? [] : [fault])];
  return { config: { ...values, state, stateUrl, sink, root, files, origins }, problems: [...unknownVariables(env), ...faults] };
}

/** A folder, or the URL of a database. */
function splitState(given: string | null): { state: string | null; stateUrl: Secret | null; fault: string | null } {
  if (given === null || !/^postgres(ql)?:/i.test(given)) return { state: given, stateUrl: null, fault: null };
  try {
    parsePostgresUrl(given, "state");
    return { state: null, stateUrl: Secret.url(given), fault: null };
  } catch (error) {
    return { state: null, stateUrl: null, fault: error instanceof Error ? error.message : String(error) };
  }
}

/** Variables of ours that no command knows: a service and an extract may share an environment. */
function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const known = new Set([OPTIONS, SERVE_OPTIONS, TABLE_OPTIONS, CHANGES_OPTIONS].flatMap(variableNames));
  const unknown = Object.keys(env).filter((name) => name.startsWith("DEADWAX_") && !known.has(name));
  return unknown.map((name) => `${name}: there is no such variable`);
}

function inputProblems({ files, root, type, contract, dataQualityRules, verify, mode, dryRun, limit, origins }: Config): string[] {
  const problems: string[] = [];
  const stdin = files.includes("-");
  if (files.length === 0 && root === null) problems.push("nothing to extract: name dump files, - for standard input, or --root DIR");
  if (files.length > 0 && root !== null) problems.push("--root and files: give one or the other");
  if (stdin && files.length > 1) problems.push("-: standard input cannot be extracted together with files");
  if (stdin && verify === "full" && origins.verify !== "default") problems.push("--verify full: standard input can be read only once; use stream");
  if (dataQualityRules !== null && contract === "topic")
    problems.push(`${named("dataQualityRules", origins)}: only for the fanout contract; give --contract fanout, or no rules`);
  problems.push(...incrementalProblems({ mode, dryRun, limit, verify, origins }, stdin));
  if (files.length > 1 && type !== null) problems.push("--type: only for one file; several are told apart by their names");
  return problems;
}

/** Changes are told only of whole files that are known to be sound. */
function incrementalProblems(
  { mode, dryRun, limit, verify, origins }: Pick<Config, "mode" | "dryRun" | "limit" | "verify" | "origins">,
  stdin: boolean,
): string[] {
  if (mode === "normal") return dryRun ? ["--dry-run: only with --mode incremental"] : [];
  const problems: string[] = [];
  if (stdin) problems.push("-: standard input cannot be read in incremental mode; give a file");
  if (limit !== null) problems.push(`${named("limit", origins)}: not in incremental mode, where what is not read counts as gone`);
  if (verify === "stream") problems.push(`${named("verify", origins)} stream: not in incremental mode; give auto or full`);
  return problems;
}

/** The flag or the variable that a setting came from. */
function named(key: OptionKey, origins: Config["origins"]): string {
  return origins[key] === "env" ? envOf(key) : flagOf(key);
}

function settle<T>(config: T, problems: readonly string[]): Readonly<T> {
  if (problems.length === 0) return Object.freeze(config);
  const title = problems.length === 1 ? "" : `${problems.length} problems: `;
  throw new DumpError("CONFIG_INVALID", title + problems.join("; "));
}
