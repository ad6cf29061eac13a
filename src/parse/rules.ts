import { closeRules, compileRules } from "../../native/index.js";

/** Compiled data quality rules, as pulls want them. */
export interface CompiledRules extends Disposable {
  readonly handle: number;
}

/** Compiles rules in their canonical form; files that were opened with them keep them. Gives all that is wrong with their patterns instead. */
export function compile(canonical: string): CompiledRules | readonly string[] {
  let handle: number;
  try {
    handle = compileRules(canonical);
  } catch (error) {
    return problemsIn(error);
  }
  return { handle, [Symbol.dispose]: () => closeRules(handle) };
}

function problemsIn(error: unknown): readonly string[] {
  try {
    const problems: unknown = JSON.parse(error instanceof Error ? error.message : "");
    if (Array.isArray(problems) && problems.every((problem) => typeof problem === "string")) return problems;
  } catch {
    // Not said by the core: a defect, told as it is.
  }
  throw error;
}
