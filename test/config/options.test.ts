import { describe, expect, it } from "vitest";
import { flagOf, type OptionTable, variableNames, variablesOf } from "../../src/config/option.ts";
import { OPTIONS } from "../../src/config/options.ts";
import { SERVE_OPTIONS } from "../../src/config/serve-options.ts";
import { formatSize } from "../../src/config/units.ts";

const TABLES: Readonly<Record<string, OptionTable>> = { extract: OPTIONS, serve: SERVE_OPTIONS };
const ROWS = Object.entries(TABLES).flatMap(([command, table]) => Object.entries(table).map(([key, option]) => ({ command, key, option })));

describe.each(ROWS)("option $key of $command", ({ key, option }) => {
  it("has a flag, variables and a meaning", () => {
    expect(flagOf(key)).toMatch(/^--[a-z]+(-[a-z]+)*$/);
    for (const { name } of variablesOf(key, option)) expect(name).toMatch(/^([A-Z][A-Z_]+|https?_proxy|no_proxy)$/);
    expect(option.meaning).not.toBe("");
  });

  it("has a default that it accepts itself, or none", () => {
    if (option.fallback !== null) expect(option.schema.safeParse(option.fallback).success).toBe(true);
  });

  it("has a unit if it is a number", () => {
    const value = option.fallback === null ? null : option.schema.parse(option.fallback);
    if (typeof value === "number") expect(option.unit).not.toBeNull();
  });

  it("has no flag if it is a secret and nothing else", () => {
    if (option.secret === "all") expect(option.flagless).toBe(true);
  });
});

it.each(Object.entries(TABLES))("no two options of %s have the same flag or variable", (_, table) => {
  const keys = Object.keys(table);
  const shorts = Object.values(table).flatMap(({ short }) => short ?? []);
  for (const names of [keys.map(flagOf), shorts, variableNames(table)]) expect(new Set(names).size).toBe(names.length);
});

it("gives an option that both commands have one meaning: the same unit, flag and first variable", () => {
  for (const [key, option] of Object.entries(SERVE_OPTIONS as OptionTable)) {
    const other = (OPTIONS as OptionTable)[key];
    if (other === undefined) continue;
    expect([option.unit, option.argument, variablesOf(key, option)[0]]).toEqual([other.unit, other.argument, variablesOf(key, other)[0]]);
  }
});

it("writes sizes in the largest whole unit", () => {
  expect([1, 1024, 1536, 2 ** 21, 2 ** 40].map(formatSize)).toEqual(["1 bytes", "1 KiB", "1536 bytes", "2 MiB", "1 TiB"]);
});
