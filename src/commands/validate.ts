import { flagOf, type Option, type OptionTable, variablesOf } from "../config/option.ts";
import { envOf, OPTION_KEYS, OPTIONS, type OptionKey, optionOf } from "../config/options.ts";
import { readRulesFile } from "../config/rules-file.ts";
import { hideSecrets } from "../config/secrets.ts";
import type { ServeFlags } from "../config/serve.ts";
import { SERVE_KEYS, SERVE_OPTIONS } from "../config/serve-options.ts";
import { type Config, type Flags, resolveConfig, resolveServeConfig } from "../config.ts";
import { DumpError } from "../errors.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { writeWarnings } from "./serve.ts";

/** Flags of either command; `serve` asks for that one's settings. */
export type ValidateFlags = Flags & ServeFlags & { readonly serve?: boolean };

interface Line {
  readonly key: string;
  readonly value: string | number | boolean | null;
  readonly from: string;
  /** What gave the value, where its kind does not say it all. */
  readonly name: string;
}

/** `deadwax validate`: checks the settings and the rules file they name, and shows where each came from; touches neither dumps nor network. */
export async function runValidate({ serve = false, ...flags }: ValidateFlags, context: CommandContext): Promise<number> {
  const typed = Object.keys(flags);
  const isServe = serve || typed.some((key) => !Object.hasOwn(OPTIONS, key));
  refuseForeign(isServe ? SERVE_OPTIONS : OPTIONS, typed, isServe ? "serve" : "extract");
  const { lines, isJson, rulesPath } = isServe ? serveLines(flags, context) : extractLines(flags);
  if (rulesPath !== null) await readRulesFile(rulesPath);
  if (isJson) {
    context.stdout.write(`${JSON.stringify(Object.fromEntries(lines.map(({ key, ...line }) => [key, line])))}\n`);
  } else {
    for (const { key, value, name } of lines) {
      context.stdout.write(`${titleOf(key, isServe).padEnd(27)} ${value === null ? "(not set)" : value}  [${name}]\n`);
    }
  }
  return EXIT_CODES.done.exit;
}

function extractLines(flags: Flags) {
  const config = resolveConfig({ flags });
  const lines = OPTION_KEYS.map((key): Line => {
    const from = config.origins[key];
    return { key, value: printable(config, key), from, name: from === "env" ? envOf(key) : from };
  });
  return { lines, isJson: config.output === "json", rulesPath: config.dataQualityRules };
}

function serveLines(flags: ServeFlags, { stderr }: CommandContext) {
  const config = resolveServeConfig({ flags });
  writeWarnings(config, stderr);
  const lines = SERVE_KEYS.map((key, index): Line => ({ key, ...(config.settings[index] as Omit<Line, "key">) }));
  return { lines, isJson: config.output === "json", rulesPath: config.dataQualityRules };
}

/** A flag of the other command would say nothing. */
function refuseForeign(table: OptionTable, typed: readonly string[], command: string): void {
  const foreign = typed.filter((key) => !Object.hasOwn(table, key)).map(flagOf);
  if (foreign.length > 0) throw new DumpError("CONFIG_INVALID", `${foreign.join(", ")}: ${command} has no such option`);
}

/** Settings without a flag are called by their variable. */
function titleOf(key: string, isServe: boolean): string {
  const table: OptionTable = isServe ? SERVE_OPTIONS : OPTIONS;
  const option: Option | undefined = table[key];
  return option?.flagless === true ? variablesOf(key, option)[0].name : flagOf(key);
}

function printable(config: Config, key: OptionKey): string | number | boolean | null {
  const value = config[key];
  if (typeof value === "object" && value !== null) return value.map(hideSecrets).join(" ");
  return typeof value === "string" && optionOf(key).secret !== undefined ? hideSecrets(value) : value;
}
