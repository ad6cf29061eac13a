import { availableParallelism } from "node:os";

/** Tests that measure a wall clock or a memory against a bound: they have the machine to themselves, once everything else is done. */
export const ALONE: readonly string[] = ["http-load", "lock-time", "look", "memory", "pool", "resume-time", "rules-speed", "signals"].map(
  (name) => `test/system/${name}.test.ts`,
);

/** One file more than there are processors: half of them wait for a server or a clock at any moment. */
export const SIDE_BY_SIDE = availableParallelism() + 1;
