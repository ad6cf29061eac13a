const TICKS = 10;
const TICK_MS_MIN = 10;
const TICK_MS_MAX = 1000;

/** Measures for how long nothing was heard although something was due, and tells once it was too long. */
export class SilenceClock implements Disposable {
  readonly #limitMs: number;
  readonly #timer: NodeJS.Timeout;
  #silentMs = 0;
  #last = performance.now();

  /** `runs` says whether something is due; while it is not, the clock stands still. */
  constructor(limitMs: number, { runs, onTimeout }: { readonly runs: () => boolean; readonly onTimeout: () => void }) {
    this.#limitMs = limitMs;
    const tickMs = Math.min(Math.max(limitMs / TICKS, TICK_MS_MIN), TICK_MS_MAX);
    this.#timer = setInterval(() => {
      const now = performance.now();
      // A process that was itself asleep cannot say that the other side was silent.
      const elapsedMs = Math.min(now - this.#last, 2 * tickMs);
      this.#last = now;
      if (!runs()) return;
      this.#silentMs += elapsedMs;
      if (this.#silentMs >= this.#limitMs) onTimeout();
    }, tickMs);
    this.#timer.unref();
  }

  /** Something was heard. */
  reset(): void {
    this.#silentMs = 0;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
