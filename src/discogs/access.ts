import { stat } from "node:fs/promises";
import { DumpError } from "../errors.ts";
import { type DataType, type ResumePoint, sameIdentity } from "../model.ts";
import { ParsePool } from "../parse/pool.ts";
import { identify } from "../source/identity.ts";
import { AccessIndex, accessPath } from "../state/access/access-index.ts";
import { AccessWriter } from "../state/access/access-writer.ts";
import { extend, spanAt } from "../state/access/span.ts";
import type { LookEvents } from "../telemetry/look-events.ts";
import type { sourceOptions } from "./extract-file.ts";

/** Inflated bytes between two points: reading so many takes a moment, and a window of 32 KiB for each is little beside them. */
const SPAN_BYTES = 8 * 2 ** 20;
const CHUNK_BYTES = 2 * 2 ** 20;

/** A dump file, and how it is read. */
export interface AccessRequest {
  readonly path: string;
  /** Its base name. */
  readonly name: string;
  readonly dataType: DataType;
  /** The folder of the state. */
  readonly stateRoot: string;
  readonly source: ReturnType<typeof sourceOptions>;
  readonly threads: number;
  readonly spanBytes?: number;
  readonly events: LookEvents;
  readonly signal: AbortSignal;
}

/** Opens the access index of a dump, and builds it first if there is none for these very bytes. `damage`: why the one that is there is not to be used. */
export async function openAccess(request: AccessRequest, damage: string | null = null): Promise<AccessIndex> {
  const { path, name, stateRoot } = request;
  const place = accessPath(stateRoot, name);
  const found = damage ?? (await AccessIndex.open(place));
  let reason = typeof found === "string" ? found : null;
  if (found instanceof AccessIndex) {
    if (sameIdentity(found.facts.identity, await identify(path))) return found;
    await found[Symbol.asyncDispose]();
    reason = "the dump is another file than it was made of";
  }
  await build(request, place, reason);
  const built = await AccessIndex.open(place);
  if (built instanceof AccessIndex) return built;
  throw new DumpError("STATE_UNWRITABLE", `${place}: is ${built === null ? "gone" : `not what was written (${built})`}; look at the folder and its disk`);
}

/** Reads a dump once, all of it, with all threads. */
async function build({ path, name, dataType, source, threads, spanBytes = SPAN_BYTES, events, signal }: AccessRequest, place: string, reason: string | null) {
  const started = performance.now();
  let done = 0;
  let records = 0;
  let spans = 0;
  let isWhole = false;
  events.building(name, (await identify(path)).size, reason, () => done);
  try {
    await using writer = await AccessWriter.create(place);
    await using pool = new ParsePool({ threads, chunkBytes: CHUNK_BYTES });
    await using pieces = pool.pull(name, { ...source, checkpointRecords: 0, checkpointMs: 0, accessBytes: spanBytes, ids: [], path, dataType, resume: null });
    const stop = () => pieces.stop();
    signal.addEventListener("abort", stop);
    using _deaf = { [Symbol.dispose]: () => signal.removeEventListener("abort", stop) };
    signal.throwIfAborted();
    const identity = pieces.identity();
    let span = spanAt(null);
    let begin: ResumePoint | null = null;
    let root: Pick<ResumePoint, "rootName" | "lineForm"> = { rootName: dataType, lineForm: null };
    for await (const piece of pieces) {
      try {
        if (piece.error !== null) throw piece.error;
        if (piece.seen) span = extend(span, piece.seen);
        done = piece.compressedBytes;
        isWhole = piece.end;
        if (piece.resume === null && !piece.end) continue;
        await writer.add(span, begin);
        spans += 1;
        records += span.records;
        root = piece.resume ?? root;
        begin = piece.resume;
        span = spanAt(begin);
      } finally {
        piece.release();
      }
    }
    signal.throwIfAborted();
    if (!isWhole) throw new DumpError("INTERNAL", `${name}: the pieces ended before the file did`);
    if (!sameIdentity(identity, pieces.identity()))
      throw new DumpError("SOURCE_CHANGED", `${name}: changed while it was read; run again once nothing writes to it`);
    await writer.finish({ identity, dataType, rootName: root.rootName, lineForm: root.lineForm });
  } catch (error) {
    events.built(name, null, 0);
    throw error;
  }
  events.built(name, { records, spans, bytes: (await stat(place)).size }, (performance.now() - started) / 1000);
}
