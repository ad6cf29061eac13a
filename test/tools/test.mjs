#!/usr/bin/env node
// `npm test`: every test there is, in Rust and in TypeScript, with one sum at the end: `N passed, N failed, N skipped`.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CRATES = ["native/Cargo.toml", "native/benches/reference/Cargo.toml"];
const SEED_MAX = 2 ** 31;

const env = { ...process.env };
env.DEADWAX_SEED ??= String(Date.now() % SEED_MAX);
console.log(`repeat with DEADWAX_SEED=${env.DEADWAX_SEED}`);

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const crate of CRATES) add(await cargoTest(crate));
add(await vitest());
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;

function add({ passed, failed, skipped }) {
  sum.passed += passed;
  sum.failed += failed;
  sum.skipped += skipped;
}

async function cargoTest(crate) {
  const { exit, output } = await run("cargo", ["test", "--locked", "--workspace", "--no-fail-fast", "--manifest-path", crate]);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of output.matchAll(/^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/gm)) {
    counts.passed += Number(passed);
    counts.failed += Number(failed);
    counts.skipped += Number(ignored);
  }
  return orBroken(counts, exit, crate);
}

async function vitest() {
  const folder = mkdtempSync(join(tmpdir(), "deadwax-test-"));
  const report = join(folder, "report.json");
  try {
    const program = join(ROOT, "node_modules/vitest/vitest.mjs");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const { exit } = await run(process.execPath, [program, "run", "--config", "test/vitest.config.ts", ...reporters, ...process.argv.slice(2)]);
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = readReport(report);
    return orBroken({ passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests }, exit, "vitest");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  }
}

/** A run that fails beside its tests, by not compiling for one, is a failure too. */
function orBroken(counts, exit, what) {
  if (exit === 0 || counts.failed > 0) return counts;
  console.log(`${what}: ended with ${exit}, though no test failed`);
  return { ...counts, failed: 1 };
}

/** Runs a program, showing and keeping what it prints. */
function run(program, args) {
  return new Promise((resolve) => {
    console.log(`\n$ ${[program === process.execPath ? "node" : program, ...args].join(" ")}`);
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on("error", (error) => resolve({ exit: error.message, output }));
    child.on("close", (exit, signal) => resolve({ exit: exit ?? signal, output }));
  });
}
