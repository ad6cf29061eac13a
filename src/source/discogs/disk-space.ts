import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { DumpError, systemCode } from "../../errors.ts";

const ADVICE = "free some space there, keep fewer old versions, or choose another root";

/** Makes sure that `neededBytes` fit on the disk of `path` and `reserveBytes` stay free besides. */
export async function ensureSpace(path: string, neededBytes: number, reserveBytes: number): Promise<void> {
  const folder = dirname(path);
  const { bavail, bsize } = await statfs(folder).catch((error: unknown) => {
    throw diskFault(folder, error);
  });
  const free = bavail * bsize;
  if (free >= neededBytes + reserveBytes) return;
  throw new DumpError(
    "SOURCE_DISK_FULL",
    `${path}: needs ${megabytes(neededBytes)} and ${megabytes(reserveBytes)} in reserve, but only ${megabytes(free)} are free; ${ADVICE}`,
  );
}

/** Turns what a file operation on a download threw into a {@link DumpError}; anything else comes back as it is. */
export function diskFault(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof DumpError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new DumpError("SOURCE_DISK_FULL", `${path}: no space left (${code}); ${ADVICE}`, { cause: error });
    case "EFBIG":
      return new DumpError("SOURCE_DISK_FULL", `${path}: larger than the file system or a limit (ulimit -f) allows; raise it or choose another root`, {
        cause: error,
      });
    case "ELOOP":
      return new DumpError("SOURCE_UNWRITABLE", `${path}: is a symbolic link, which downloads do not follow; remove it`, { cause: error });
    default:
      return new DumpError("SOURCE_UNWRITABLE", `${path}: cannot be written (${code}); make its folder writable for this user`, { cause: error });
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
