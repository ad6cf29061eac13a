import { availableParallelism } from "node:os";
import { flagOf } from "../config/option.ts";
import { count, type Parsed, type Schema, text, versionDate, word } from "../config/units.ts";
import type { Flags } from "../config.ts";
import { DumpError, type ErrorCode } from "../errors.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";

const SEED_MAX = 2 ** 32 - 1;
const THREADS_MAX = 256;

/** What shapes a synthetic dump; there are no variables for it, since nothing depends on it between two calls. */
export const GENERATE_OPTIONS = {
  releases: { argument: "N", schema: count(0), fallback: "1000", meaning: "number of releases" },
  artists: { argument: "N", schema: count(0), fallback: "1000", meaning: "number of artists" },
  masters: { argument: "N", schema: count(0), fallback: "1000", meaning: "number of masters" },
  labels: { argument: "N", schema: count(0), fallback: "1000", meaning: "number of labels" },
  seed: { argument: "S", schema: count(0, SEED_MAX), fallback: "1", meaning: "the same seed gives the same bytes" },
  out: { argument: "DIR", schema: text, fallback: null, meaning: "folder to write into; it is made if it is missing" },
  version: { argument: "YYYYMMDD", schema: versionDate, fallback: "20260801", meaning: "version of the dump" },
  form: { argument: "YEAR", schema: word(["2026", "2020"]), fallback: "2026", meaning: "byte form of the XML: as of 2026, or the older one of 2020" },
  threads: { argument: "N", schema: count(1, THREADS_MAX), fallback: String(availableParallelism()), meaning: "threads to use" },
} as const;

export type GenerateFlags = { readonly [K in keyof typeof GENERATE_OPTIONS]?: string };
type Generate = { [K in keyof typeof GENERATE_OPTIONS]: Parsed<(typeof GENERATE_OPTIONS)[K]["schema"]> };

/** `deadwax generate`: writes a synthetic dump with its CHECKSUM and a manifest of what is in it. */
export async function runGenerate(flags: GenerateFlags & Pick<Flags, "output">, { stdout }: CommandContext): Promise<number> {
  const options = resolveGenerate(flags);
  const manifest = await writeDump(options);
  stdout.write(flags.output === "json" ? `${JSON.stringify(JSON.parse(manifest))}\n` : `${describe(options)}\n`);
  return EXIT_CODES.done.exit;
}

/** Resolves the options, or fails once with all that is wrong. */
export function resolveGenerate(flags: GenerateFlags): Generate {
  const { values, problems } = parseFlags(GENERATE_OPTIONS, flags);
  if (problems.length > 0) throw new DumpError("CONFIG_INVALID", problems.join("; "));
  return values;
}

type FlagTable = Readonly<Record<string, { readonly schema: Schema; readonly fallback: string | null }>>;

/** Parses flags by a table of options; tells all that is wrong. */
export function parseFlags<T extends FlagTable>(table: T, flags: { readonly [K in keyof T]?: string }) {
  const problems: string[] = [];
  const values = Object.entries(table).map(([key, { schema, fallback }]) => {
    const parsed = schema.safeParse(flags[key] ?? fallback ?? "");
    if (!parsed.success) problems.push(`${flagOf(key)}: ${parsed.error.issues.map((issue) => issue.message).join(", ")}`);
    return [key, parsed.data];
  });
  return { values: Object.fromEntries(values) as { [K in keyof T]: Parsed<T[K]["schema"]> }, problems };
}

/** Writes the dump; resolves with the manifest as JSON. */
export async function writeDump(options: Generate): Promise<string> {
  // Loaded late, so that everything else here works where the addon does not.
  const { generate } = await import("../../native/index.js");
  return await generate(options).catch((cause: unknown) => {
    throw failure(options.out, cause);
  });
}

/** What the generator has thrown, which is JSON, as an error that names the folder. */
export function failure(out: string, cause: unknown): DumpError {
  const { code, message }: { code: ErrorCode; message: string } = JSON.parse(cause instanceof Error ? cause.message : String(cause));
  const isOurs = code === "SINK_UNAVAILABLE" || code === "INTERNAL";
  return new DumpError(code, isOurs ? `${out}: the dump cannot be written (${message})` : message, { cause });
}

function describe({ out, version, releases, artists, masters, labels }: Generate): string {
  return `✅ Wrote version ${version} into ${out}: ${artists} artists, ${labels} labels, ${masters} masters, ${releases} releases, with CHECKSUM and manifest`;
}
