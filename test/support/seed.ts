import fc from "fast-check";

/** The seed of every property test, and the cases of those that name no number of their own. */
const { DEADWAX_SEED: seed, DEADWAX_CASES: cases } = process.env;
fc.configureGlobal({ ...(seed === undefined ? {} : { seed: Number(seed) | 0 }), ...(cases === undefined ? {} : { numRuns: Number(cases) }) });
