import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** The tests that start processes, one after another: they measure what a process does with a whole machine. */
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: [
      "test/change/**/*.test.ts",
      "test/system/**/*.test.ts",
      "test/service/**/*.test.ts",
      "test/sink/rabbitmq*.test.ts",
      "test/sink/postgres*.test.ts",
      "test/consume/**/*.test.ts",
      "test/parse/pool.test.ts",
      "test/table/**/*.test.ts",
    ],
    setupFiles: ["test/support/seed.ts"],
    globalSetup: ["test/services/host.ts"],
    fileParallelism: false,
    // As in test/vitest.config.ts; tests that take longer at full size say so themselves.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
  },
});
