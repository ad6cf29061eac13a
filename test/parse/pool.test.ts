import { execFile } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ParsePool } from "../../dist/parse/pool.js";
import { dumpPath, makeDump, temporaryFolder } from "../system/support/dumps.ts";
import { cases } from "../system/support/scale.ts";

/** Where threads said too early that they had loaded, the process was aborted within 400 rounds, each of three times. */
const ROUNDS = cases(150, 400);

test(`threads can be ended as soon as they have loaded, ${ROUNDS} times`, { timeout: 120_000 }, async () => {
  const program = fileURLToPath(new URL("end-at-once.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, String(ROUNDS)]);
  expect(stdout).toBe("ended well\n");
});

test("whoever works on the last piece of a file may read it once more", { timeout: 20_000 }, async () => {
  await using folder = await temporaryFolder();
  await makeDump(folder.path, { labels: 500 });
  await using pool = new ParsePool({ threads: 1, chunkBytes: 2 ** 14 });
  const read = async (isFirst: boolean): Promise<number> => {
    let records = 0;
    await using pieces = pool.pull("labels", { ...REQUEST, path: dumpPath(folder.path, "labels"), dataType: "labels" });
    for await (const piece of pieces) {
      records += piece.records;
      if (piece.end && isFirst) {
        await setTimeout(20); // what is being pulled behind the end comes, too
        records += await read(false);
      }
      piece.release();
    }
    return records;
  };
  for (let round = 0; round < ROUNDS_READ; round += 1) expect(await read(true)).toBe(1000);
});

/** Nearly every round hung while pieces behind the end kept their slots. */
const ROUNDS_READ = 10;
const REQUEST = {
  contract: "topic",
  backend: "zlib-ng",
  checkpointRecords: 0,
  checkpointMs: 0,
  recordBytesMax: 2 ** 26,
  depthMax: 64,
  attributesMax: 256,
  nameBytesMax: 1024,
  inflatedBytesMax: 2 ** 40,
  inflateRatioMax: 200,
  rejectRawBytesMax: 4096,
  resume: null,
} as const;
