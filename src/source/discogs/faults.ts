import { DumpError, systemCode } from "../../errors.ts";

/** A request that came to nothing, but may succeed when it is made again. Never leaves this folder. */
export class TransientFault extends Error {
  override readonly name: string = "TransientFault";
}

/** A server that does not want to give a part; asked for all of it, it may. */
export class RangeRefused extends TransientFault {}

const REASONS: Readonly<Record<string, string>> = {
  EAI_AGAIN: "its name cannot be resolved for now",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no network",
  ENOTFOUND: "its name is not known",
  EPIPE: "the connection was closed",
  ETIMEDOUT: "the connection timed out",
  UND_ERR_BODY_TIMEOUT: "it stopped sending",
  UND_ERR_CONNECT_TIMEOUT: "the connection timed out",
  UND_ERR_HEADERS_OVERFLOW: "its headers are too large",
  UND_ERR_HEADERS_TIMEOUT: "it did not answer",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the body is not as long as announced",
  UND_ERR_SOCKET: "the connection was closed early",
};
const REASON_CHARS_MAX = 200;

/** Turns what the HTTP client threw into a fault that can be tried again; what is decided already, or an abort, comes back as it is. */
export function networkFault(error: unknown, url: URL, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof DumpError || error instanceof TransientFault) return error;
  if (!(error instanceof Error)) return error;
  return new TransientFault(`${describeUrl(url)}: ${reasonOf(error)}`, { cause: error });
}

/** A URL as messages show it: without a query that may be signed, unless it is one of the site's own two. */
export function describeUrl(url: URL): string {
  return `${url.origin}${url.pathname}${/^\?(download|prefix)=[\w%.-]*$/.test(url.search) ? url.search : ""}`;
}

function reasonOf(error: Error): string {
  const inner = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  const code = systemCode(inner) ?? systemCode(error) ?? "";
  const text = `${inner.message}${code === "" ? "" : ` (${code})`}`.replace(/\s+/g, " ");
  return REASONS[code] ?? text.slice(0, REASON_CHARS_MAX);
}
