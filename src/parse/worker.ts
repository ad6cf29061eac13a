import { workerData } from "piscina";
import type { WorkerData, WorkerTask } from "./task.ts";

const { memory, slotBytes, slots, ready } = workerData as WorkerData;
// One thread loads the addon at a time: several at once were seen to abort the process.
while (Atomics.compareExchange(ready, 1, 0, 1) !== 0) Atomics.wait(ready, 1, 1, 50);
const { pullPiece, verifyStep } = await import("../../native/index.js");
Atomics.store(ready, 1, 0);
Atomics.notify(ready, 1);
const views = Array.from({ length: slots }, (_, slot) => new Uint8Array(memory, slot * slotBytes, slotBytes));

/** Runs one task to its end; native code never waits for anything but the file and the file's lock. */
export default function run(task: WorkerTask): unknown {
  if (task.kind === "verify") return verifyStep(task.handle, task.bytes);
  const view = views[task.slot];
  if (view === undefined) throw new Error(`slot ${task.slot} of ${slots}`);
  return pullPiece(task.handle, view);
}

// The last thing that happens while this file is loaded.
Atomics.add(ready, 0, 1);
Atomics.notify(ready, 0);
