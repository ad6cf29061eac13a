/**
 * Writes bodies to a sink: `writer.mjs URL BATCHES BODIES_PER_BATCH`. With a resumable sink it syncs after every batch
 * and reports each position as a line of JSON on stderr; otherwise it says how it ended: `done`, `broken pipe`, or the
 * error's code and message. SIGTERM aborts what is under way.
 */
import { createHash } from "node:crypto";
import { openSink } from "../../../dist/sink/index.js";
import { isBrokenPipe } from "../../../dist/sink/sink-errors.js";

const [url = "-", batches = "1", perBatch = "1"] = process.argv.slice(2);
const target = { version: "20260801", dataType: "artists", contract: "topic", stream: "records" };
const stopping = new AbortController();
process.on("SIGTERM", () => stopping.abort(new Error("stopped")));

/** As `bodyOf` of test/sink/batches.ts, which reads it back. */
function bodyOf(ordinal) {
  const text = `Ünïcödé ${(ordinal * 2654435761) % 2 ** 32} ${"x".repeat(40)}`;
  const sha256 = createHash("sha256").update(String(ordinal)).digest("hex");
  return JSON.stringify({ type: "data", id: String(ordinal), sha256, text });
}

function batchFrom(firstOrdinal, count) {
  const bodies = Array.from({ length: count }, (_, index) => Buffer.from(`${bodyOf(firstOrdinal + index)}\n`));
  const text = Buffer.concat(bodies);
  const bytes = new Uint8Array(new SharedArrayBuffer(text.length));
  bytes.set(text);
  let end = 0;
  const ends = Uint32Array.from(bodies, (body) => {
    end += body.length;
    return end - 1;
  });
  return { ...target, firstOrdinal, bytes, ends, rejects: [] };
}

try {
  const sink = openSink(url);
  await sink.check(stopping.signal);
  await using(await sink.open(target, null, stopping.signal), async (writer) => {
    let ordinal = 0;
    for (let batch = 0; batch < Number(batches); batch += 1) {
      if (batch === 1) process.stderr.write(sink.resumable ? "" : "writing\n");
      await writer.write(batchFrom(ordinal, Number(perBatch)), stopping.signal);
      ordinal += Number(perBatch);
      if (!sink.resumable) continue;
      const position = await writer.sync(stopping.signal);
      process.stderr.write(`${JSON.stringify({ position, ordinal })}\n`);
    }
    await writer.finish({ file: "program", records: 0, complete: true }, stopping.signal);
  });
  process.stderr.write("done\n");
} catch (error) {
  process.stderr.write(isBrokenPipe(error) ? "broken pipe\n" : `${error.code ?? ""} ${error.message}\n`);
}
process.exit(0);

/** `await using`, which Node 20 does not know yet. */
async function using(resource, use) {
  try {
    await use(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}
