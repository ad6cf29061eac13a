import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What image.sh says of the image that it built. */
export interface Image {
  /** The folder in which the image lies unpacked, and that of its base. */
  readonly root: string;
  readonly base: string;
  readonly config: ImageConfig;
}

export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[] | null;
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Volumes: Readonly<Record<string, unknown>>;
  readonly Labels: Readonly<Record<string, string>>;
  /** Times in nanoseconds. */
  readonly Healthcheck: {
    readonly Test: readonly string[];
    readonly Interval: number;
    readonly Timeout: number;
    readonly StartPeriod: number;
    readonly Retries: number;
  };
}

const ISOLATED = fileURLToPath(new URL("isolated.sh", import.meta.url));

export function openImage(): Image {
  const { TEST_IMAGE_ROOT: root, TEST_IMAGE_BASE: base, TEST_IMAGE_CONFIG: path } = process.env;
  if (root === undefined || base === undefined || path === undefined) throw new Error("run test/container/image.sh, which builds the image");
  const { Docker }: { Docker: { config: ImageConfig } } = JSON.parse(readFileSync(path, "utf8"));
  return { root, base, config: Docker.config };
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process in the image: isolated as by the settings of compose.yaml, `data` mounted on /discogs-data. */
export class Contained {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #output = "";

  /** Runs `argv`, or the entry point with `args`, in the environment of the image and `env`. */
  constructor(
    { root, config }: Image,
    data: string,
    { argv, args = [], env = {} }: { argv?: readonly string[]; args?: readonly string[]; env?: Record<string, string> },
  ) {
    const [uid = "", gid = ""] = config.User.split(":");
    const variables = [...config.Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
    const command = argv ?? [...config.Entrypoint, ...args];
    this.child = spawn(ISOLATED, [root, data, uid, gid, ...variables, ...command], { stdio: ["ignore", "pipe", "pipe"] });
    const collected = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      this.child[name]?.setEncoding("utf8").on("data", (text: string) => {
        collected[name] += text;
        this.#output += text;
      });
    }
    this.ended = once(this.child, "close").then(([code]: unknown[]) => ({ code: code as number | null, ...collected }));
  }

  /** Everything it has printed so far. */
  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Sends a signal to process 1 of the container, as an engine does. */
  kill(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    if (!this.isRunning || first === undefined || first === "") throw new Error(`the container is not running: ${this.#output}`);
    process.kill(Number(first), signal);
  }
}
