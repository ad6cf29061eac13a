import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const READY_MS = 120_000;
const STOP_MS = 30_000;
const LOG_SHOWN_CHARS = 2_000;

/** A folder of every Debian, by which test files wait for each other. */
const DPKG = "/var/lib/dpkg";
const INSTALL = `[ -e "$0" ] || {
  apt-get -o DPkg::Lock::Timeout=300 update && apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}`;

/**
 * Installs Debian packages, unless `probe` (a file one of them brings) is already there. Whoever asks while another one installs waits for
 * the end of that: a package's files are there before it is set up.
 */
export function ensureDebian(probe: string, ...packages: string[]): void {
  if (existsSync(probe) && !existsSync(DPKG)) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("flock", [DPKG, "sh", "-c", INSTALL, probe, ...packages], { env, stdio: "ignore" });
}

/** How to start a server, and how to know that it is ready. */
export interface Command {
  readonly dir: string;
  readonly argv: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly ready: () => Promise<boolean>;
  /** What asks it to end; SIGTERM if it is left out. */
  readonly stopSignal?: NodeJS.Signals;
}

/** A running server: `stop` asks it to end, `crash` kills it; both wait for its end. */
export interface RunningServer {
  readonly pid: number;
  stop(): Promise<void>;
  crash(): Promise<void>;
}

/** Starts a server in the foreground; the kernel kills it if the thread that called ends, however it does. */
export async function start({ dir, argv, env, ready, stopSignal = "SIGTERM" }: Command): Promise<RunningServer> {
  const log = join(dir, "output.log");
  const output = openSync(log, "a");
  const child = spawn("setpriv", ["--pdeathsig=KILL", ...argv], { cwd: dir, env: { ...process.env, ...env }, stdio: ["ignore", output, output] });
  const exited = once(child, "exit");
  const { pid } = child;
  if (pid === undefined) throw new Error("setpriv cannot be started; it is part of util-linux");
  const deadline = Date.now() + READY_MS;
  while (!(await ready().catch(() => false))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${argv[0]} did not become ready:\n${readFileSync(log, "utf8").slice(-LOG_SHOWN_CHARS)}`);
    }
    await sleep(50);
  }
  // A test that meets a server that is gone fails somewhere else, with nothing that says why.
  const endedByItself = (code: number | null, signal: NodeJS.Signals | null) =>
    process.stderr.write(`${argv[0]} ended by itself (${signal ?? `exit ${code}`}):\n${readFileSync(log, "utf8").slice(-LOG_SHOWN_CHARS)}\n`);
  child.once("exit", endedByItself);
  const end = async (signal: NodeJS.Signals) => {
    child.off("exit", endedByItself);
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const giveUp = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await exited;
    clearTimeout(giveUp);
  };
  return { pid, stop: () => end(stopSignal), crash: () => end("SIGKILL") };
}

/** Makes a folder empty, or makes it. */
export function emptyDir(dir: string): string {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  return dir;
}
