import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { PEERS_FOLDER, ROOT } from "./programs.ts";

const WARM_BLOCK_BYTES = 4 * 1024 * 1024;

/** Builds the Rust reference with a target folder of its own; says why where that cannot be done. */
export function buildReference(): string | null {
  const manifest = join(ROOT, "native/benches/reference/Cargo.toml");
  return attempt("cargo", ["build", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir", join(ROOT, "target/reference")], ROOT);
}

/** Installs the JavaScript peers if they are not there, which builds node-expat; says why where that cannot be done. */
export function installPeers(): string | null {
  if (existsSync(join(PEERS_FOLDER, "node_modules/.package-lock.json"))) return null;
  // The headers that came with this Node, if they did, so that node-gyp downloads none.
  const installed = dirname(dirname(process.execPath));
  const headers = existsSync(join(installed, "include/node/node.h")) ? { npm_config_nodedir: installed } : {};
  return attempt("npm", ["ci", "--no-audit", "--no-fund"], PEERS_FOLDER, headers);
}

/** Tells whether there is a gzip to compare with. */
export function findGzip(): string | null {
  return attempt("gzip", ["--version"], ROOT);
}

/**
 * Writes as much as a run will write, once, and removes it. A virtual machine gets its memory page by page as it first touches it, which
 * costs whoever happens to be the first to fill the page cache several times the CPU of those that come later.
 */
export function warmPageCache(folder: string, bytes: number): void {
  const path = join(folder, "warm");
  const block = Buffer.alloc(WARM_BLOCK_BYTES, 1);
  const file = openSync(path, "w");
  try {
    for (let written = 0; written < bytes; written += block.length) writeSync(file, block);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}

function attempt(command: string, args: readonly string[], cwd: string, environment: NodeJS.ProcessEnv = {}): string | null {
  const { error, status, stderr } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...environment },
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (error === undefined && status === 0) return null;
  return `${command} ${args[0]}: ${error?.message ?? stderr.trimEnd().split("\n").slice(-3).join("; ")}`;
}
