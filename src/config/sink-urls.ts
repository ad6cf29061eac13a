import { DumpError } from "../errors.ts";
import { openSinks, SINKS } from "../sink/index.ts";
import { text } from "./units.ts";

/** How a sink of the service says that it is the broker of the variables. */
export const BROKER = "broker:";

const SCHEMES = [...Object.keys(SINKS), BROKER].filter((scheme) => scheme !== "-");
/** A path may hold white space too: only what begins like a sink begins one. */
const BETWEEN = new RegExp(`\\s+(?=-(?:\\s|$)|${SCHEMES.join("|")})`);

/** The sinks that a variable names, separated by white space. */
export function splitSinks(given: string): readonly string[] {
  return given.trim().split(BETWEEN);
}

/** A URL that a sink takes; opening does not touch the destination. */
export const sinkUrl = text.superRefine((url, context) => {
  const fault = sinksFault([url]);
  if (fault !== null) context.addIssue({ code: "custom", message: fault });
});

/** The same for the service, which has a broker. */
export const serveSinkUrl = text.superRefine((url, context) => {
  const fault = url === BROKER ? null : sinksFault([url]);
  if (fault !== null) context.addIssue({ code: "custom", message: fault });
});

/** Why no run can have these sinks, as they say it themselves; null: it can. */
export function sinksFault(urls: readonly string[]): string | null {
  try {
    openSinks(urls);
    return null;
  } catch (error) {
    if (error instanceof DumpError) return error.message;
    throw error;
  }
}
