import { systemCode } from "../errors.ts";
import { fileVariable, flagOf, type Option, type OptionTable, type ValuesOf, variablesOf } from "./option.ts";
import { hideRefused, readSecretFile } from "./secrets.ts";

/** What was typed, unparsed: a switch is `true`, everything else is text, and several texts where an option may be given several times. */
export type FlagsOf<T extends OptionTable> = { readonly [K in keyof T]?: (T[K] extends { readonly split: unknown } ? Typed : string | boolean) | undefined };

type Typed = string | boolean | readonly string[];

/** Where a setting came from. */
export type Origin = "flag" | "env" | "file" | "default";

/** A value that a settings file gives, and the name it has there. */
export interface FileValue {
  readonly text: string;
  readonly name: string;
}

/** One thing that is wrong, in one line. */
export interface Problem {
  readonly text: string;
  /** The command line, or a variable that stands for a flag, is to blame. */
  readonly isUsage: boolean;
}

/** A table resolved; where there are problems, values may be null against their type. */
export interface Resolved<T extends OptionTable> {
  readonly values: ValuesOf<T>;
  readonly origins: Readonly<Record<keyof T, Origin>>;
  /** What gave the value, as somebody would look for it: `--root`, `DISCOGS_ROOT`, `config.toml: discogs_root`, `default`. */
  readonly names: Readonly<Record<keyof T, string>>;
  readonly problems: readonly Problem[];
}

/** The inputs of a resolution, the strongest first. */
export interface Inputs<T extends OptionTable> {
  readonly flags: FlagsOf<T>;
  readonly env: NodeJS.ProcessEnv;
  readonly file?: { readonly [K in keyof T]?: FileValue };
}

/** The inputs of any table. */
interface AnyInputs {
  readonly flags: Readonly<Record<string, Typed | undefined>>;
  readonly env: NodeJS.ProcessEnv;
  readonly file?: Readonly<Record<string, FileValue | undefined>>;
}

interface Picked {
  /** Several where they were typed apart. */
  readonly text: string | readonly string[] | null;
  readonly origin: Origin;
  readonly name: string;
  /** Why there is no text though there should be. */
  readonly fault?: string;
}

/** Resolves every setting of a table. */
export function resolveTable<T extends OptionTable>(table: T, inputs: Inputs<T>): Resolved<T> {
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  const names: Record<string, string> = {};
  const problems: Problem[] = [];
  for (const [key, option] of Object.entries(table)) {
    const picked = pick(key, option, inputs);
    const { value, faults } = parse(picked, option);
    values[key] = value;
    origins[key] = picked.origin;
    names[key] = picked.name;
    problems.push(...faults.map((text) => ({ text, isUsage: picked.origin === "flag" || option.isUsage === true })));
  }
  return { values, origins, names, problems } as unknown as Resolved<T>;
}

/** The one place that knows precedence: flag, environment, settings file, default. A variable set to nothing is not set, as a rule. */
function pick(key: string, option: Option, { flags, env, file = {} }: AnyInputs): Picked {
  const typed = flags[key];
  if (typed !== undefined) return { text: typeof typed === "object" ? typed : String(typed), origin: "flag", name: flagOf(key) };
  for (const variable of variablesOf(key, option)) {
    const fromFile = option.inFile === true ? env[fileVariable(variable.name)] : undefined;
    if (fromFile !== undefined) return readFile(fileVariable(variable.name), fromFile);
    const text = env[variable.name];
    if (text === undefined || (text === "" && option.emptyCounts !== true)) continue;
    const read = variable.lenient === undefined ? text : variable.lenient(text);
    if (read !== undefined) return { text: read, origin: "env", name: variable.name };
  }
  const given = file[key];
  return given === undefined ? byDefault(option) : { text: given.text, origin: "file", name: given.name };
}

function byDefault({ fallback }: Option): Picked {
  return { text: fallback, origin: "default", name: "default" };
}

/** The path is not told: whoever sets the wrong one of the two variables has put the secret there. */
function readFile(name: string, path: string): Picked {
  const picked = { text: null, origin: "env", name } as const;
  if (path === "") return { ...picked, fault: "names no file; give a path, or unset it" };
  try {
    const text = readSecretFile(path);
    return text === "" ? { ...picked, fault: "the file that it names is empty" } : { ...picked, text };
  } catch (error) {
    if (error instanceof RangeError) return { ...picked, fault: `the file that it names is no secret: ${error.message}` };
    return { ...picked, fault: `the file that it names cannot be read (${systemCode(error)}); check that it is there and readable for this user` };
  }
}

function parse({ text, origin, name, fault }: Picked, option: Option): { value: unknown; faults: string[] } {
  if (fault !== undefined) return { value: null, faults: [`${name}: ${fault}`] };
  if (text === null) return { value: null, faults: [] };
  const { split } = option;
  const texts = typeof text === "object" ? text : split === undefined || origin === "flag" ? [text] : split(text);
  const parsed = texts.map((one) => parseOne(one, { origin, name }, option));
  const faults = parsed.flatMap((one) => one.fault ?? []);
  if (faults.length > 0) return { value: null, faults };
  const values = parsed.map(({ value }) => value);
  return { value: split === undefined ? values[0] : values, faults };
}

function parseOne(text: string, { origin, name }: Pick<Picked, "origin" | "name">, { schema, secret, flagless }: Option): { value: unknown; fault?: string } {
  const parsed = schema.safeParse(text);
  if (parsed.success) return { value: parsed.data };
  const why = parsed.error.issues.map((issue) => issue.message).join(", ");
  // What has no flag because of its secret may be nothing but the secret.
  if (secret === "all" || (secret !== undefined && flagless === true)) return { value: null, fault: `${name}: ${why}` };
  const said = { flag: `${name} `, env: `${name}=`, file: `${name} = `, default: "" }[origin];
  return { value: null, fault: `${said}${hideRefused(text)}: ${why}` };
}
