#!/usr/bin/env node
// `npm run test:coverage`: which lines of src/ the tests reach, wherever they run: in the test's own process, in programs it starts, and
// in their worker threads. V8 counts what of dist/ runs in every process; source maps lead back to src/. What vitest runs from src/
// itself is counted by vitest; a line is reached if either says so. Processes that are killed leave no counts.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIST = join(ROOT, "dist/");
/** Percent of lines; what the tests reach today, less a little for what depends on the moment. */
const LINES_MIN = { all: 95, file: 60 };
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const folder = mkdtempSync(join(tmpdir(), "deadwax-coverage-"));
try {
  process.exitCode = main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function main() {
  mkdirSync(join(folder, "raw"));
  for (const path of [folder, join(folder, "raw")]) chmodSync(path, 0o777); // some tests act as another user
  const vitest = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--config", "test/vitest.config.ts", ...process.argv.slice(2)];
  const coverage = ["--coverage", "--coverage.reportOnFailure", "--coverage.reporter=json", `--coverage.reportsDirectory=${join(folder, "vitest")}`];
  const { status } = spawnSync(process.execPath, [...vitest, ...coverage], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, NODE_V8_COVERAGE: join(folder, "raw") },
  });
  const reached = reachedInDist();
  addVitest(reached);
  const low = print(reached);
  if (status !== 0) console.log("some tests failed: the figures are of those that ran");
  return status === 0 && !low ? 0 : 1;
}

/** Lines of src/ that are there (in what runs of it), and which of them ran, by path. */
function reachedInDist() {
  const ran = ranCharacters();
  const reached = new Map();
  for (const path of readdirSync(DIST, { recursive: true }).filter((name) => name.endsWith(".js"))) {
    const file = join(DIST, path);
    const { sources, mappings } = JSON.parse(readFileSync(`${file}.map`, "utf8"));
    const source = relative(ROOT, join(dirname(file), sources[0]));
    const counts = ran.get(file);
    const text = readFileSync(file, "utf8");
    // What an earlier build has left, and what holds types only.
    if (!existsSync(join(ROOT, source)) || /^(\/\*.*?\*\/\s*)?export \{\};/s.test(text)) continue;
    const starts = lineStarts(text);
    const lines = new Map();
    for (const { generatedLine, generatedColumn, sourceLine } of decode(mappings)) {
      const hit = counts?.[starts[generatedLine] + generatedColumn] === 1;
      lines.set(sourceLine, hit || lines.get(sourceLine) === true);
    }
    reached.set(source, lines);
  }
  return reached;
}

/** For each file of dist/: 1 for each character that ran in any process. */
function ranCharacters() {
  const ran = new Map();
  const raw = join(folder, "raw");
  for (const name of readdirSync(raw)) {
    let dump;
    try {
      dump = JSON.parse(readFileSync(join(raw, name), "utf8"));
    } catch {
      continue; // cut short with its process
    }
    for (const { url, functions } of dump.result) {
      if (!url.startsWith("file://") || !fileURLToPath(url).startsWith(DIST)) continue;
      const file = fileURLToPath(url);
      if (!existsSync(file)) continue;
      const text = readFileSync(file, "utf8");
      const here = new Uint8Array(text.length);
      // Ranges nest, from the outside in: the innermost one says what is true.
      const ranges = functions.flatMap((one) => one.ranges).sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
      for (const { startOffset, endOffset, count } of ranges) here.fill(count > 0 ? 1 : 0, startOffset, endOffset);
      const all = ran.get(file) ?? new Uint8Array(text.length);
      for (let at = 0; at < all.length; at += 1) all[at] |= here[at];
      ran.set(file, all);
    }
  }
  return ran;
}

function addVitest(reached) {
  const path = join(folder, "vitest/coverage-final.json");
  if (!existsSync(path)) return;
  for (const { path: file, statementMap, s: hits } of Object.values(JSON.parse(readFileSync(path, "utf8")))) {
    const lines = reached.get(relative(ROOT, file));
    for (const [id, { start, end }] of Object.entries(statementMap)) {
      if (hits[id] === 0) continue;
      for (let line = start.line; line <= end.line; line += 1) if (isInnermost(statementMap, hits, id, line) && lines?.has(line)) lines.set(line, true);
    }
  }
}

/** A statement that ran says nothing of a line inside it that belongs to a statement of its own. */
function isInnermost(statementMap, hits, id, line) {
  const { start, end } = statementMap[id];
  return !Object.entries(statementMap).some(([other, inner]) => {
    const isInside = inner.start.line >= start.line && inner.end.line <= end.line && other !== id && inner.start.line > start.line;
    return isInside && hits[other] === 0 && inner.start.line <= line && line <= inner.end.line;
  });
}

function print(reached) {
  let [hits, total, low] = [0, 0, false];
  for (const [path, lines] of [...reached].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const missed = [...lines].filter(([, hit]) => !hit).map(([line]) => line);
    hits += lines.size - missed.length;
    total += lines.size;
    const percent = (100 * (lines.size - missed.length)) / lines.size;
    low ||= percent < LINES_MIN.file;
    console.log(`${percent.toFixed(1).padStart(6)} %  ${path}${missed.length === 0 ? "" : `  not reached: ${spans(missed)}`}`);
  }
  const percent = (100 * hits) / total;
  low ||= percent < LINES_MIN.all;
  console.log(`${percent.toFixed(1).padStart(6)} %  of ${total} lines of src/ (asked for: ${LINES_MIN.all} % of all, ${LINES_MIN.file} % of each file)`);
  return low;
}

function spans(lines) {
  const found = [];
  for (const line of lines.sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && line === last[1] + 1) last[1] = line;
    else found.push([line, line]);
  }
  return found.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(", ");
}

function lineStarts(text) {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** The mappings of a source map with one source: lines of the source count from 1. */
function* decode(mappings) {
  let sourceLine = 0;
  for (const [generatedLine, segments] of mappings.split(";").entries()) {
    let generatedColumn = 0;
    for (const segment of segments === "" ? [] : segments.split(",")) {
      const [column = 0, , line] = variableLength(segment);
      generatedColumn += column;
      if (line === undefined) continue;
      sourceLine += line;
      yield { generatedLine, generatedColumn, sourceLine: sourceLine + 1 };
    }
  }
}

function variableLength(text) {
  const values = [];
  let [value, shift] = [0, 0];
  for (const letter of text) {
    const digit = BASE64.indexOf(letter);
    value |= (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    values.push((value & 1) === 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return values;
}
