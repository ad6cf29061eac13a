import type { Fault } from "../../native/index.js";
import { DumpError, ERROR_CODES, type ErrorCode } from "../errors.ts";

/** A fatal fault of a file as an error that names the file. */
export function toDumpError(name: string, fault: Fault): DumpError {
  const code = fault.code in ERROR_CODES ? (fault.code as ErrorCode) : "INTERNAL";
  const at = fault.offset > 0 ? ` (byte ${fault.offset} of the XML)` : "";
  return new DumpError(code, `${name}: ${fault.message}${at}`);
}

/** What opening a file natively has thrown: a fault as JSON, since errors keep only their message on the way. */
export function openingError(name: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  try {
    return toDumpError(name, JSON.parse(error.message) as Fault);
  } catch {
    return error;
  }
}
