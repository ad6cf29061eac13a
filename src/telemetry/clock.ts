import { performance } from "node:perf_hooks";

/** Time as the run sees it: monotonic, and replaceable in tests. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Calls `work` once after `delayMs` (at most 2^31 - 1), without keeping the process alive; the result calls it off. */
  after(delayMs: number, work: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, work) {
    const timer = setTimeout(work, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

/** Calls `work` at each of the moments (milliseconds from now) that `momentOf` gives, until it is called off. */
export function onSchedule(clock: Clock, momentOf: (index: number) => number, work: () => void): () => void {
  const start = clock.now();
  let cancel = () => {};
  const arm = (index: number) => {
    cancel = clock.after(Math.max(0, start + momentOf(index) - clock.now()), () => {
      arm(index + 1);
      work();
    });
  };
  arm(0);
  return () => cancel();
}
