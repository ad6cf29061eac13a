import type { RulesFile } from "../config/rules-file.ts";
import { DumpError } from "../errors.ts";
import type { Contract } from "../model.ts";
import { type CompiledRules, compile } from "../parse/rules.ts";

/** Data quality rules as sources take them, null if there are none. */
export function compileRules(rules: RulesFile | null, contract: Contract): CompiledRules | null {
  if (rules === null) return null;
  if (contract === "topic")
    throw new DumpError("CONFIG_INVALID", "data quality rules: only the fanout contract has them; leave them out, or set --contract fanout");
  const compiled = compile(rules.canonical);
  if ("handle" in compiled) return compiled;
  throw new DumpError("CONFIG_INVALID", `data quality rules: ${compiled.join("; ")}`);
}
