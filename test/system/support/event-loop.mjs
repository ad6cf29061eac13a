// Loaded into the program with `node --import`: measures how late its event loop runs and prints that when it exits.
import { writeSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const STDERR = 2;
const NS_PER_MS = 1e6;

if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  process.on("exit", () => {
    const ms = (ns) => Number((ns / NS_PER_MS).toFixed(2));
    writeSync(
      STDERR,
      `\nevent loop ${JSON.stringify({ p50Ms: ms(delay.percentile(50)), p99Ms: ms(delay.percentile(99)), maxMs: ms(delay.max), samples: delay.count })}\n`,
    );
  });
}
