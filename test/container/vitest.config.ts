import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const MINUTE_MS = 60_000;

// Started by image.sh, which builds the image and says where it lies.
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: ["test/container/*.case.ts"],
    pool: "forks",
    allowOnly: false,
    passWithNoTests: false,
    fileParallelism: false,
    testTimeout: 5 * MINUTE_MS,
    hookTimeout: 5 * MINUTE_MS,
  },
});
