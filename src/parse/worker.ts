import { workerData } from "piscina";
import { pullPiece, verifyStep } from "../../native/index.js";
import type { WorkerData, WorkerTask } from "./task.ts";

const { memory, slotBytes, slots, ready } = workerData as WorkerData;
const views = Array.from({ length: slots }, (_, slot) => new Uint8Array(memory, slot * slotBytes, slotBytes));

/** Runs one task to its end; native code never waits for anything but the file and the file's lock. */
export default function run(task: WorkerTask): unknown {
  if (task.kind === "verify") return verifyStep(task.handle, task.bytes);
  const view = views[task.slot];
  if (view === undefined) throw new Error(`slot ${task.slot} of ${slots}`);
  return pullPiece(task.handle, view);
}

// Only once the event loop turns is this file loaded: Node (20.20 at least) aborts the process with the assertion
// CreateRequiredModuleFacade if a thread is ended between the last line of a required ES module and the return of `require`.
setImmediate(() => {
  Atomics.add(ready, 0, 1);
  Atomics.notify(ready, 0);
});
