#!/usr/bin/env node
// Asks the advisory databases about the dependencies. Where one cannot be reached it says so loudly and goes on; a known
// vulnerability ends with 1.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CRATES = ["native", "native/benches/reference"];
const TIMEOUT_MS = 60_000;

npmAudit(".");
npmAudit("bench/peers");
for (const folder of CRATES) cargoAudit(folder);

function npmAudit(folder) {
  const { stdout, error } = run("npm", ["audit", "--json", "--audit-level=moderate", "--prefix", folder]);
  const report = parse(stdout);
  const counts = report?.metadata?.vulnerabilities;
  if (error !== undefined || counts === undefined)
    return notDone(`npm audit of ${folder}`, error?.message ?? report?.message ?? "the advisory database gave no answer");
  const serious = counts.moderate + counts.high + counts.critical;
  console.log(`npm audit of ${folder}: ${serious} known vulnerabilities`);
  if (serious === 0) return;
  for (const [name, { severity, range }] of Object.entries(report.vulnerabilities ?? {})) console.log(`  ${name} ${range}: ${severity}`);
  process.exitCode = 1;
}

function cargoAudit(folder) {
  const { stdout, stderr, error } = run("cargo", ["audit", "--json", "--file", `${folder}/Cargo.lock`]);
  const found = parse(stdout)?.vulnerabilities;
  if (error !== undefined || found === undefined)
    return notDone(
      `cargo audit of ${folder}`,
      /no such command/.test(stderr) ? "cargo-audit is not installed" : (error?.message ?? stderr.trim().split("\n").at(-1)),
    );
  console.log(`cargo audit of ${folder}: ${found.count} known vulnerabilities`);
  if (found.count === 0) return;
  for (const {
    advisory,
    package: { name, version },
  } of found.list)
    console.log(`  ${name} ${version}: ${advisory.id} ${advisory.title}`);
  process.exitCode = 1;
}

function notDone(what, why) {
  console.log(`*** NOT DONE: ${what}: ${why} ***`);
}

function run(program, args) {
  return spawnSync(program, args, { cwd: ROOT, encoding: "utf8", timeout: TIMEOUT_MS, maxBuffer: 2 ** 26 });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
