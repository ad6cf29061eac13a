/** Whether an interrupted download may go on where it was, and whether the server's answer lets it. */
import type { Answer } from "./client.ts";
import { describeUrl, TransientFault } from "./faults.ts";
import type { PartOf } from "./part-file.ts";
import { readHttpDate } from "./retry-after.ts";

const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/;
const LENGTH = /^\d{1,15}$/;
/** A `Last-Modified` tells two contents apart only if it is this much older than the answer: within a second there may have been both. */
const DATE_IS_STRONG_AFTER_MS = 1_000;

/** What an answer says of the file that it holds, whole (200) or in part (206). */
export function readPartOf(answer: Answer, url: string, size: number | null): PartOf {
  const etag = answer.header("etag")?.trim() ?? "";
  const lastModified = answer.header("last-modified")?.trim() ?? "";
  return { url, etag: /^"[^"]*"$/.test(etag) ? etag : null, lastModified: isStrongDate(answer, lastModified) ? lastModified : null, size };
}

/** The headers that ask for the rest of a file if it still is the same, or null if that could not be told. */
export function rangeHeaders(bytes: number, of: PartOf): Readonly<Record<string, string>> | null {
  const validator = of.etag ?? of.lastModified;
  if (validator === null || bytes === 0 || (of.size !== null && bytes >= of.size)) return null;
  return { range: `bytes=${bytes}-`, "if-range": validator };
}

/**
 * The size of the whole file where a 206 holds exactly the rest that was asked for; anything else is a fault, after which the
 * download starts from its beginning.
 */
export function checkRest(answer: Answer, bytes: number, of: PartOf): number {
  const where = describeUrl(answer.url);
  const range = answer.header("content-range") ?? "";
  const [, start, end, total] = (CONTENT_RANGE.exec(range.trim()) ?? []).map(Number);
  if (start !== bytes || end === undefined || total === undefined || end + 1 !== total || (of.size !== null && total !== of.size)) {
    throw new TransientFault(`${where}: was asked for the bytes from ${bytes} of ${of.size ?? "all"} and answers with ${range.slice(0, 60) || "no range"}`);
  }
  const length = contentLength(answer);
  if (length !== null && length !== total - bytes) {
    throw new TransientFault(`${where}: announces ${length} bytes for the range ${range}`);
  }
  const now = readPartOf(answer, of.url, total);
  const etag = answer.header("etag");
  if (etag !== undefined && of.etag !== null && now.etag !== of.etag) throw new TransientFault(`${where}: changed since its first part was downloaded`);
  if (of.etag === null && now.lastModified !== null && now.lastModified !== of.lastModified) {
    throw new TransientFault(`${where}: changed since its first part was downloaded`);
  }
  return total;
}

/** Bytes that an answer announces, or null. */
export function contentLength(answer: Answer): number | null {
  const length = answer.header("content-length")?.trim() ?? "";
  return LENGTH.test(length) ? Number(length) : null;
}

function isStrongDate(answer: Answer, lastModified: string): boolean {
  const modified = readHttpDate(lastModified);
  const answered = readHttpDate(answer.header("date") ?? "");
  return modified !== null && answered !== null && answered - modified >= DATE_IS_STRONG_AFTER_MS;
}
