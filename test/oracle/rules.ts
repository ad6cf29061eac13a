import type { Rules } from "../../src/config/rules-file.ts";
import type { DataType } from "../../src/model.ts";
import type { JsonObject, JsonValue } from "./value.ts";

/** What rules say of one record: lines, as far as they do not name files and times. */
export interface Judgement {
  readonly skip: { readonly field: string; readonly value: string; readonly reason: string } | null;
  readonly violations: readonly { readonly rule: string; readonly field: string; readonly value: string; readonly severity: string }[];
}

/** Holds a record as it was parsed against the rules: skips, then filters, which change it, then rules. */
export function judge(record: JsonObject, { skip_records, filters, rules }: Rules, dataType: DataType): Judgement {
  for (const { field, contains, reason } of skip_records[dataType] ?? []) {
    const value = valuesOf(record, field).find((text) => text.toLowerCase().includes(contains.toLowerCase()));
    if (value !== undefined) return { skip: { field, value, reason }, violations: [] };
  }
  for (const filter of filters[dataType] ?? []) {
    if ("remove_matching" in filter) removeMatching(record, filter.field, new RegExp(filter.remove_matching, "u"));
    else nullify(record, filter.field, filter.nullify_when);
  }
  const violations = (rules[dataType] ?? []).flatMap(({ name, field, condition, severity }) => {
    const values = valuesOf(record, field);
    const wrong = condition.type === "required" && values.length === 0 ? [""] : values.filter((value) => isWrong(value, condition));
    return wrong.map((value) => ({ rule: name, field, value, severity }));
  });
  return { skip: null, violations };
}

function valuesOf(record: JsonObject, field: string): string[] {
  let values: JsonValue[] = [record];
  for (const key of field.split(".")) {
    values = values.flatMap((value) => (value instanceof Map && value.has(key) ? [value.get(key) ?? null].flat() : []));
  }
  return values.flatMap((value) => (value instanceof Map || Array.isArray(value) ? [] : [value ?? ""]));
}

function removeMatching(record: JsonObject, field: string, pattern: RegExp): void {
  const keys = field.split(".");
  const last = keys.pop() ?? "";
  let holder: JsonValue | undefined = record;
  for (const key of keys) {
    if (Array.isArray(holder)) holder = /^(0|[1-9]\d*)$/.test(key) ? holder[Number(key)] : undefined;
    else holder = holder instanceof Map ? holder.get(key) : undefined;
  }
  if (!(holder instanceof Map)) return;
  const value = holder.get(last);
  if (typeof value === "string" && pattern.test(value)) holder.delete(last);
  if (Array.isArray(value))
    holder.set(
      last,
      value.filter((item) => typeof item !== "string" || !pattern.test(item)),
    );
}

function nullify(record: JsonObject, field: string, { below = Number.NEGATIVE_INFINITY, above = Number.POSITIVE_INFINITY }): void {
  const value = record.get(field);
  if (typeof value !== "string") return;
  const number = numberOf(value) ?? numberOf(/^[^-/. T]*/.exec(value)?.[0] ?? "");
  if (number !== null && (number < below || number > above)) record.set(field, null);
}

/** A number as Rust reads one: null if it is none. */
function numberOf(text: string): number | null {
  const [, sign, word] = /^([+-]?)(inf|infinity|nan)$/i.exec(text) ?? [];
  if (word !== undefined) return /^n/i.test(word) ? Number.NaN : sign === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

function isWrong(value: string, condition: { readonly type: string; readonly [key: string]: unknown }): boolean {
  const { min, max } = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY, ...(condition as { min?: number; max?: number }) };
  switch (condition.type) {
    case "required":
      return value === "";
    case "range": {
      const number = numberOf(value);
      return number !== null && (number < min || number > max);
    }
    case "length":
      return [...value].length < min || [...value].length > max;
    case "regex":
      return new RegExp(String(condition["pattern"]), "u").test(value);
    default:
      return !(condition["values"] as readonly string[]).includes(value);
  }
}
