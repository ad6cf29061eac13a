import { createHash } from "node:crypto";
import { open, realpath } from "node:fs/promises";
import { extname } from "node:path";
import { parseDocument } from "yaml";
import type { z } from "zod";
import { DumpError, systemCode } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { compile } from "../parse/rules.ts";
import { rulesSchema } from "./rules-schema.ts";

/** Largest rules file that is read. */
const FILE_BYTES_MAX = 1024 * 1024;
/** Aliases of one YAML anchor, counted with what they hold; more are taken for a bomb. */
const ALIASES_MAX = 100;
/** Problems of one file that are told. */
const PROBLEMS_MAX = 20;

type ByType<T> = Readonly<Partial<Record<DataType, readonly T[]>>>;

export interface SkipRule {
  readonly field: string;
  readonly contains: string;
  readonly reason: string;
}

export type FilterRule =
  | { readonly field: string; readonly remove_matching: string }
  | { readonly field: string; readonly nullify_when: { readonly below?: number; readonly above?: number } };

export type Severity = "error" | "warning" | "info";

export interface ValueRule {
  readonly name: string;
  readonly field: string;
  readonly condition: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly severity: Severity;
}

/** Data quality rules as they are applied: nothing that a file may say without effect, data types in one order, rules in the file's. */
export interface Rules {
  readonly skip_records: ByType<SkipRule>;
  readonly filters: ByType<FilterRule>;
  readonly rules: ByType<ValueRule>;
}

/** A rules file, read and known to be sound. */
export interface RulesFile {
  readonly rules: Rules;
  /** The rules as text: what the core compiles. Equal rules have equal texts. */
  readonly canonical: string;
  /** SHA-256 of the text in hex: two files with one digest have the same effect on every record and every output. */
  readonly digest: string;
}

/** Reads a file of data quality rules; fails with CONFIG_INVALID and everything that is wrong with it. */
export async function readRulesFile(path: string): Promise<RulesFile> {
  const rules = normalise(check(path, parse(path, await read(path))));
  const canonical = JSON.stringify(rules);
  const compiled = compile(canonical);
  if ("handle" in compiled) compiled[Symbol.dispose]();
  else throw invalid(path, compiled);
  return { rules, canonical, digest: createHash("sha256").update(canonical).digest("hex") };
}

async function read(path: string): Promise<string> {
  try {
    const target = await realpath(path);
    if (![".yaml", ".yml"].includes(extname(target))) throw invalid(path, [`${target === path ? "it" : target} does not end in .yaml or .yml`]);
    await using file = await open(target, "r");
    const { size } = await file.stat();
    if (size > FILE_BYTES_MAX) throw invalid(path, [`it is larger than ${FILE_BYTES_MAX} bytes`]);
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile());
  } catch (error) {
    if (error instanceof DumpError) throw error;
    const code = systemCode(error);
    throw invalid(path, [code === undefined || code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "it is not UTF-8" : `it cannot be read (${code})`], error);
  }
}

function parse(path: string, text: string): unknown {
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const problems = document.errors.map((error) => error.message.split("\n", 1)[0]?.replace(/:$/, "") ?? "");
  if (problems.length > 0) throw invalid(path, problems);
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    throw invalid(path, [error instanceof Error ? error.message : String(error)], error);
  }
}

type Checked = z.output<typeof rulesSchema>;

function check(path: string, value: unknown): Checked {
  // A file with nothing but comments holds no rules.
  const result = rulesSchema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw invalid(
    path,
    result.error.issues.map((issue) => `${placeOf(issue.path)}${issue.message}`),
  );
}

/** `filters.releases[2].field: ` */
function placeOf(path: readonly PropertyKey[]): string {
  const place = path.map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`)).join("");
  return place === "" ? "" : `${place}: `;
}

/** The members that have an effect, in one order. */
function normalise({ skip_records, filters, rules }: Checked): Rules {
  return {
    skip_records: eachType(skip_records, ({ field, contains, reason }) => [{ field, contains, reason }]),
    filters: eachType(filters, ({ field, remove_matching, nullify_when }) => [
      ...(typeof remove_matching === "string" ? [{ field, remove_matching }] : []),
      ...(nullify_when ? [{ field, nullify_when: given({ below: nullify_when.below, above: nullify_when.above }) }] : []),
    ]),
    rules: eachType(rules, ({ name, field, condition, severity }) => [{ name, field, condition: inOrder(condition), severity }]),
  };
}

function eachType<T, U>(lists: Partial<Record<string, readonly T[] | null | undefined>> | null | undefined, of: (entry: T) => readonly U[]): ByType<U> {
  const types = DATA_TYPES.map((type) => [type, (lists?.[type] ?? []).flatMap(of)] as const);
  return Object.fromEntries(types.filter(([, list]) => list.length > 0));
}

function inOrder(condition: NonNullable<NonNullable<Checked["rules"]>["releases"]>[number]["condition"]): ValueRule["condition"] {
  const { type, ...rest } = condition;
  return { type, ...given(Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)))) };
}

function given<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null && value !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
}

function invalid(path: string, problems: readonly string[], cause?: unknown): DumpError {
  const told = problems.slice(0, PROBLEMS_MAX).map((problem) => problem.replace(/\s*\n\s*/g, " "));
  const more = problems.length > told.length ? `; and ${problems.length - told.length} more` : "";
  return new DumpError("CONFIG_INVALID", `data quality rules ${path}: ${told.join("; ")}${more}`, { cause });
}
