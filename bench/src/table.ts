import { GZIP } from "./programs.ts";
import type { BenchResults, PartSpeed, Row, Speed, Spread, TargetOutcome } from "./results.ts";

/** Share of time above which figures by the clock say more about the neighbours. */
const WAITED_MAX = 0.1;

/** The results as text: tables of medians, with the least and the most in brackets. */
export function render(results: BenchResults): string {
  const { machine, build, rounds, quick, parts, rows, others, targets, missing, waited } = results;
  const sections = [
    `${machine.cpu}, ${machine.cpus} CPUs, ${machine.system}, Node ${machine.node}, load ${machine.loadBefore.toFixed(1)} before\n${build}\n${rounds} ${rounds === 1 ? "round" : "rounds"}; MB are 10^6 bytes of XML`,
    waited !== null && waited.median > WAITED_MAX
      ? `Other work was running: gzip -dc waited for a CPU ${percent(waited.median)} of its time (${percent(waited.min)} to ${percent(waited.max)}). Do not believe the clock.`
      : "",
    parts.length > 0 ? `Parts, each alone on one thread\n\n${table(["part", "MB/s"], parts.map(partCells))}` : "",
    `Whole runs, gzip in, records in a file out\n\n${table(SPEED_HEADS, [...rows, ...others].sort(byInput).map(speedCells))}`,
    `deadwax against the others, pair by pair: how many times as fast\n\n${table(RATIO_HEADS, rows.map(ratioCells))}`,
    `Targets${quick ? " (a quick run says nothing about them: starting weighs too much)" : ""}\n\n${table(TARGET_HEADS, targets.map(targetCells))}`,
    missing.length > 0 ? `Not measured\n\n${missing.map((line) => `  ${line}`).join("\n")}` : "",
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

const SPEED_HEADS = ["type", "contract", "program", "XML MB", "MB/s", "MB per CPU s", "records/s", "peak RSS MB", "native MB"];
const RATIO_HEADS = ["type", "contract", "reference per CPU s", "reference", "fastest JavaScript", "gzip -dc", "topic"];
const TARGET_HEADS = ["type", "contract", "against", "target", "measured", ""];

function partCells({ part, megabytesPerSecond }: PartSpeed): string[] {
  return [part, `${megabytesPerSecond.median.toFixed(0)}`];
}

function speedCells(speed: Speed): string[] {
  const { type, contract, program, xmlBytes, megabytesPerSecond, megabytesPerCpuSecond, recordsPerSecond, peakRssBytes, nativePeakBytes } = speed;
  const inflatesOnly = program === GZIP;
  return [
    type,
    inflatesOnly ? "" : contract,
    program,
    (xmlBytes / 1e6).toFixed(0),
    withRange(megabytesPerSecond, 0),
    withRange(megabytesPerCpuSecond, 0),
    inflatesOnly ? "" : recordsPerSecond.median.toFixed(0),
    inMegabytes(peakRssBytes),
    inMegabytes(nativePeakBytes),
  ];
}

function ratioCells(row: Row): string[] {
  const javaScript = row.fastestJavaScript === null ? "–" : `${orDash(row.toFastestJavaScript)} ${row.fastestJavaScript}`;
  return [row.type, row.contract, orDash(row.toReferencePerCpuSecond), orDash(row.toReference), javaScript, orDash(row.toGzip), orDash(row.toTopic)];
}

function targetCells({ type, contract, target, atLeast, measured, reached }: TargetOutcome): string[] {
  return [type, contract, target, `${atLeast}`, orDash(measured), measured === null ? "not measured" : reached ? "reached" : "missed"];
}

/** By input, deadwax first. */
function byInput(a: Speed, b: Speed): number {
  return a.type.localeCompare(b.type);
}

function orDash(value: Spread | null): string {
  return value === null ? "–" : withRange(value, 2);
}

function withRange({ median, min, max }: Spread, digits: number): string {
  const middle = median.toFixed(digits);
  return min === max ? middle : `${middle} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function inMegabytes(bytes: number | null): string {
  return bytes === null ? "–" : (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0);
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd()).join("\n");
}
