import { readFileSync } from "node:fs";
import { EVOLVE_OPTIONS } from "../../src/commands/evolve.ts";
import { EXIT_CODES } from "../../src/commands/exit-codes.ts";
import { GENERATE_OPTIONS } from "../../src/commands/generate.ts";
import { CHANGES_OPTIONS } from "../../src/config/changes-options.ts";
import { ACCEPTED_AND_IGNORED, type Ignored, TABLE_ACCEPTED_AND_IGNORED } from "../../src/config/ignored.ts";
import { LOOK_OPTIONS, RESEND_OPTIONS } from "../../src/config/look-options.ts";
import { fileVariable, flagOf, type OptionTable, variablesOf } from "../../src/config/option.ts";
import { OPTIONS } from "../../src/config/options.ts";
import { POSTGRES_BATCH_OPTIONS, POSTGRES_OPTIONS } from "../../src/config/postgres-options.ts";
import { SERVE_OPTIONS } from "../../src/config/serve-options.ts";
import { FILE_KEYS } from "../../src/config/settings-file.ts";
import { TABLE_OPTIONS } from "../../src/config/table-options.ts";
import { ERROR_CODES } from "../../src/errors.ts";
import { CONSUMER_METRICS, METRICS } from "../../src/telemetry/metric-names.ts";
import { metricsTable } from "./metrics-table.ts";

/** The tables of the README as the code has them, by the name that stands before each. */
export const TABLES: Readonly<Record<string, () => string>> = {
  options: () => optionsOf(OPTIONS),
  serve: () => optionsOf(SERVE_OPTIONS),
  postgres: () => variables(POSTGRES_OPTIONS),
  "postgres batches": () => variables(POSTGRES_BATCH_OPTIONS),
  "settings file": settingsFile,
  ignored: () => ignored(ACCEPTED_AND_IGNORED),
  table: () => optionsOf(tableOptions()),
  changes: () => optionsOf(CHANGES_OPTIONS),
  "ignored by table": () => ignored(TABLE_ACCEPTED_AND_IGNORED),
  "metrics of table": () => metricsTable(CONSUMER_METRICS),
  generate,
  evolve,
  "single records": () => optionsOf({ ...RESEND_OPTIONS, ...LOOK_OPTIONS }),
  errors,
  exits,
  rejects,
  metrics: () => metricsTable(METRICS),
};

/** Those of its own: where the database is, and how large batches are, stand in tables of their own. */
function tableOptions(): OptionTable {
  const elsewhere = { ...POSTGRES_OPTIONS, ...POSTGRES_BATCH_OPTIONS };
  return Object.fromEntries(Object.entries(TABLE_OPTIONS).filter(([key]) => !Object.hasOwn(elsewhere, key)));
}

function optionsOf(options: OptionTable): string {
  return table(["Flag", "Variable", "Default", "Meaning"], rowsOf(options));
}

/** Settings of which none has a flag. */
function variables(options: OptionTable): string {
  return table(
    ["Variable", "Default", "Meaning"],
    rowsOf(options).map(([, ...cells]) => cells),
  );
}

function rowsOf(options: OptionTable): string[][] {
  return Object.entries(options).map(([key, option]) => {
    const { argument, short, meaning, fallback, fallbackText, inFile, flagless } = option;
    const flag = `${short === undefined ? "" : `-${short}, `}${flagOf(key)}${argument === null ? "" : ` ${argument}`}`;
    const names = variablesOf(key, option).flatMap(({ name }) => (inFile === true ? [name, fileVariable(name)] : [name]));
    const standard = fallbackText ?? (fallback === null ? "none" : code(fallback));
    return [flagless === true ? "" : code(flag), names.map(code).join(", "), standard, meaning];
  });
}

function settingsFile(): string {
  const rows = Object.entries(FILE_KEYS).map(([key, setting]) => {
    const name = variablesOf(setting, SERVE_OPTIONS[setting]).at(-1)?.name ?? "";
    return [code(key), code(name)];
  });
  return table(["Key", "As the variable"], rows);
}

function ignored(list: readonly Ignored[]): string {
  const rows = list.map(({ variable, key, reason }) => [variable === null ? "" : code(variable), key === null ? "" : code(key), reason]);
  return table(["Variable", "Key of the file", "Why it has no effect"], rows);
}

function generate(): string {
  const rows = Object.entries(GENERATE_OPTIONS).map(([key, { argument, fallback, meaning }]) => {
    // The number of CPUs of this machine is nobody else's default.
    const standard = key === "threads" ? "number of CPUs" : fallback === null ? "required" : code(fallback);
    return [code(`--${key} ${argument}`), standard, meaning];
  });
  return table(["Flag", "Default", "Meaning"], rows);
}

function evolve(): string {
  const rows = Object.entries(EVOLVE_OPTIONS).map(([key, { argument, meaning }]) => [code(`${flagOf(key)} ${argument}`), meaning]);
  return table(["Flag", "Meaning"], rows);
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
