import { DumpError, systemCode } from "../errors.ts";

/** Says why a dump could not be looked at or opened, and what to do about it. */
export function unreadable(path: string, cause: unknown): DumpError {
  const code = systemCode(cause);
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new DumpError("SOURCE_MISSING", `${path}: there is no such file; check the path`, { cause });
    case "EACCES":
    case "EPERM":
      return new DumpError("SOURCE_UNREADABLE", `${path}: permission denied; let this user read it`, { cause });
    default: {
      const why = code ?? (cause instanceof Error ? cause.message : String(cause));
      return new DumpError("SOURCE_UNREADABLE", `${path}: cannot be read (${why})`, { cause });
    }
  }
}
