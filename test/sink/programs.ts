import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { SinkPosition } from "../../src/model.ts";

/** The program that writes to a sink in a process of its own; see its head. */
export const WRITER = fileURLToPath(new URL("./programs/writer.mjs", import.meta.url));

if (!existsSync(new URL("../../dist/sink/index.js", import.meta.url))) {
  throw new Error("dist/ is missing: run `npm run build` before these tests");
}

/** How a process ended, and what it said. */
export interface Ending {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell command to its end; `$WRITER` in it is the command that starts the writer. */
export async function shell(command: string): Promise<Ending> {
  const env = { ...process.env, WRITER: `${process.execPath} ${WRITER}` };
  return ended(spawn("bash", ["-c", `set -o pipefail; ${command}`], { env, stdio: ["ignore", "pipe", "pipe"] }));
}

/** Waits for a process to end, reading what it says. */
export async function ended(child: ChildProcess): Promise<Ending> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (data: Buffer) => stdout.push(data));
  child.stderr?.on("data", (data: Buffer) => stderr.push(data));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

/** Has a process write to a sink, kills it after its `syncs`th sync, and gives the last position that it reported. */
export async function killedAfter(url: string, syncs: number): Promise<{ position: SinkPosition; ordinal: number }> {
  const child = spawn(process.execPath, [WRITER, url, "1000000", "100"], { stdio: ["ignore", "ignore", "pipe"] });
  const closed = once(child, "close");
  let last: { position: SinkPosition; ordinal: number } | undefined;
  let seen = 0;
  for await (const line of createInterface({ input: child.stderr })) {
    last = JSON.parse(line) as { position: SinkPosition; ordinal: number };
    seen += 1;
    if (seen === syncs) child.kill("SIGKILL"); // lines that are still under way count: they were promised too
  }
  await closed;
  if (child.signalCode !== "SIGKILL" || last === undefined) throw new Error("the writer was not killed at work");
  return last;
}
