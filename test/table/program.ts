import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../sink/sink-events.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** Health as it was answered. */
export interface Health {
  readonly code: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** `deadwax table` as a process. */
export class TableWriter implements AsyncDisposable {
  readonly #child: ChildProcess;
  #output = "";
  readonly exited: Promise<number | null>;

  constructor(env: Readonly<Record<string, string>>, args: readonly string[] = []) {
    const inherited = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" };
    this.#child = spawn(process.execPath, [CLI, "table", ...args], { env: { ...inherited, HEALTH_PORT: "0", DEADWAX_HEALTH_HOST: "127.0.0.1", ...env } });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
    }
    this.exited = once(this.#child, "close").then(([code]) => code as number | null);
  }

  /** All that it has written. */
  get output(): string {
    return this.#output;
  }

  /** The texts of its log. */
  get messages(): string[] {
    return this.#output.split("\n").flatMap((line) => (line.startsWith("{") ? [String((JSON.parse(line) as { message?: unknown }).message ?? "")] : []));
  }

  get port(): number {
    return Number(/Health server listening on 127\.0\.0\.1:(\d+)/.exec(this.#output)?.[1]);
  }

  /** Resolves once the log says so; fails if it ends before that. */
  async says(text: string | RegExp): Promise<void> {
    await until(() => {
      if (this.#child.exitCode !== null) throw new Error(`it has ended with ${this.#child.exitCode}:\n${this.#output.slice(-3000)}`);
      return typeof text === "string" ? this.#output.includes(text) : text.test(this.#output);
    });
  }

  async health(path: "/health" | "/ready" = "/health"): Promise<Health> {
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}`);
    const text = await answer.text();
    return { code: answer.status, body: text === "" ? {} : JSON.parse(text) };
  }

  /** Resolves once health is answered so. */
  async isHealthy(code: 200 | 503): Promise<void> {
    await this.says("Health server listening");
    await until(async () => (await this.health()).code === code);
  }

  async metrics(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks it to end; its exit code. */
  async stop(): Promise<number | null> {
    this.kill("SIGTERM");
    return await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.kill("SIGKILL");
    await this.exited;
  }
}

/** The variables of a database, as upstream's writer reads them. */
export function postgresVariables(url: string): Record<string, string> {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    POSTGRES_ADDRESS: `${hostname}:${port}`,
    POSTGRES_USERNAME: decodeURIComponent(username),
    POSTGRES_PASSWORD: decodeURIComponent(password) || "unused",
    POSTGRES_DATABASE: decodeURIComponent(pathname.slice(1)),
    POSTGRES_BATCH_FLUSH_INTERVAL: "0.2",
  };
}
