import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const MINUTE_MS = 60_000;
const SEED_MAX = 2 ** 31;

/** Tests that fill the machine or measure it: they run one file after the other, once everything else is done. */
const HEAVY = ["change", "corpus", "system", "service", "generate", "tools"].map((folder) => `test/${folder}/**/*.test.ts`);

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
          exclude: HEAVY,
          testTimeout: 2 * MINUTE_MS,
          hookTimeout: MINUTE_MS,
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "whole",
          include: HEAVY,
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
