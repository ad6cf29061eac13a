import { envOf, flagOf, OPTION_KEYS, type OptionKey, optionOf } from "../config/options.ts";
import { hideSecrets } from "../config/secrets.ts";
import { type Config, type Flags, resolveConfig } from "../config.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";

/** `deadwax validate`: shows the resolved settings and where each came from; touches neither dumps nor network. */
export function runValidate(flags: Flags, { stdout }: CommandContext): number {
  const config = resolveConfig({ flags });
  const settings = OPTION_KEYS.map((key) => ({ key, value: printable(config, key), from: config.origins[key] }));
  if (config.output === "json") {
    stdout.write(`${JSON.stringify(Object.fromEntries(settings.map(({ key, value, from }) => [key, { value, from }])))}\n`);
  } else {
    for (const { key, value, from } of settings) {
      const origin = from === "env" ? envOf(key) : from;
      stdout.write(`${flagOf(key).padEnd(22)} ${value === null ? "(not set)" : value}  [${origin}]\n`);
    }
  }
  return EXIT_CODES.done.exit;
}

function printable(config: Config, key: OptionKey): string | number | boolean | null {
  const value = config[key];
  return typeof value === "string" && optionOf(key).secret === true ? hideSecrets(value) : value;
}
