import { readFileSync } from "node:fs";
import { EXIT_CODES } from "../../src/commands/exit-codes.ts";
import { GENERATE_OPTIONS } from "../../src/commands/generate.ts";
import { envOf, flagOf, OPTION_KEYS, optionOf } from "../../src/config/options.ts";
import { ERROR_CODES } from "../../src/errors.ts";

/** The tables of the README as the code has them, by the name that stands before each. */
export const TABLES: Readonly<Record<string, () => string>> = { options, generate, errors, exits, rejects };

function options(): string {
  const rows = OPTION_KEYS.map((key) => {
    const { argument, meaning, fallback, fallbackText } = optionOf(key);
    const flag = argument === null ? flagOf(key) : `${flagOf(key)} ${argument}`;
    return [code(flag), code(envOf(key)), fallbackText ?? (fallback === null ? "none" : code(fallback)), meaning];
  });
  return table(["Flag", "Variable", "Default", "Meaning"], rows);
}

function generate(): string {
  const rows = Object.entries(GENERATE_OPTIONS).map(([key, { argument, fallback, meaning }]) => {
    // The number of CPUs of this machine is nobody else's default.
    const standard = key === "threads" ? "number of CPUs" : fallback === null ? "required" : code(fallback);
    return [code(`--${key} ${argument}`), standard, meaning];
  });
  return table(["Flag", "Default", "Meaning"], rows);
}

function errors(): string {
  return table(
    ["Code", "Exit", "Meaning"],
    Object.entries(ERROR_CODES).map(([name, { exit, meaning }]) => [code(name), String(exit), meaning]),
  );
}

function exits(): string {
  return table(
    ["Exit", "Meaning"],
    Object.values(EXIT_CODES).map(({ exit, meaning }) => [String(exit), meaning]),
  );
}

/** Kinds and their words are the native core's: each stands once in `as_str` and once in `describe`. */
function rejects(): string {
  const source = readFileSync(new URL("../../native/src/fault.rs", import.meta.url), "utf8");
  const texts = new Map<string, string[]>();
  for (const [, kind = "", text = ""] of source.matchAll(/Kind::(\w+) => "([^"]+)"/g)) texts.set(kind, [...(texts.get(kind) ?? []), text]);
  return table(
    ["Kind", "Meaning"],
    [...texts.values()].map(([name = "", meaning = ""]) => [code(name), meaning]),
  );
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}
