import { flagOf } from "../config/option.ts";
import type { Flags } from "../config.ts";
import { DumpError } from "../errors.ts";
import type { DataType } from "../model.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { failure, GENERATE_OPTIONS, type GenerateFlags, parseFlags } from "./generate.ts";

/** What makes `deadwax generate` write the month after another one. */
export const EVOLVE_OPTIONS = {
  evolve: { argument: "DIR", meaning: "write the month after the newest one before `--version` in this folder, which `generate` wrote" },
  changes: { argument: "SPEC", meaning: "what changes in it, as in `created=1%,releases.updated=5`; nothing if it is left out" },
  returnedFrom: { argument: "DIR", meaning: "folder with an older month, for `returned`: its newest one before that of `--evolve`" },
  changesList: { argument: "FILE", meaning: "write every change into this file, one JSON object a line" },
} as const;

/** Options of a first month that a month after it takes too; the version has no default there. */
const { seed, out, version, threads, ...FIRST_ONLY } = GENERATE_OPTIONS;
const SHARED_OPTIONS = { seed, out, version: { ...version, fallback: null }, threads } as const;

export type EvolveFlags = GenerateFlags & { readonly [K in keyof typeof EVOLVE_OPTIONS]?: string };

interface Manifest {
  readonly from: string;
  readonly types: Readonly<Partial<Record<DataType, { readonly records: number; readonly changes: Readonly<Record<string, number>> }>>>;
}

/** Whether flags ask for the month after another one. */
export function isEvolution(flags: EvolveFlags): boolean {
  return Object.keys(EVOLVE_OPTIONS).some((key) => flags[key as keyof EvolveFlags] !== undefined);
}

/** `deadwax generate --evolve`: writes the month after another one. */
export async function runEvolve(flags: EvolveFlags & Pick<Flags, "output">, { stdout }: CommandContext): Promise<number> {
  const options = resolveEvolve(flags);
  // Loaded late, so that everything else here works where the addon does not.
  const { evolve } = await import("../../native/index.js");
  const json = await evolve(options).catch((cause: unknown) => {
    throw failure(options.out, cause);
  });
  const manifest: Manifest = JSON.parse(json);
  stdout.write(flags.output === "json" ? `${JSON.stringify(manifest)}\n` : `${describe(options, manifest)}\n`);
  return EXIT_CODES.done.exit;
}

/** Resolves the options, or fails once with all that is wrong; what `--changes` asks for is looked at with the dumps. */
export function resolveEvolve(flags: EvolveFlags) {
  const { values, problems } = parseFlags(SHARED_OPTIONS, flags);
  const { evolve: from = "", changes = "", returnedFrom, changesList: list } = flags;
  if (from === "") problems.push("--evolve: give the folder of the month to start from");
  for (const [key, value] of Object.entries({ returnedFrom, changesList: list })) {
    if (value === "") problems.push(`${flagOf(key)}: give a value that is not empty`);
  }
  for (const key of Object.keys(FIRST_ONLY)) {
    if (flags[key as keyof EvolveFlags] !== undefined) problems.push(`${flagOf(key)}: has no meaning with --evolve`);
  }
  if (problems.length > 0) throw new DumpError("CONFIG_INVALID", problems.join("; "));
  return { ...values, from, changes, ...(returnedFrom === undefined ? {} : { returnedFrom }), ...(list === undefined ? {} : { list }) };
}

function describe({ out, version }: { out: string; version: string }, { from, types }: Manifest): string {
  const perType = Object.entries(types).map(([type, { records, changes }]) => {
    const made = Object.entries(changes).flatMap(([name, times]) => (times > 0 ? [`${times} ${name}`] : []));
    return `${records} ${type}${made.length > 0 ? ` (${made.join(", ")})` : ""}`;
  });
  return `✅ Wrote version ${version} after ${from} into ${out}: ${perType.join(", ")}, with CHECKSUM and manifest`;
}
