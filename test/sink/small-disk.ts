import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type TemporaryFolder, temporaryFolder } from "./temporary-folder.ts";

const run = promisify(execFile);

/** A file system of its own in a temporary folder. */
export interface SmallDisk extends TemporaryFolder {
  /** Mounts it again, with other options. */
  remount(options: string): Promise<void>;
}

/**
 * Mounts a tmpfs of some bytes, or gives null where this user may not mount: the test is then to be skipped. In CI that
 * is a failure, so that a promise about full disks cannot go untested without anyone noticing.
 */
export async function smallDisk(sizeBytes: number): Promise<SmallDisk | null> {
  const folder = await temporaryFolder();
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", folder.path]);
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    if (process.env.CI) throw new Error("a tmpfs has to be mounted for this test: run it as root", { cause: error });
    console.warn(`NOT TESTED, since this user cannot mount a tmpfs: ${String(error)}`);
    return null;
  }
  return {
    path: folder.path,
    async remount(options) {
      await run("mount", ["-o", `remount,${options}`, folder.path]);
    },
    async [Symbol.asyncDispose]() {
      await run("umount", [folder.path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}
