// Starts worker threads and ends them in the very moment in which they say that they have loaded, argv[2] times.
import piscina from "piscina";

const worker = new URL("../../dist/parse/worker.js", import.meta.url).href;
const SLOT_BYTES = 64;

for (let round = 0; round < Number(process.argv[2]); round += 1) {
  const ready = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const workerData = { memory: new SharedArrayBuffer(SLOT_BYTES), slotBytes: SLOT_BYTES, slots: 1, ready };
  const pool = new piscina.Piscina({ filename: worker, workerData, minThreads: 2, maxThreads: 2, atomics: "disabled" });
  while (Atomics.load(ready, 0) < 2) await new Promise((resolve) => setImmediate(resolve));
  await pool.destroy();
}
console.log("ended well");
