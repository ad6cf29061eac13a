import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Where threads said too early that they had loaded, the process was aborted within 400 rounds, each of three times. */
const ROUNDS = 400;

test(`threads can be ended as soon as they have loaded, ${ROUNDS} times`, { timeout: 120_000 }, async () => {
  const program = fileURLToPath(new URL("end-at-once.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, String(ROUNDS)]);
  expect(stdout).toBe("ended well\n");
});
