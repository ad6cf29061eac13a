/** Loaded into a timed run with `--import`: writes how much memory the native core held at most into the file that `BENCH_USAGE` names. */

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";

interface Addon {
  closeSource: (handle: number) => void;
  readonly sourceMemory: (handle: number) => number;
}

const path = process.env["BENCH_USAGE"];
if (isMainThread && path !== undefined) {
  // The very object that native/index.js takes its functions from, a moment later.
  const addon = createRequire(import.meta.url)("../../native/deadwax.node") as Addon;
  const { closeSource, sourceMemory } = addon;
  let nativePeakBytes = 0;
  addon.closeSource = (handle) => {
    nativePeakBytes = Math.max(nativePeakBytes, sourceMemory(handle));
    closeSource(handle);
  };
  process.on("exit", () => writeFileSync(path, JSON.stringify({ nativePeakBytes })));
}
