import { describe, expect, it } from "vitest";
import { flagOf } from "../../src/config/option.ts";
import { envOf, OPTION_KEYS, optionOf } from "../../src/config/options.ts";
import { formatSize } from "../../src/config/units.ts";

describe.each(OPTION_KEYS)("option %s", (key) => {
  const option = optionOf(key);

  it("has a flag, a variable and a meaning", () => {
    expect(flagOf(key)).toMatch(/^--[a-z]+(-[a-z]+)*$/);
    expect(envOf(key)).toMatch(/^(DEADWAX_[A-Z_]+|MAX_WORKERS)$/);
    expect(option.meaning).not.toBe("");
  });

  it("has a default that it accepts itself, or none", () => {
    if (option.fallback !== null) expect(option.schema.safeParse(option.fallback).success).toBe(true);
  });

  it("has a unit if it is a number", () => {
    const value = option.fallback === null ? null : option.schema.parse(option.fallback);
    if (typeof value === "number") expect(option.unit).not.toBeNull();
  });
});

it("gives no two options the same flag or variable", () => {
  expect(new Set(OPTION_KEYS.map(flagOf)).size).toBe(OPTION_KEYS.length);
  expect(new Set(OPTION_KEYS.map(envOf)).size).toBe(OPTION_KEYS.length);
});

it("writes sizes in the largest whole unit", () => {
  expect([1, 1024, 1536, 2 ** 21, 2 ** 40].map(formatSize)).toEqual(["1 bytes", "1 KiB", "1536 bytes", "2 MiB", "1 TiB"]);
});
