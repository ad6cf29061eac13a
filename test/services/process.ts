import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const READY_MS = 120_000;
const STOP_MS = 30_000;

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

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Whether somebody listens on a port of this machine. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
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
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${argv[0]} did not become ready:\n${readFileSync(log, "utf8").slice(-2000)}`);
    }
    await sleep(50);
  }
  const end = async (signal: NodeJS.Signals) => {
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
