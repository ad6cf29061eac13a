import type { z } from "zod";

/** A variable that a setting is read from. */
export interface Variable {
  readonly name: string;
  /** Rewrites the variable's text before it is parsed; undefined: as if it were not set. */
  readonly lenient?: (value: string) => string | undefined;
}

/** One setting, as it is parsed and as the README shows it. */
export interface Option {
  /** Name of its value on the command line; null for a switch. */
  readonly argument: string | null;
  readonly schema: z.ZodType<unknown, string>;
  /** The default as somebody would type it; null: not set. */
  readonly fallback: string | null;
  /** What the default is where it depends on the machine or on other options. */
  readonly fallbackText?: string;
  /** The environment variable, where it is not the one made from the name. */
  readonly env?: string;
  /** See {@link Variable}; for its own variable. */
  readonly lenient?: Variable["lenient"];
  /** Further variables, upstream's names as a rule, looked at where its own is not set. */
  readonly also?: readonly Variable[];
  /** The letter of its short flag. */
  readonly short?: string;
  /** It has no flag: a command line can be read by everybody on the machine. */
  readonly flagless?: true;
  /** `<VARIABLE>_FILE` may name a file that holds the value, and then wins. */
  readonly inFile?: true;
  /** A variable that is set to nothing counts as set, and has to be sound. */
  readonly emptyCounts?: true;
  /** A bad value is bad usage wherever it comes from: to upstream the variable is a spelling of the flag. */
  readonly isUsage?: true;
  /** It may be given several times, and this takes apart what its variable holds. The schema is that of one value. */
  readonly split?: (text: string) => readonly string[];
  readonly unit: string | null;
  readonly meaning: string;
  /** `url`: its value may hold a password; `all`: its value is one. */
  readonly secret?: "url" | "all";
}

/** The settings of a command, in the order of the README. The key is the one name in three spellings: see {@link flagOf} and {@link variablesOf}. */
export type OptionTable = Readonly<Record<string, Option>>;

/** The resolved values of a table: null only where an option may be left unset. */
export type ValuesOf<T extends OptionTable> = {
  readonly [K in keyof T]:
    | (T[K] extends { readonly split: unknown } ? readonly z.output<T[K]["schema"]>[] : z.output<T[K]["schema"]>)
    | (T[K]["fallback"] extends null ? null : never);
};

/** `maxDepth` → `--max-depth`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `maxDepth` → `DEADWAX_MAX_DEPTH`. */
function variableOf(key: string): string {
  return `DEADWAX_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** The variables that a setting is read from; the first one that is set counts. */
export function variablesOf(key: string, { env, lenient, also = [] }: Option): readonly [Variable, ...Variable[]] {
  return [{ name: env ?? variableOf(key), ...(lenient === undefined ? {} : { lenient }) }, ...also];
}

/** Every name of a variable that a table knows. */
export function variableNames(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([key, option]) => {
    const names = variablesOf(key, option).map(({ name }) => name);
    return option.inFile === true ? [...names, ...names.map(fileVariable)] : names;
  });
}

/** The variable that names a file with the value of another. */
export function fileVariable(name: string): string {
  return `${name}_FILE`;
}
