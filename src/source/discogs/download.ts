import { DumpError } from "../../errors.ts";
import { withAttempts } from "./attempts.ts";
import { readBody } from "./body.ts";
import { type Answer, discard, type SiteClient } from "./client.ts";
import { ensureSpace } from "./disk-space.ts";
import { describeUrl, TransientFault } from "./faults.ts";
import type { ListedFile } from "./listing.ts";
import type { SiteEnvironment, SiteEvents, SiteOptions } from "./options.ts";
import { PartFile } from "./part-file.ts";
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
  const { of } = part;
  const canResume = job.sha256 !== null && of !== null && of.url === job.url.href;
  if (canResume && of.size === part.bytes) {
    await part.hashAgain(signal);
    events.downloadResumed(name, part.bytes, of.size);
    return part.bytes;
  }
  const asked = canResume ? rangeHeaders(part.bytes, of, job.url.href) : null;
  const answer = await context.client.get(job.url, asked ?? {}, signal);
  try {
    const before = await begin(part, asked !== null, answer, job, context, signal);
    await receive(part, answer, job, context, signal);
    return before;
  } finally {
    discard(answer);
  }
}

/** Readies the part for the body of an answer, and makes sure that it will fit; returns how many bytes stay. */
async function begin(part: PartFile, asked: boolean, answer: Answer, job: DownloadJob, context: DownloadContext, signal: AbortSignal): Promise<number> {
  const { events, options } = context;
  const { name } = job.file;
  if (answer.status === 206) {
    if (!asked || part.of === null) throw new TransientFault(`${describeUrl(answer.url)}: answers with a part, although all of it was asked for`);
    try {
      checkRest(answer, part.bytes, part.of);
    } catch (error) {
      await part.discard();
      throw error;
    }
    const before = part.bytes;
    await part.hashAgain(signal);
    await ensureSpace(part.path, (part.of.size ?? before) - before, options.diskReserveBytes);
    events.downloadResumed(name, before, part.of.size);
    return before;
  }
  const type = answer.header("content-type") ?? "";
  const encoding = answer.header("content-encoding") ?? "identity";
  // Compressed on the way, a page looks like a dump.
  if (/^text\/html/i.test(type) && encoding !== "identity") throw notGzip(answer);
  const size = contentLength(answer);
  await part.restart(readPartOf(answer, job.url.href, size));
  await ensureSpace(part.path, size ?? 0, options.diskReserveBytes);
  events.downloadStarted(name, size);
  return 0;
}

async function receive(part: PartFile, answer: Answer, job: DownloadJob, context: DownloadContext, signal: AbortSignal): Promise<void> {
  const { events, options, environment } = context;
  const { name } = job.file;
  const size = part.of?.size ?? null;
  for await (const chunk of readBody(answer, options, environment, signal)) {
    if (!startsAsGzip(chunk, part.bytes)) {
      await part.discard();
      throw notGzip(answer);
    }
    if (size !== null && part.bytes + chunk.byteLength > size) {
      await part.discard();
      throw new TransientFault(`${describeUrl(answer.url)}: sends more than the ${size} bytes that it announced`);
    }
    await part.append(chunk);
    events.downloadProgressed(name, part.bytes, size);
  }
  if (size !== null && part.bytes !== size) throw new TransientFault(`${describeUrl(answer.url)}: ends after ${part.bytes} of ${size} bytes`);
  if (part.bytes < GZIP_MAGIC.length) {
    await part.discard();
    throw notGzip(answer);
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
