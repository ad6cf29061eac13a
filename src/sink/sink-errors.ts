import { DumpError, systemCode } from "../errors.ts";

/** The reader of the output has gone, as `head` does once it has enough: a reason to stop quietly, not a fault. */
export class BrokenPipeError extends DumpError {}

/** The destination does not hold what a resume position promises: the caller starts the target afresh. */
export class PositionLostError extends DumpError {}

/** Whether the error means that the reader of the output has gone. */
export function isBrokenPipe(error: unknown): error is BrokenPipeError {
  return error instanceof BrokenPipeError;
}

/** Whether the error means that the target has to be started afresh: open it again with `null`. */
export function isPositionLost(error: unknown): error is PositionLostError {
  return error instanceof PositionLostError;
}

/** The operating system's code, or undefined for anything it did not raise (an abort, a defect, our own errors). */
export function osCode(error: unknown): string | undefined {
  const code = error instanceof DumpError ? undefined : systemCode(error);
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
