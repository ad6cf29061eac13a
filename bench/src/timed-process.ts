import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** Often enough for a peak that only grows, and too rarely to be felt. */
const RSS_POLL_MS = 25;
/** Wall, user and system seconds of the command and all it has waited for, as the last line on standard error. */
const TIMED = `TIMEFORMAT="%3R %3U %3S"; time "$@"`;

interface TimedOptions {
  /** Send standard output nowhere instead of keeping it. */
  readonly discardOutput?: boolean;
  /** Variables beside those of this process. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** A command that has ended well. */
export interface FinishedProcess {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end. The shell does the timing: Node gives no CPU time of a child, and the shell's figures hold all threads, the
 * start and the end, and come the same way for every program.
 */
export async function runTimed(command: readonly string[], { discardOutput = false, environment = {} }: TimedOptions = {}): Promise<FinishedProcess> {
  const child = spawn("bash", ["-c", TIMED, "bash", ...command], {
    env: { ...process.env, LC_ALL: "C", ...environment },
    stdio: ["ignore", discardOutput ? "ignore" : "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (data: Buffer) => stdout.push(data));
  child.stderr?.on("data", (data: Buffer) => stderr.push(data));
  let peakRssBytes: number | null = null;
  const poll = setInterval(() => {
    peakRssBytes = peakRssOfChild(child.pid) ?? peakRssBytes;
  }, RSS_POLL_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject).on("close", resolve);
  }).finally(() => clearInterval(poll));
  const lines = Buffer.concat(stderr).toString().trimEnd().split("\n");
  if (code !== 0) throw new Error(`${command.join(" ")}: exit code ${code}\n${lines.join("\n")}`);
  const [wall, user, system] = (lines.pop() ?? "").split(" ").map(Number);
  if (wall === undefined || user === undefined || system === undefined || Number.isNaN(wall + user + system)) {
    throw new Error(`${command[0]}: bash gave no times; is it too old?`);
  }
  return { wallSeconds: wall, cpuSeconds: user + system, peakRssBytes, stdout: Buffer.concat(stdout).toString(), stderr: lines.join("\n") };
}

/**
 * The kernel's own high-water mark of the shell's one child. Not `ru_maxrss`: that one starts at the size of whoever started the process.
 */
function peakRssOfChild(shell: number | undefined): number | null {
  try {
    const child = readFileSync(`/proc/${shell}/task/${shell}/children`, "utf8").trim();
    const kibibytes = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync(`/proc/${child}/status`, "utf8"))?.[1];
    return kibibytes === undefined ? null : Number(kibibytes) * 1024;
  } catch {
    return null; // not Linux, or between two states
  }
}
