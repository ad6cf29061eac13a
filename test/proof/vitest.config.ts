import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ALONE, SIDE_BY_SIDE } from "../support/side-by-side.ts";

/** As in test/vitest.config.ts; tests that take longer at full size say so themselves. */
const TIMES = { testTimeout: 600_000, hookTimeout: 300_000 };

/** Beside those of a process's size and time, the tests that hold a service's memory against a bound. */
const MEASURING = [...ALONE, "test/service/alarm.test.ts"];

/** The tests that start processes, at full size: side by side, and then those that measure what a process does with a whole machine. */
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    setupFiles: ["test/support/seed.ts"],
    globalSetup: ["test/services/host.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "whole",
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
          exclude: MEASURING,
          ...TIMES,
          maxWorkers: SIDE_BY_SIDE,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "alone", include: MEASURING, ...TIMES, maxWorkers: 1, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
