import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ALONE, SIDE_BY_SIDE } from "./support/side-by-side.ts";

const MINUTE_MS = 60_000;
const SEED_MAX = 2 ** 31;

/** Tests that start programs or go through megabytes, and so may take their time. */
const LONG = ["change", "corpus", "system", "service", "generate", "tools"].map((folder) => `test/${folder}/**/*.test.ts`);

// All tests that draw share one fresh seed. (Vitest evaluates this file more than once.)
if (process.env["DEADWAX_SEED"] === undefined) {
  process.env["DEADWAX_SEED"] = String(Date.now() % SEED_MAX);
  process.stdout.write(`repeat with DEADWAX_SEED=${process.env["DEADWAX_SEED"]}\n`);
}

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    pool: "forks",
    setupFiles: ["test/support/seed.ts"],
    globalSetup: ["test/services/host.ts"],
    allowOnly: false,
    passWithNoTests: false,
    projects: [
      {
        extends: true,
        test: {
          name: "parts",
          include: ["test/**/*.test.ts"],
          exclude: LONG,
          testTimeout: 2 * MINUTE_MS,
          hookTimeout: MINUTE_MS,
          maxWorkers: SIDE_BY_SIDE,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "whole",
          include: LONG,
          exclude: [...ALONE],
          testTimeout: 10 * MINUTE_MS,
          hookTimeout: 5 * MINUTE_MS,
          maxWorkers: SIDE_BY_SIDE,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: [...ALONE],
          testTimeout: 10 * MINUTE_MS,
          hookTimeout: 5 * MINUTE_MS,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
    },
  },
});
