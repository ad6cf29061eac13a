/** One writer per root, by a lock that the kernel releases with the process however it ends. */
import { mkdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { lockFile, unlockFile } from "../../native/index.js";
import { DumpError } from "../errors.ts";
import { unusable } from "./file.ts";
import { oneLine } from "./one-line.ts";

/** Name of the lock file in the root; it stays there, only the lock on it means something. */
export const LOCK_NAME = ".deadwax.lock";
/** Most characters of the holder's text that are shown. */
const HOLDER_CHARS_MAX = 200;

/** Takes the lock of `root`, creating the folder if need be; disposing releases it. */
export async function lockRoot(root: string): Promise<AsyncDisposable> {
  const path = join(root, LOCK_NAME);
  const holder = `pid ${process.pid} on ${hostname()} since ${new Date().toISOString()}\n`;
  let handle: number | null;
  try {
    await mkdir(root, { recursive: true });
    handle = lockFile(path, holder);
  } catch (error) {
    throw unusable(path, "cannot be locked", named(error));
  }
  if (handle === null) {
    throw new DumpError(
      "STATE_LOCKED",
      `state folder ${root} is in use by ${await holderOf(path)}: wait until that run ends, or keep state elsewhere with --state`,
    );
  }
  return released(handle);
}

/** The addon's errors carry the system's code at the start of their message, since they carry nothing else. */
function named(error: unknown): unknown {
  const code = error instanceof Error ? /^E[A-Z]+(?=:)/.exec(error.message)?.[0] : undefined;
  return code === undefined ? error : Object.assign(new Error((error as Error).message, { cause: error }), { code });
}

function released(handle: number): AsyncDisposable {
  let held = true;
  return {
    async [Symbol.asyncDispose]() {
      if (!held) return;
      held = false;
      unlockFile(handle);
    },
  };
}

async function holderOf(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => ""); // it may be between taking the lock and writing who it is
  return oneLine(text, HOLDER_CHARS_MAX) || "another process";
}
