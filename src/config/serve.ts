import { DumpError } from "../errors.ts";
import type { Contract, Mode } from "../model.ts";
import { chooseContract, chooseSinks, Fault } from "./contract.ts";
import { ACCEPTED_AND_IGNORED } from "./ignored.ts";
import { logFileOf } from "./log-file.ts";
import type { ValuesOf } from "./option.ts";
import { missingPostgres, namesPostgres, postgresUrl } from "./postgres.ts";
import { POSTGRES_OPTIONS } from "./postgres-options.ts";
import { type FlagsOf, type Origin, type Problem, type Resolved, resolveTable } from "./resolve.ts";
import { hideSecrets, Secret } from "./secrets.ts";
import { SERVE_KEYS, SERVE_OPTIONS, type ServeKey } from "./serve-options.ts";
import { readSettingsFile } from "./settings-file.ts";
import { ignoredWarnings } from "./warnings.ts";

const LOG_FILE_NAME = "extractor.log";
/** What the process ends with, as upstream's does: usage is 2, and so is what is wrong in a variable that stands for a flag. */
const EXIT = { configuration: 1, usage: 2 };

type ServeTable = typeof SERVE_OPTIONS;
/** Settings that the service does not see as they are: parts of others, and what may hold a password. */
const COMPOSED = [
  ...(["amqpConnection", "rabbitmqUsername", "rabbitmqPassword", "rabbitmqHost", "rabbitmqPort", "sink"] as const),
  ...(["windowMessages", "windowBytes", "confirmTimeoutMs", "reconnectTimeoutMs", "changeNotifications", "changeTypeInBody", "caFile"] as const),
  ...(["config", "source", "contract", "triggerToken", "httpProxy", "httpsProxy", "noProxy"] as const),
] satisfies readonly ServeKey[];
type Composed = (typeof COMPOSED)[number];

/** What was typed behind `deadwax serve`. */
export type ServeFlags = FlagsOf<ServeTable>;

/** Proxies of the source, by the scheme of the URL that is asked for. */
export interface Proxies {
  readonly http: Secret | null;
  readonly https: Secret | null;
  /** Hosts that are asked without one, separated by commas. */
  readonly no: string | null;
}

/** A setting as it may be shown. */
export interface Setting {
  readonly key: ServeKey;
  readonly value: string | number | boolean | null;
  readonly from: Origin;
  /** What gave the value: `--root`, `DISCOGS_ROOT`, `config.toml: discogs_root` or `default`. */
  readonly name: string;
}

/** Resolved, checked and frozen settings of the service; it can be printed, its secrets print as `***`. */
export interface ServeConfig extends Readonly<Omit<ValuesOf<ServeTable>, Composed>> {
  readonly contract: Contract;
  /** URLs for `openSinks`, with everything that the settings say about the sinks. */
  readonly sinkUrls: readonly Secret[];
  /** Database of the state; null: the root has it all. */
  readonly stateUrl: Secret | null;
  /** What `POST /trigger` has to be authorised with; null: everybody may. */
  readonly triggerToken: Secret | null;
  readonly proxies: Proxies;
  /** The settings as they were resolved, in the order of the README. */
  readonly settings: readonly Setting[];
  /** What deserves a line at the start. */
  readonly warnings: readonly string[];
}

/** Resolves every setting of the service, or fails once with all that is wrong. `unknown` are the variables that nothing knows. */
export function composeServeConfig(flags: ServeFlags, env: NodeJS.ProcessEnv, unknown: readonly string[]): ServeConfig {
  const { path, isNamed } = settingsPath(flags, env);
  const file = readSettingsFile(path, isNamed);
  const resolved = resolveTable(SERVE_OPTIONS, { flags, env, file: file.values });
  const { values } = resolved;
  const contract = chooseContract(resolved);
  // Its parts have to be sound before they can be put together.
  const sinks = contract === null || contract instanceof Fault || resolved.problems.length > 0 ? null : chooseSinks(resolved, contract.value);
  const stateUrl = stateDatabase(env, values.mode);
  const faults = [contract, sinks, stateUrl, rulesFault(resolved, contract)].filter((part) => part instanceof Fault).map(({ text }) => text);
  const problems = [...resolved.problems, ...[...unknown, ...file.problems, ...faults].map((text) => ({ text, isUsage: false }))];
  if (problems.length > 0 || contract === null || contract instanceof Fault || sinks === null || sinks instanceof Fault || stateUrl instanceof Fault)
    return fail(problems);
  const settings = SERVE_KEYS.map((key): Setting => {
    if (key === "contract") return { key, value: contract.value, from: contract.origin, name: contract.name };
    if (key === "sink") return { key, value: sinks.value.map(hideSecrets).join(" "), from: sinks.origin, name: sinks.name };
    return { key, value: printable(resolved, key), from: resolved.origins[key], name: resolved.names[key] };
  });
  return Object.freeze({
    ...withoutComposed(values),
    contract: contract.value,
    sinkUrls: sinks.value.map(Secret.url),
    logFile: values.logFile === null ? null : logFileOf(values.logFile, LOG_FILE_NAME),
    stateUrl,
    triggerToken: values.triggerToken === null ? null : new Secret(values.triggerToken),
    proxies: { http: urlOrNull(values.httpProxy), https: urlOrNull(values.httpsProxy), no: values.noProxy },
    settings,
    warnings: ignoredWarnings(ignoredIn(values.mode), env, file.ignored, sinks.value),
  });
}

function withoutComposed(values: ValuesOf<ServeTable>): Omit<ValuesOf<ServeTable>, Composed> {
  const composed: readonly string[] = COMPOSED;
  return Object.fromEntries(Object.entries(values).filter(([key]) => !composed.includes(key))) as unknown as Omit<ValuesOf<ServeTable>, Composed>;
}

/** The database that the variables of PostgreSQL name; null: they name none. In normal mode, which only follows, half of them are nobody's business. */
function stateDatabase(env: NodeJS.ProcessEnv, mode: Mode): Secret | Fault | null {
  const resolved = resolveTable(POSTGRES_OPTIONS, { flags: {}, env });
  if (!namesPostgres(resolved)) return null;
  const missing = missingPostgres(resolved);
  const problems = [
    ...resolved.problems.map(({ text }) => text),
    ...(missing === null ? [] : [`${missing}; give them all, or none to keep the state in the root`]),
  ];
  if (problems.length === 0) return postgresUrl(resolved);
  return mode === "normal" ? null : new Fault(problems.join("; "));
}

/** In incremental mode the size of a batch means something. */
function ignoredIn(mode: Mode): typeof ACCEPTED_AND_IGNORED {
  return mode === "normal" ? ACCEPTED_AND_IGNORED : ACCEPTED_AND_IGNORED.filter(({ variable }) => variable !== "BATCH_SIZE");
}

/** The one setting that is needed before the others are. */
function settingsPath(flags: ServeFlags, env: NodeJS.ProcessEnv): { path: string; isNamed: boolean } {
  const { values, origins } = resolveTable({ config: SERVE_OPTIONS.config }, { flags: { config: flags.config }, env });
  const path: string | null = values.config; // null where it is refused
  return { path: path ?? SERVE_OPTIONS.config.fallback, isNamed: path !== null && origins.config !== "default" };
}

function rulesFault({ values, names }: Resolved<ServeTable>, contract: ReturnType<typeof chooseContract>): Fault | null {
  if (values.dataQualityRules === null || contract === null || contract instanceof Fault || contract.value === "fanout") return null;
  return new Fault(`${names.dataQualityRules}: data quality rules go with the fanout contract only, and the contract is topic; unset it or choose fanout`);
}

function printable({ values }: Resolved<ServeTable>, key: Exclude<ServeKey, "sink">): Setting["value"] {
  const value = values[key];
  const secret = "secret" in SERVE_OPTIONS[key] ? SERVE_OPTIONS[key].secret : undefined;
  if (typeof value !== "string" || secret === undefined) return value;
  return secret === "all" ? String(new Secret(value)) : hideSecrets(value);
}

function urlOrNull(url: string | null): Secret | null {
  return url === null ? null : Secret.url(url);
}

function fail(problems: readonly Problem[]): never {
  const title = problems.length === 1 ? "" : `${problems.length} problems: `;
  const exit = problems.some(({ isUsage }) => isUsage) ? EXIT.usage : EXIT.configuration;
  throw new DumpError("CONFIG_INVALID", title + problems.map(({ text }) => text).join("; "), { exit });
}
