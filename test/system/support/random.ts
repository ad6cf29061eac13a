import { randomInt } from "node:crypto";

/** Numbers that a seed repeats. What a process does at which moment is never repeated, only where we aimed. */
export interface Random {
  readonly seed: number;
  /** An integer from `min` up to, not including, `max`. */
  between(min: number, max: number): number;
  chance(probability: number): boolean;
}

/** The generator of one suite: seeded by `DEADWAX_SEED`, else afresh; the seed is printed. */
export function seeded(suite: string): Random {
  const given = process.env["DEADWAX_SEED"];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  process.stdout.write(`${suite}: DEADWAX_SEED=${seed}\n`);
  let state = seed;
  for (const letter of suite) state = (Math.imul(state, 31) + letter.charCodeAt(0)) | 0;
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { seed, between: (min, max) => min + Math.floor(next() * (max - min)), chance: (probability) => next() < probability };
}
