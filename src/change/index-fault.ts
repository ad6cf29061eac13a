import type { Fault } from "../../native/index.js";
import { DumpError } from "../errors.ts";

/** Calls the core about indexes and ledgers: what it throws, or rejects with, becomes a {@link DumpError} with its code. */
export function indexFault<T>(call: () => T): T {
  try {
    const result = call();
    return result instanceof Promise ? (result.catch(rethrow) as T) : result;
  } catch (error) {
    return rethrow(error);
  }
}

function rethrow(error: unknown): never {
  if (!(error instanceof Error)) throw error;
  const fault = faultOf(error.message);
  if (fault === null) throw error;
  const advice = fault.code === "INDEX_UNWRITABLE" ? "; look at the folder and its disk, then run again" : "";
  throw new DumpError(fault.code, `${fault.message}${advice}`, { cause: error });
}

/** The core's faults come as JSON. */
function faultOf(message: string): Fault | null {
  try {
    const fault: unknown = JSON.parse(message);
    return typeof fault === "object" && fault !== null && "code" in fault ? (fault as Fault) : null;
  } catch {
    return null;
  }
}
