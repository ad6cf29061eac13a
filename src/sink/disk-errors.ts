import { DumpError, type ErrorCode } from "../errors.ts";
import { osCode } from "./sink-errors.ts";

interface Explanation {
  readonly code: Extract<ErrorCode, "SINK_FULL" | "SINK_UNAVAILABLE">;
  /** What is wrong and what to do, to follow the name of the file. */
  readonly text: string;
}

const RESUMES = "then start again: the run resumes";

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ENOSPC: { code: "SINK_FULL", text: `no space left; free some space or choose another --sink, ${RESUMES}` },
  EDQUOT: { code: "SINK_FULL", text: `the disk quota is used up; free some space or choose another --sink, ${RESUMES}` },
  EFBIG: {
    code: "SINK_FULL",
    text: "larger than the file system or a limit (ulimit -f) allows; raise the limit or choose another --sink",
  },
  EACCES: {
    code: "SINK_UNAVAILABLE",
    text: "permission denied; make its folder writable for this user or choose another --sink",
  },
  EPERM: {
    code: "SINK_UNAVAILABLE",
    text: "not permitted; make it and its folder writable for this user or choose another --sink",
  },
  EROFS: { code: "SINK_UNAVAILABLE", text: "the file system is read-only; choose another --sink" },
  ENOENT: { code: "SINK_UNAVAILABLE", text: `its folder is missing or was removed; create the folder, ${RESUMES}` },
  ENOTDIR: {
    code: "SINK_UNAVAILABLE",
    text: "a part of its path is a file, not a folder; move that file away or choose another --sink",
  },
  EEXIST: { code: "SINK_UNAVAILABLE", text: "exists, but is not a folder; move it away or choose another --sink" },
  EISDIR: { code: "SINK_UNAVAILABLE", text: "is a folder; move it away or choose another --sink" },
  ENAMETOOLONG: { code: "SINK_UNAVAILABLE", text: "the name is too long; choose another --sink" },
  ELOOP: { code: "SINK_UNAVAILABLE", text: "its path has a loop of symbolic links; choose another --sink" },
  EIO: { code: "SINK_UNAVAILABLE", text: `the device reports an input/output error; check the disk, ${RESUMES}` },
  EMFILE: { code: "SINK_UNAVAILABLE", text: `too many open files; raise the limit (ulimit -n), ${RESUMES}` },
  ENFILE: { code: "SINK_UNAVAILABLE", text: `too many open files on this machine; close some, ${RESUMES}` },
};

/** Turns what a file operation threw into a {@link DumpError} naming the file; an abort or a defect comes back as it is. */
export function diskError(path: string, error: unknown): unknown {
  const systemCode = osCode(error);
  if (systemCode === undefined) return error;
  const { code, text } = EXPLANATIONS[systemCode] ?? {
    code: "SINK_UNAVAILABLE",
    text: `cannot be written (${systemCode}); check the disk or choose another --sink`,
  };
  return new DumpError(code, `${path}: ${text}`, { cause: error });
}
