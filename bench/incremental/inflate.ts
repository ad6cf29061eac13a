/** Bare inflate for comparison: `node inflate.js FILE` reads a gzip on one thread with the library that deadwax uses by default, CRC included, and does nothing with it. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const addon = join(dirname(createRequire(import.meta.url).resolve("deadwax")), "../native/index.js");
const { closeVerify, openVerify, verifyStep } = (await import(addon)) as typeof import("../../native/index.js");

const STEP_BYTES = 16 * 2 ** 20;
const [path = ""] = process.argv.slice(2);
const handle = openVerify({ path, backend: "zlib-ng", sha256: false, inflate: true, inflatedBytesMax: 2 ** 50, inflateRatioMax: 2 ** 20 });
let step = verifyStep(handle, STEP_BYTES);
while (!step.done && step.fault == null) step = verifyStep(handle, STEP_BYTES);
closeVerify(handle);
if (step.fault != null) throw new Error(step.fault.message);
process.stdout.write(`${step.inflatedBytes}\n`);
