import { DumpError } from "../../errors.ts";
import { withAttempts } from "./attempts.ts";
import { readBody } from "./body.ts";
import { type Answer, discard, type SiteClient } from "./client.ts";
import { ensureSpace } from "./disk-space.ts";
import { describeUrl, RangeRefused, TransientFault } from "./faults.ts";
import type { ListedFile } from "./listing.ts";
import type { SiteEnvironment, SiteEvents, SiteOptions } from "./options.ts";
import { PartFile, type PartOf } from "./part-file.ts";
import { pathOf } from "./published-name.ts";
import { checkRest, contentLength, rangeHeaders, readPartOf } from "./resume.ts";

const GZIP_MAGIC = [0x1f, 0x8b] as const;

/** One dump to be fetched. */
export interface DownloadJob {
  readonly file: ListedFile;
  readonly url: URL;
  readonly root: string;
  /** The published SHA-256 in lower-case hex; null: none is known, so that nothing is verified, and nothing resumed either. */
  readonly sha256: string | null;
}

/** A dump that lies in the root now. */
export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  /** Of the bytes as they were written. */
  readonly sha256: string;
}

/** What a download works with. */
export interface DownloadContext {
  readonly client: SiteClient;
  readonly options: SiteOptions;
  readonly events: SiteEvents;
  readonly environment: SiteEnvironment;
}

/** Where a body begins. */
interface Beginning {
  /** Bytes of the file that are there already. */
  readonly before: number;
  /** Bytes of the whole file, if the site says so. */
  readonly size: number | null;
}

/** Fetches a dump into `.<name>.part` and gives it its name once it is whole, durable, and what was published. */
export async function download(job: DownloadJob, context: DownloadContext, signal: AbortSignal): Promise<Downloaded> {
  const { options, environment, events } = context;
  return withAttempts(job.file.name, { retryWaitsMs: options.retryWaitsMs, environment, events }, signal, () => attempt(job, context, signal));
}

async function attempt(job: DownloadJob, context: DownloadContext, signal: AbortSignal): Promise<Downloaded> {
  const { file, sha256, root } = job;
  const path = pathOf(root, file.name);
  const started = context.environment.now();
  await using part = await PartFile.open(path);
  let first = 0;
  try {
    first = await fill(part, job, context, signal);
  } catch (error) {
    // A full disk needs the space for what matters more than a part of a download.
    if (error instanceof DumpError && error.code === "SOURCE_DISK_FULL") await part.discard();
    throw error;
  }
  const actual = part.digest();
  if (sha256 !== null && actual !== sha256) {
    await part.discard();
    const what = `${file.name}: the SHA-256 of what was downloaded is ${actual}, ${sha256} is published`;
    // What lay there may have been of other bytes, which a download from the beginning mends.
    if (first > 0) throw new TransientFault(what);
    throw new DumpError("SOURCE_CORRUPT", `${what}; it was removed; try again later, and tell Discogs if it stays so`);
  }
  await part.publish();
  const seconds = (context.environment.now() - started) / 1000;
  context.events.downloadFinished(file.name, part.bytes, part.bytes - first, seconds);
  return { path, bytes: part.bytes, sha256: actual };
}

/** Brings the part to its full size; returns how many bytes of it were there before. */
async function fill(part: PartFile, job: DownloadJob, context: DownloadContext, signal: AbortSignal): Promise<number> {
  const { events } = context;
  const { name } = job.file;
  // What cannot be verified in the end is not put together from parts.
  const of = job.sha256 !== null && part.of?.url === job.url.href ? part.of : null;
  if (of !== null && of.size === part.bytes) {
    await part.hashAgain(signal);
    events.downloadResumed(name, part.bytes, of.size);
    return part.bytes;
  }
  const asked = of === null ? null : rangeHeaders(part.bytes, of);
  const answer = await context.client.get(job.url, asked ?? {}, signal).catch(async (error: unknown) => {
    if (error instanceof RangeRefused) await part.discard(); // or every later run would be refused the same
    throw error;
  });
  try {
    const { before, size } = await begin(part, asked === null ? null : of, answer, job, context, signal);
    await receive(part, size, answer, job, context, signal);
    return before;
  } finally {
    discard(answer);
  }
}

/** Readies the part for the body of an answer, and makes sure that it will fit. `of`: of what the rest was asked for, null if all was. */
async function begin(part: PartFile, of: PartOf | null, answer: Answer, job: DownloadJob, context: DownloadContext, signal: AbortSignal): Promise<Beginning> {
  const { events, options } = context;
  const { name } = job.file;
  if (answer.status === 206) {
    if (of === null) throw new TransientFault(`${describeUrl(answer.url)}: answers with a part, although all of it was asked for`);
    const size = await orDiscard(part, () => {
      const whole = checkRest(answer, part.bytes, of);
      ensureDump(whole, answer, options);
      return whole;
    });
    await part.hashAgain(signal); // not before the answer, which most often begins anew
    const before = part.bytes;
    await ensureSpace(part.path, size - before, options.diskReserveBytes);
    events.downloadResumed(name, before, size);
    return { before, size };
  }
  // Compressed on the way, a page looks like a dump.
  const isPage = /^text\/html/i.test(answer.header("content-type") ?? "");
  if (isPage && (answer.header("content-encoding") ?? "identity") !== "identity") throw notGzip(answer);
  const size = contentLength(answer);
  await orDiscard(part, () => ensureDump(size ?? 0, answer, options));
  await part.restart(readPartOf(answer, job.url.href, size));
  await ensureSpace(part.path, size ?? 0, options.diskReserveBytes);
  events.downloadStarted(name, size);
  return { before: 0, size };
}

async function receive(
  part: PartFile,
  size: number | null,
  answer: Answer,
  { file: { name } }: DownloadJob,
  { events, options, environment }: DownloadContext,
  signal: AbortSignal,
): Promise<void> {
  const where = describeUrl(answer.url);
  let roomUntil = part.bytes + options.spaceCheckBytes; // it was looked for before the body
  for await (const chunk of readBody(answer, options, environment, signal)) {
    await orDiscard(part, () => {
      if (!startsAsGzip(chunk, part.bytes)) throw notGzip(answer);
      if (size !== null && part.bytes + chunk.byteLength > size) throw new TransientFault(`${where}: sends more than the ${size} bytes that it announced`);
      ensureDump(part.bytes + chunk.byteLength, answer, options);
    });
    if (part.bytes + chunk.byteLength > roomUntil) {
      await ensureSpace(part.path, size === null ? chunk.byteLength : size - part.bytes, options.diskReserveBytes);
      roomUntil = part.bytes + chunk.byteLength + options.spaceCheckBytes;
    }
    await part.append(chunk);
    events.downloadProgressed(name, part.bytes, size);
  }
  if (size !== null && part.bytes !== size) throw new TransientFault(`${where}: ends after ${part.bytes} of ${size} bytes`);
  await orDiscard(part, () => {
    if (part.bytes < GZIP_MAGIC.length) throw notGzip(answer);
  });
}

/** Nothing is received without end: what is larger than any dump is not one. */
function ensureDump(bytes: number, answer: Answer, { dumpBytesMax }: SiteOptions): void {
  if (bytes <= dumpBytesMax) return;
  const advice = "look at it in a browser, and tell Discogs if it is a dump";
  throw new DumpError("SOURCE_UNAVAILABLE", `${describeUrl(answer.url)}: is larger than the ${dumpBytesMax} bytes that a dump may have; ${advice}`);
}

/** What is wrong with the bytes themselves is not mended by going on behind them. */
async function orDiscard<T>(part: PartFile, check: () => T): Promise<T> {
  try {
    return check();
  } catch (error) {
    await part.discard();
    throw error;
  }
}

/** Looks at those of a chunk's bytes that are among the first two of the file. */
function startsAsGzip(chunk: Uint8Array, offset: number): boolean {
  return GZIP_MAGIC.slice(offset).every((byte, index) => index >= chunk.byteLength || chunk[index] === byte);
}

function notGzip(answer: Answer): TransientFault {
  const type = answer.header("content-type") ?? "";
  return new TransientFault(`${describeUrl(answer.url)}: answers with something else than a gzip file${type === "" ? "" : ` (${type.slice(0, 60)})`}`);
}
