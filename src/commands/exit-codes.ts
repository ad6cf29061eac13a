import { constants } from "node:os";

/** What the process ends with; {@link ERROR_CODES} gives the code of each expected failure. */
export const EXIT_CODES = {
  done: { exit: 0, meaning: "done" },
  failed: { exit: 1, meaning: "failed unexpectedly, or broken off by a second signal or the drain timeout" },
  usage: { exit: 2, meaning: "an option, variable or argument is not usable" },
  rejected: { exit: 3, meaning: "done, with rejected records" },
  source: { exit: 4, meaning: "the dump is missing, unreadable, damaged or not what it should be" },
  sink: { exit: 5, meaning: "the destination cannot be written" },
  state: { exit: 6, meaning: "the state is locked, too new or cannot be written" },
  held: { exit: 7, meaning: "done, but deletions are held back: look at them, then run again with --allow-deletes" },
  missing: { exit: 8, meaning: "a record that is asked for is not in the dump, or has no message" },
  SIGINT: { exit: 128 + constants.signals.SIGINT, meaning: "stopped by SIGINT after a clean checkpoint" },
  SIGTERM: { exit: 128 + constants.signals.SIGTERM, meaning: "stopped by SIGTERM after a clean checkpoint" },
} as const;
