import { readRulesFile } from "../config/rules-file.ts";
import { type Config, type Flags, resolveConfig } from "../config.ts";
import type { Dump, Findings } from "../discogs/dump.ts";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { Telemetry } from "../telemetry.ts";
import type { CommandContext } from "./context.ts";

/** What the commands that look at single records share. */
export interface Look extends Disposable {
  readonly config: Config;
  readonly telemetry: Telemetry;
  /** Opens the dump of a data type; `place` null: that of `--root`. */
  open(place: string | null, type: DataType, version: string | null): Promise<Dump>;
}

/** Resolves the settings and makes ready to open dumps. */
export async function openLook(flags: Flags, { stderr }: CommandContext): Promise<Look> {
  const config = resolveConfig({ flags });
  const { logLevel, output, contract, dataQualityRules } = config;
  const rules = dataQualityRules === null ? null : await readRulesFile(dataQualityRules);
  // Loaded late: this brings the addon, and the help does without.
  const { openDumpOf } = await import("../discogs/dump.ts");
  const { compileRules } = await import("../discogs/rules.ts");
  const compiled = compileRules(rules, contract);
  const bar = stderr.isTTY === true && output === "text" && logLevel !== "warn";
  const telemetry = new Telemetry({ level: logLevel, format: output, output: stderr, bar });
  return {
    config,
    telemetry,
    open: async (given, type, version) => {
      const place = given ?? config.root;
      if (place === null) throw new DumpError("CONFIG_INVALID", "nothing to look in: name a dump file or a folder with dumps, or give --root");
      const what = { place, type, version };
      return await openDumpOf(config, what, { rules: compiled?.handle ?? null, events: telemetry.look, signal: new AbortController().signal });
    },
    [Symbol.dispose]() {
      telemetry[Symbol.dispose]();
      compiled?.[Symbol.dispose]();
    },
  };
}

/** The data type that was typed. */
export function dataTypeOf(text: string): DataType {
  const type = DATA_TYPES.find((known) => known === text);
  if (type === undefined) throw new DumpError("CONFIG_INVALID", `${text} is no data type; there are ${DATA_TYPES.join(", ")}`);
  return type;
}

/** Why there is no message of an id, in words that follow the dump's name. */
export function absence(id: string, { records, rejects }: Findings): string {
  const reject = rejects.get(id);
  if (records.get(id)?.body === null) return `a data quality rule keeps ${id} back; --raw prints it`;
  if (reject === undefined) return `there is no record ${id}`;
  return `the record ${id} is malformed and has no message (${reject.kind} at byte ${reject.offset} of the XML)`;
}
