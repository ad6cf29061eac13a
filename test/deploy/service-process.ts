import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Service, seconds } from "./compose.ts";
import { programs, ROOT, readDockerfile, textOf } from "./dockerfile.ts";

/** What stands on this machine for what a compose file names. */
export interface Places {
  /** An empty folder that holds the volumes, each under the path at which it is mounted. */
  readonly folder: string;
  /** The port of the broker that the file calls `rabbitmq:5672`. */
  readonly brokerPort: number;
  /** The port of the database that the file calls `postgres:5432`, if it names one. */
  readonly postgresPort?: number;
  /** A free port for the service's 8000, or 8002. */
  readonly port: number;
  /** More variables. */
  readonly env: Readonly<Record<string, string>>;
}

const BROKER = "rabbitmq";
const BROKER_PORT = 5672;
const POSTGRES = /^postgres(:5432)?$/;
const HTTP_PORT = /:800[02]\//g;

/**
 * A service of a compose file as a process: its command by the image's entry point, its environment, its health check, with the paths,
 * host names and ports of the file put in their places on this machine.
 */
export class ServiceProcess {
  readonly #service: Service;
  readonly #places: Places;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #output = "";

  constructor(service: Service, places: Places) {
    this.#service = service;
    this.#places = places;
    const dockerfile = readDockerfile();
    const bin = join(places.folder, "bin");
    mkdirSync(bin, { recursive: true });
    // The very links that the image has.
    for (const [name, target] of Object.entries(programs(dockerfile))) symlinkSync(target.replace(/^\/app\//, ROOT), join(bin, name));
    for (const target of targetsOf(service)) mkdirSync(join(places.folder, target), { recursive: true });
    const [program = "", ...args] = [...(service.entrypoint ?? JSON.parse(textOf(dockerfile.image, "ENTRYPOINT"))), ...(service.command ?? [])];
    this.#child = spawn(process.execPath, [join(bin, program), ...args], { cwd: places.folder, env: this.#environment(), stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (this.#output += text));
    this.#exited = once(this.#child, "exit").then(([code]: unknown[]) => code as number | null);
  }

  /** Everything it has printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Runs the file's health check until it passes, for as long as the file gives the service to become healthy; its seconds. */
  async healthy(): Promise<number> {
    const check = this.#service.healthcheck;
    if (check === undefined) throw new Error("the service has no health check");
    const [kind, program = "", ...args] = check.test.map((word) => word.replace(HTTP_PORT, `:${this.#places.port}/`));
    const started = performance.now();
    const giveUp = started + seconds(check.start_period) * 1000;
    for (;;) {
      const passed = await (kind === "CMD" ? promisify(execFile)(program, args) : promisify(execFile)("sh", ["-c", program])).then(
        () => true,
        () => false,
      );
      if (passed) return (performance.now() - started) / 1000;
      if (this.#child.exitCode !== null) throw new Error(`the service ended with ${this.#child.exitCode}:\n${this.#output}`);
      if (performance.now() > giveUp) throw new Error(`the service is not healthy within ${check.start_period}:\n${this.#output}`);
      await sleep(100);
    }
  }

  /** Stops it as an engine does: SIGTERM, and SIGKILL when the grace period is over; its exit code, null after SIGKILL. */
  async stop(): Promise<number | null> {
    const killing = setTimeout(() => this.#child.kill("SIGKILL"), seconds(this.#service.stop_grace_period ?? "10s") * 1000);
    this.#child.kill("SIGTERM");
    const code = await this.#exited;
    clearTimeout(killing);
    return code;
  }

  #environment(): NodeJS.ProcessEnv {
    const { folder, brokerPort, postgresPort, port, env } = this.#places;
    const here = (name: string, value: string) => {
      if (name === "RABBITMQ_HOST") return "127.0.0.1";
      if (name === "RABBITMQ_PORT") return String(brokerPort);
      if (POSTGRES.test(value)) return `127.0.0.1:${postgresPort}`;
      const text = value.replaceAll(`@${BROKER}:${BROKER_PORT}/`, `@127.0.0.1:${brokerPort}/`);
      return targetsOf(this.#service).some((target) => text === target || text.startsWith(`${target}/`)) ? join(folder, text) : text;
    };
    const named = Object.entries(this.#service.environment ?? {}).map(([name, value]) => [name, here(name, String(value))]);
    return { PATH: process.env["PATH"], DISCOGS_ROOT: join(folder, "discogs-data"), HEALTH_PORT: String(port), ...Object.fromEntries(named), ...env };
  }
}

/** Where its volumes are mounted; files that are mounted into one of them are not among these. */
function targetsOf({ volumes = [] }: Service): string[] {
  const targets = volumes.map((volume) => volume.split(":")[1] ?? "");
  return targets.filter((target) => !/\.\w+$/.test(target));
}
