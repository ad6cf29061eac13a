import type { Series, Spread } from "./results.ts";

/** Median, least and most of at least one value. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined) throw new Error("nothing was measured");
  return { median: (low + high) / 2, min, max };
}

export type Clock = "wallSeconds" | "cpuSeconds";

/** XML bytes per second in each round. */
export function rates({ xmlBytes, samples }: Series, clock: Clock): number[] {
  return samples.map((sample) => xmlBytes / sample[clock]);
}

/**
 * How many times as fast as another, pair by pair: both samples of a pair are of one round, taken close together, so that a machine that
 * slows down for a while slows down both.
 */
export function ratio(series: Series, other: Series, clock: Clock): Spread {
  const others = rates(other, clock);
  return spread(
    rates(series, clock).map((rate, round) => {
      const otherRate = others[round];
      if (otherRate === undefined) throw new Error(`${other.program} lacks round ${round + 1}`);
      return rate / otherRate;
    }),
  );
}

/** The most of what is known, or null if nothing is. */
export function peak(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
