import type { Row, Spread, TargetOutcome } from "./results.ts";

interface Target {
  readonly name: string;
  readonly atLeast: number;
  readonly of: (row: Row) => Spread | null;
}

/** Set for generated releases, gzip in, records in a file out, on two cores. */
const RELEASES_TARGETS: readonly Target[] = [
  { name: "Rust reference, per CPU second", atLeast: 5, of: (row) => row.toReferencePerCpuSecond },
  { name: "Rust reference, wall", atLeast: 8, of: (row) => row.toReference },
  { name: "fastest JavaScript way, wall", atLeast: 15, of: (row) => row.toFastestJavaScript },
  { name: "gzip -dc, wall", atLeast: 1.7, of: (row) => row.toGzip },
];
const FANOUT_TARGET: Target = { name: "topic of the same dump, wall", atLeast: 0.85, of: (row) => row.toTopic };

/** Holds what was measured of releases against what was meant to be reached. */
export function judge(rows: readonly Row[]): TargetOutcome[] {
  return rows
    .filter((row) => row.type === "releases")
    .flatMap((row) => {
      const targets = row.contract === "fanout" ? [...RELEASES_TARGETS, FANOUT_TARGET] : RELEASES_TARGETS;
      return targets.map(({ name, atLeast, of }) => {
        const measured = of(row);
        return { target: name, type: row.type, contract: row.contract, atLeast, measured, reached: measured !== null && measured.median >= atLeast };
      });
    });
}
