import type { Sink } from "../sink/sink.ts";
import type { Dump } from "./dump.ts";

/** Ids that are looked up, and bodies that are held, at a time. */
const PORTION = 500;
/** Behind the ordinals of any run: microseconds since 1970, of which a version has far fewer than this many records. */
const MICROSECONDS = 1000;

/** What became of ids that were to be sent again, in their order. */
export interface Republished {
  readonly sent: readonly string[];
  readonly missing: readonly { readonly id: string; readonly reason: string }[];
}

/**
 * Sends the messages of some records once more, and nothing else: no file is begun or completed, and no state is read or written. Their
 * ids are of the version and type, but lie behind those of every run, so that whoever remembers ids does not take them for repeats.
 */
export async function republish(
  dump: Dump,
  ids: readonly string[],
  sink: Sink,
  absence: (id: string, found: Awaited<ReturnType<Dump["find"]>>) => string,
  signal: AbortSignal,
): Promise<Republished> {
  const { version, dataType, contract } = dump;
  const sent: string[] = [];
  const missing: Republished["missing"][number][] = [];
  const distinct = [...new Set(ids)].sort(inDumpOrder);
  let firstOrdinal = Date.now() * MICROSECONDS;
  await sink.check(signal);
  const target = { version, dataType, contract, stream: "records" } as const;
  await using writer = await sink.open(target, null, signal);
  for (let from = 0; from < distinct.length; from += PORTION) {
    const portion = distinct.slice(from, from + PORTION);
    const found = await dump.find(portion);
    const bodies: Uint8Array[] = [];
    for (const id of portion) {
      const body = found.records.get(id)?.body ?? null;
      if (body === null) missing.push({ id, reason: absence(id, found) });
      else {
        bodies.push(body);
        sent.push(id);
      }
    }
    if (bodies.length === 0) continue;
    const batch = { ...join(bodies), version, dataType, contract, firstOrdinal, rejects: [], changes: null };
    await writer.write(batch, signal);
    firstOrdinal += bodies.length;
  }
  await writer.sync(signal);
  return { sent, missing };
}

/** Ids next to each other mostly lie next to each other. */
function inDumpOrder(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}

/** Bodies as a batch holds them. */
function join(bodies: readonly Uint8Array[]): { bytes: Uint8Array; ends: Uint32Array } {
  const line = Buffer.from("\n");
  let end = -1;
  const ends = Uint32Array.from(bodies, (body) => {
    end += body.length + 1;
    return end;
  });
  return { bytes: Buffer.concat(bodies.flatMap((body) => [body, line])), ends };
}
