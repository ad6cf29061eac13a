import { link, readFile, rename, writeFile } from "node:fs/promises";
import type { DiskSteps } from "../../src/state/file.ts";

/** Where a write stops: in the middle of its bytes, before the rename, or behind it. */
export type CrashPoint = { readonly at: "torn"; readonly fraction: number } | { readonly at: "unrenamed" | "unsynced" };

/** A disk on which the process can die in the next write, and which forgets nothing. */
export class CrashingDisk implements DiskSteps {
  crash: CrashPoint | null = null;
  #left: { path: string; text: string } | null = null;

  async writeSynced(path: string, text: string): Promise<void> {
    if (this.crash?.at === "torn") {
      this.#left = { path, text: text.slice(0, Math.floor(text.length * this.crash.fraction)) };
      throw new Error("crash");
    }
    await writeFile(path, text);
  }

  async rename(from: string, to: string): Promise<void> {
    if (this.crash?.at === "unrenamed") {
      this.#left = { path: from, text: await readFile(from, "utf8") };
      throw new Error("crash");
    }
    await rename(from, to);
  }

  async duplicate(from: string, to: string): Promise<void> {
    await link(from, to);
  }

  async syncFolder(): Promise<void> {
    if (this.crash?.at === "unsynced") throw new Error("crash");
  }

  /** What a dead process leaves behind, since it cannot tidy up as a failed write does. */
  async restart(): Promise<void> {
    if (this.#left !== null) await writeFile(this.#left.path, this.#left.text);
    this.#left = null;
    this.crash = null;
  }
}
