import type { Flags } from "../config.ts";
import { DumpError } from "../errors.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { absence, dataTypeOf, openLook } from "./look.ts";

/** What was typed behind `deadwax get`. */
export type GetFlags = Flags & { readonly raw?: boolean; readonly version?: string };

/** `deadwax get`: prints the message body of one record, or its raw XML. */
export async function runGet(type: string, id: string, place: string | undefined, flags: GetFlags, context: CommandContext): Promise<number> {
  const { raw = false, version = null, ...settings } = flags;
  const dataType = dataTypeOf(type);
  using look = await openLook(settings, context);
  await using dump = await look.open(place ?? null, dataType, version);
  const found = await dump.find([id]);
  const record = found.records.get(id);
  const bytes = raw ? record?.xml : record?.body;
  if (record === undefined || bytes === undefined || bytes === null) throw new DumpError("RECORD_NOT_FOUND", `${dump.path}: ${absence(id, found)}`);
  if (record.occurrences > 1)
    look.telemetry.look.warned(`${dump.path} holds ${record.occurrences} records ${id}; this is the last, with which consumers end up`);
  context.stdout.write(Buffer.concat([bytes, Buffer.from("\n")]));
  return EXIT_CODES.done.exit;
}
