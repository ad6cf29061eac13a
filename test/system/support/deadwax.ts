import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The program under test: `DEADWAX_CLI`, such as an installed package, else this tree's build. */
export const CLI = process.env["DEADWAX_CLI"] ?? fileURLToPath(new URL("../../../dist/cli.js", import.meta.url));

/** The object that `--output json` ends with. */
export interface Report {
  readonly version: string;
  readonly complete: boolean;
  readonly types: Readonly<Record<string, TypeReport>>;
}

export interface TypeReport {
  readonly read: number;
  readonly written: number;
  readonly rejected: number;
  readonly empty: number;
  readonly skipped?: number;
  readonly xmlBytes: number;
  readonly inflatedBytes: number;
  readonly seconds: number;
  readonly threads: number;
  readonly digest: string;
  readonly resumedFrom: { readonly ordinal: number; readonly offset: number } | null;
}

/** A process that has ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Seconds from spawning to the end. */
  readonly seconds: number;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** `inherit`-able descriptor or `pipe`; nothing by default. */
  readonly stdin?: "ignore" | "pipe" | number;
  /** Arguments of node itself. */
  readonly node?: readonly string[];
  /** Its standard output is a log that is looked at while it runs. */
  readonly heard?: boolean;
  /** A command that runs the program, such as strace. */
  readonly under?: readonly string[];
}

/** A run of the program. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly startedMs = performance.now();
  #stderr = "";
  #stdout = "";
  readonly #waiting = new Set<() => void>();
  readonly #isHeard: boolean;

  constructor(args: readonly string[], { cwd, env = {}, stdin = "ignore", node = [], under = [], heard = false }: StartOptions = {}) {
    this.#isHeard = heard;
    const [command = "", ...rest] = [...under, process.execPath, ...node, CLI, ...args];
    this.child = spawn(command, rest, { cwd, env: { ...cleanEnvironment(), ...env }, stdio: [stdin, "pipe", "pipe"] });
    const out: Buffer[] = [];
    this.child.stdout?.on("data", (bytes: Buffer) => {
      out.push(bytes);
      if (this.#isHeard) this.#stdout += bytes.toString();
      this.#wake();
    });
    this.child.stderr?.on("data", (bytes: Buffer) => {
      this.#stderr += bytes.toString();
      this.#wake();
    });
    this.ended = once(this.child, "close").then(([code, signal]: unknown[]) => {
      this.#wake();
      const seconds = (performance.now() - this.startedMs) / 1000;
      return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout: Buffer.concat(out), stderr: this.#stderr, seconds };
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error("the program did not start");
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** What a service has logged so far, if it was started to be heard. */
  get log(): string {
    return this.#stdout;
  }

  /** Resolves with the match once standard output, the log of a service, holds a text; fails if the program ends without it. */
  async logs(text: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = text.exec(this.#stdout);
      if (found !== null) return found;
      if (!this.isRunning)
        throw new Error(`the program ended without logging ${text} (exit ${this.child.exitCode}): ${this.#stdout.slice(-3000)}${this.#stderr}`);
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
    }
  }

  /** Resolves once standard error holds a text; fails if the program ends without it. */
  async says(text: string | RegExp): Promise<void> {
    const has = () => (typeof text === "string" ? this.#stderr.includes(text) : text.test(this.#stderr));
    while (!has()) {
      if (!this.isRunning)
        throw new Error(`the program ended without saying ${String(text)} (exit ${this.child.exitCode}, signal ${this.child.signalCode}): ${this.#stderr}`);
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Runs the program to its end. */
export function deadwax(args: readonly string[], options: StartOptions = {}): Promise<Ended> {
  return new Running(args, options).ended;
}

/** Like {@link deadwax}, for `extract --output json` that has to end with a report. */
export async function extract(args: readonly string[], options: StartOptions = {}): Promise<Ended & { report: Report }> {
  const ended = await deadwax(["extract", ...args, "--output", "json"], options);
  return { ...ended, report: reportOf(ended) };
}

/** The report in the last line of standard output, or of standard error where records go to the former. */
export function reportOf({ stdout, stderr, code, signal }: Ended): Report {
  for (const text of [stdout.subarray(-65_536).toString(), stderr]) {
    const line = text.trimEnd().split("\n").at(-1) ?? "";
    if (line.startsWith('{"version"')) return JSON.parse(line) as Report;
  }
  throw new Error(`no report (exit ${code}, signal ${signal}): ${stderr.slice(-2000)}`);
}

/** The last line of standard error, where a failure is told. */
export function lastLine({ stderr }: Pick<Ended, "stderr">): string {
  return stderr.trimEnd().split("\n").at(-1) ?? "";
}

/** Without our own variables, which the program would refuse, and those of the test runner. */
function cleanEnvironment(): Record<string, string> {
  const own = /^(DEADWAX_|MAX_WORKERS$|DATA_QUALITY_RULES$|AMQP_|RABBITMQ_|DISCOGS_|HEALTH_PORT$|LOG_LEVEL$)/;
  const others = /^(NODE_|VITEST|FORCE_COLOR|https?_proxy$)/i;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name) && !others.test(name));
  return Object.fromEntries(kept) as Record<string, string>;
}
