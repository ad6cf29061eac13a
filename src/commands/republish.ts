import type { Flags } from "../config.ts";
import { DumpError } from "../errors.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { absence, dataTypeOf, openLook } from "./look.ts";

/** Most ids that a message names. */
const NAMED_MAX = 20;

/** What was typed behind `deadwax republish`. */
export type RepublishFlags = Flags & { readonly version?: string };

/** `deadwax republish`: sends the messages of some records once more; ends with a code of its own if one of them is not there. */
export async function runRepublish(type: string, ids: readonly string[], flags: RepublishFlags, context: CommandContext): Promise<number> {
  const { version = null, ...settings } = flags;
  const dataType = dataTypeOf(type);
  using look = await openLook(settings, context);
  const { sink: urls, output, origins, drainTimeoutMs } = look.config;
  if (origins.sink === "default") throw new DumpError("CONFIG_INVALID", "nowhere to send to: give --sink");
  const { openSinks, refuseVersionSinks, republish } = await application();
  refuseVersionSinks(urls);
  await using sink = openSinks(urls, (name) => look.telemetry.sinkEvents.of(name));
  await using dump = await look.open(null, dataType, version);
  using stop = context.listen(drainTimeoutMs, look.telemetry);
  const { sent, missing } = await republish(dump, ids, sink, absence, stop.signal);
  const report = { version: dump.version, data_type: dataType, contract: dump.contract, sink: sink.name, sent, missing };
  const text = `✅ ${sent.length} of ${sent.length + missing.length} messages of ${dataType} ${dump.version} sent to ${sink.name}`;
  (urls.includes("-") ? context.stderr : context.stdout).write(`${output === "json" ? JSON.stringify(report) : text}\n`);
  if (missing.length === 0) return EXIT_CODES.done.exit;
  const named = missing.slice(0, NAMED_MAX).map(({ reason }) => reason);
  const more = missing.length > NAMED_MAX ? `; and ${missing.length - NAMED_MAX} more` : "";
  throw new DumpError("RECORD_NOT_FOUND", `${dump.path}: ${named.join("; ")}${more}`);
}

/** Loaded late, like the dumps. (The compiler leaves the endings of such imports alone in a function with `using`.) */
async function application() {
  return { ...(await import("../discogs/republish.ts")), ...(await import("../sink/index.ts")) };
}
