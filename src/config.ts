import { envOf, flagOf, OPTION_KEYS, type OptionKey, optionOf, type Values } from "./config/options.ts";
import { hideSecrets } from "./config/secrets.ts";
import { DumpError } from "./errors.ts";

/** What was typed, unparsed: a switch is `true`, everything else is text. */
export type Flags = { readonly [K in OptionKey]?: string | boolean | undefined };

/** Where a setting came from. */
export type Origin = "flag" | "env" | "default";

/** Raw input of a run. */
export interface RawConfig {
  readonly files?: readonly string[];
  readonly flags: Flags;
  readonly env?: NodeJS.ProcessEnv;
}

/** Resolved, checked and frozen settings. */
export interface Config extends Values {
  /** Dumps to extract; empty: take them from `root`. The only entry `-` is standard input. */
  readonly files: readonly string[];
  readonly origins: Readonly<Record<OptionKey, Origin>>;
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

/** Whether machines read the output, as far as that can be told before the settings are known to be sound. */
export function wantsJson(flags: Flags, env: NodeJS.ProcessEnv = process.env): boolean {
  return (flags.output ?? env[envOf("output")]) === "json";
}

function resolve({ files = [], flags, env = process.env }: RawConfig): { config: Config; problems: string[] } {
  const problems = unknownVariables(env);
  const values: Record<string, unknown> = {};
  const origins: Partial<Record<OptionKey, Origin>> = {};
  for (const key of OPTION_KEYS) {
    const { schema, secret } = optionOf(key);
    const { text, origin } = pick(key, flags, env);
    origins[key] = origin;
    const parsed = text === null ? { success: true as const, data: null } : schema.safeParse(text);
    values[key] = parsed.success ? parsed.data : null;
    if (parsed.success) continue;
    const said = origin === "env" ? `${envOf(key)}=` : `${flagOf(key)} `;
    const value = secret === true ? hideSecrets(text ?? "") : text;
    problems.push(`${said}${value}: ${parsed.error.issues.map((issue) => issue.message).join(", ")}`);
  }
  // A root from the environment is where dumps usually are; naming files overrides it.
  if (files.length > 0 && origins.root === "env") values["root"] = null;
  return { config: { ...values, files, origins } as unknown as Config, problems };
}

/** The one place that knows precedence: flag, environment, default. A variable set to nothing is not set. */
function pick(key: OptionKey, flags: Flags, env: NodeJS.ProcessEnv): { text: string | null; origin: Origin } {
  const typed = flags[key];
  if (typed !== undefined) return { text: String(typed), origin: "flag" };
  const { lenient = (value: string) => value, fallback } = optionOf(key);
  const text = lenient(env[envOf(key)] ?? "") ?? "";
  return text === "" ? { text: fallback, origin: "default" } : { text, origin: "env" };
}

function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const known = new Set(OPTION_KEYS.map(envOf));
  const unknown = Object.keys(env).filter((name) => name.startsWith("DEADWAX_") && !known.has(name));
  return unknown.map((name) => `${name}: there is no such variable`);
}

function inputProblems({ files, root, type, verify, origins }: Config): string[] {
  const problems: string[] = [];
  const stdin = files.includes("-");
  if (files.length === 0 && root === null) problems.push("nothing to extract: name dump files, - for standard input, or --root DIR");
  if (files.length > 0 && root !== null) problems.push("--root and files: give one or the other");
  if (stdin && files.length > 1) problems.push("-: standard input cannot be extracted together with files");
  if (stdin && verify === "full" && origins.verify !== "default") problems.push("--verify full: standard input can be read only once; use stream");
  if (files.length > 1 && type !== null) problems.push("--type: only for one file; several are told apart by their names");
  return problems;
}

function settle(config: Config, problems: readonly string[]): Config {
  if (problems.length === 0) return Object.freeze(config);
  const title = problems.length === 1 ? "" : `${problems.length} problems: `;
  throw new DumpError("CONFIG_INVALID", title + problems.join("; "));
}
