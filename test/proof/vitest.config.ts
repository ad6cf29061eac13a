import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** The system tests alone, one after another: they measure what a process does with a whole machine. */
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: { include: ["test/system/**/*.test.ts"], fileParallelism: false, maxWorkers: 1 },
});
