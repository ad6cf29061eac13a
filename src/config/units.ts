import { z } from "zod";

const BINARY_FACTORS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const;
const SIZE = /^(\d+)(?:([KMGT])(?:iB)?)?$/;
const U64_MAX = 2n ** 64n - 1n;

function issue(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: "custom", message });
  return z.NEVER;
}

/** A count in plain decimal digits. */
export function count(min: number, max = Number.MAX_SAFE_INTEGER) {
  return z.string().transform((text, context) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    return issue(context, `give a whole number ${range}`);
  });
}

/** A number of bytes: `65536`, `64K` or `64KiB`; K, M, G and T are powers of 1,024. */
export function byteSize(min: number, max: number) {
  return z.string().transform((text, context) => {
    const [, digits, unit] = SIZE.exec(text) ?? [];
    const value = Number(digits) * (unit === undefined ? 1 : BINARY_FACTORS[unit as keyof typeof BINARY_FACTORS]);
    if (value >= min && value <= max) return value;
    return issue(context, `give ${formatSize(min)} to ${formatSize(max)}, as in 65536, 64K or 64KiB`);
  });
}

/** One of a few words. */
export function word<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, { error: `give ${words.slice(0, -1).join(", ")} or ${words.at(-1)}` });
}

/** A share of a whole: `0.01` or `1%`. */
export const share = z.string().transform((text, context) => {
  const [, number, percent] = /^(\d{0,3}(?:\.\d{1,9})?|\d+\.)(%?)$/.exec(text) ?? [];
  const value = number === undefined || number === "" ? Number.NaN : Number(number) / (percent === "%" ? 100 : 1);
  if (value >= 0 && value <= 1) return value;
  return issue(context, "give a share from 0 to 1, as in 0.01 or 1%");
});

/** A switch; only the environment ever spells it out. */
export const flag = z.string().transform((text, context) => {
  if (/^(true|yes|on|1)$/i.test(text)) return true;
  if (/^(false|no|off|0)$/i.test(text)) return false;
  return issue(context, "give true or false");
});

/** Text that is not empty. */
export const text = z.string().min(1, "give a value that is not empty");

/** An unsigned number read as upstream's extractor reads it: digits with an optional `+`, anything else is undefined. */
export function lenientU64(value: string): number | undefined {
  return /^\+?\d+$/.test(value) && BigInt(value.replace("+", "")) <= U64_MAX ? Number(value) : undefined;
}

/** How a variable of upstream's is read: as {@link lenientU64}, taken to the nearest number of the range. */
export function u64(min: number, max = Number.MAX_SAFE_INTEGER) {
  return (value: string): string | undefined => {
    const number = lenientU64(value);
    return number === undefined ? undefined : String(Math.min(Math.max(number, min), max));
  };
}

/** A size in the largest unit that divides it: `2 MiB`. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of Object.entries(BINARY_FACTORS).reverse()) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor} ${unit}iB`;
  }
  return `${bytes} bytes`;
}

/** The date of a version. */
export const versionDate = z.string().regex(/^\d{8}$/, "give eight digits, as in 20260801");

/** What reads the text of an option. */
export type Schema = z.ZodType;

/** What a schema's text becomes. */
export type Parsed<Schema extends z.ZodType> = z.output<Schema>;
