#!/usr/bin/env node
// `npm run check [-- --only NAME,...] [--fast]`: everything that can be told without running the program. Every step runs, whatever
// came of those before it; one that fails makes the whole fail. `--fast` leaves out what takes more than seconds.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const there = (path) => existsSync(join(ROOT, path));
const CRATES = ["native/Cargo.toml", "native/benches/reference/Cargo.toml"].filter(there);
/** Built by a nightly compiler only, so it is formatted, but not linted. */
const FUZZ_CRATE = ["native/fuzz/Cargo.toml"].filter(there);
const SCRIPTS = [".ci/run", ".githooks/pre-commit", "native/fuzz/run.sh", ...["base", "image", "isolated"].map((name) => `test/container/${name}.sh`)].filter(
  there,
);
const bin = (name) => join(ROOT, "node_modules/.bin", name);
const tool = (name) => [process.execPath, join("test/tools", name)];

/** In the order of what is known soonest. */
const STEPS = [
  { name: "biome", what: "format, import order and lint of TypeScript and JSON", commands: [[bin("biome"), "ci", "--error-on-warnings", "."]] },
  { name: "rules", what: "direction of imports, one place a driver, process.exit, process.env, any, SQL", commands: [tool("rules.mjs")] },
  { name: "shell", what: "syntax of the shell scripts", commands: SCRIPTS.map((path) => ["bash", "-n", path]) },
  { name: "fmt", what: "format of Rust", commands: [...CRATES, ...FUZZ_CRATE].map((path) => ["cargo", "fmt", "--all", "--check", "--manifest-path", path]) },
  { name: "types", what: "strict TypeScript", commands: [[bin("tsc"), "-p", "tsconfig.json"]] },
  { name: "dependencies", what: "pinned, locked, licences, no install scripts", commands: [tool("dependencies.mjs")], slow: true },
  {
    name: "clippy",
    what: "lint of Rust",
    commands: CRATES.map((path) => [
      "cargo",
      "clippy",
      "--locked",
      "--workspace",
      "--all-targets",
      "--quiet",
      "--manifest-path",
      path,
      "--",
      "-D",
      "warnings",
      "-D",
      "clippy::undocumented_unsafe_blocks",
    ]),
    slow: true,
  },
  { name: "audit", what: "known vulnerabilities", commands: [tool("audit.mjs")], slow: true },
];

const args = process.argv.slice(2);
const only = args.includes("--only") ? (args[args.indexOf("--only") + 1] ?? "").split(",") : null;
const unknown = (only ?? []).filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`no step is called ${unknown.join(" or ")}; there are ${STEPS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const failed = [];
for (const { name, what, commands, slow } of STEPS) {
  if (only === null ? slow === true && args.includes("--fast") : !only.includes(name)) continue;
  const started = performance.now();
  console.log(`check ${name}: ${what}`);
  // All of a step's commands run, so that one call shows everything there is to mend.
  const passed = commands.map(([program, ...rest]) => spawnSync(program, rest, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] }).status === 0);
  const ok = passed.every(Boolean);
  if (!ok) failed.push(name);
  console.log(`${ok ? "  ok" : "  FAILED"} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
console.log(failed.length === 0 ? "check: all is well" : `check: FAILED: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
