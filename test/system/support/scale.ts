import { appendFileSync } from "node:fs";

/** `npm run proof` runs the same tests at full size. */
export const FULL = process.env["DEADWAX_PROOF"] === "1";

/** Kills, truncations and flips of one test: few in CI and all of them in a proof, where `DEADWAX_CASES` does not ask for fewer than that. */
export function cases(few: number, all: number): number {
  const given = Number(process.env["DEADWAX_CASES"]);
  if (Number.isSafeInteger(given) && given > 0) return Math.min(given, all); // property tests take the same variable, and run thousands
  return FULL ? all : few;
}

/** Milliseconds that a test may take: generous, since the machine may be busy. */
export function timeoutMs(ci: number, full: number): number {
  return FULL ? full : ci;
}

/** Prints a figure; a proof also collects it. */
export function figure(name: string, values: object): void {
  const line = JSON.stringify({ name, ...values });
  process.stdout.write(`${line}\n`);
  const file = process.env["DEADWAX_FIGURES"];
  if (file !== undefined) appendFileSync(file, `${line}\n`);
}
