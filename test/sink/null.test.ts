import { expect, test } from "vitest";
import { openSink } from "../../src/sink/index.ts";
import { batchFrom, NEVER, TARGET } from "./batches.ts";
import { sinkContract } from "./contract.ts";

sinkContract({
  name: "null",
  capabilities: { resumable: false, writtenTwice: "appended", visible: "never" },
  create: async () => ({
    sink: openSink("null:"),
    read: async () => null,
    [Symbol.asyncDispose]: async () => {},
  }),
});

test("counts the bodies and their bytes", async () => {
  const sink = openSink("null:");
  await using writer = await sink.open(TARGET, null, NEVER);
  const batch = batchFrom(0, 7);
  await writer.write(batch, NEVER);
  await writer.write(batchFrom(7, 1), NEVER);
  expect(await writer.sync(NEVER)).toEqual({ bodies: 8, bytes: batch.bytes.byteLength + batchFrom(7, 1).bytes.byteLength });
});
