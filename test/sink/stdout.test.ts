import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { isBrokenPipe } from "../../src/sink/sink-errors.ts";
import { StdoutSink } from "../../src/sink/stdout/index.ts";
import type { StandardStream } from "../../src/sink/stdout/outlet.ts";
import { batchFrom, batchOf, NEVER, TARGET, textTo } from "./batches.ts";
import { type Destination, sinkContract } from "./contract.ts";
import { ended, shell, WRITER } from "./programs.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const capabilities = { resumable: false, writtenTwice: "appended", visible: "at once" } as const;

/** Standard output as a file: only its descriptor is used. */
async function createFile(): Promise<Destination> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "out");
  const fd = openSync(path, "a");
  const stream = Object.assign(new Writable({ write: () => expect.unreachable("the stream was used") }), { fd });
  return {
    sink: new StdoutSink(stream),
    read: async () => (await readFile(path)).toString(),
    async [Symbol.asyncDispose]() {
      closeSync(fd);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Standard output as a pipe to `cat`; reading what came through closes it. */
async function createPipe(): Promise<Destination> {
  const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
  const ending = ended(child);
  return {
    sink: new StdoutSink(standardStream(child.stdin)),
    async read() {
      child.stdin.end();
      return (await ending).stdout;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.destroy();
      await ending;
    },
  };
}

/** Standard output as a pipe whose reader has gone. */
async function createBrokenPipe(): Promise<Destination> {
  const child = spawn("true", { stdio: ["pipe", "ignore", "inherit"] });
  const closed = once(child, "exit");
  const sink = new StdoutSink(standardStream(child.stdin));
  await sink.check(NEVER);
  await closed;
  return { sink, read: async () => null, [Symbol.asyncDispose]: async () => void child.stdin.destroy() };
}

function standardStream(stream: Writable): StandardStream {
  const { fd } = (stream as Writable & { readonly _handle: { readonly fd: number } })._handle;
  return Object.assign(stream, { fd });
}

sinkContract({ name: "stdout to a file", capabilities, create: createFile });
sinkContract({ name: "stdout to a pipe", capabilities, create: createPipe, createBroken: createBrokenPipe });

describe("stdout sink", () => {
  test("keeps the lines of targets written side by side whole", async () => {
    await using destination = await createPipe();
    const long = (letter: string) => batchOf([letter.repeat(300_000), letter.repeat(100_000)]);
    await using first = await destination.sink.open(TARGET, null, NEVER);
    await using second = await destination.sink.open({ ...TARGET, dataType: "labels" }, null, NEVER);
    await Promise.all([first.write(long("a"), NEVER), second.write(long("b"), NEVER), first.write(long("c"), NEVER)]);
    const lines = (await destination.read())?.trimEnd().split("\n") ?? [];
    expect(lines.map((line) => [line[0], line.length, new Set(line).size])).toEqual(
      ["a", "b", "c"].flatMap((letter) => [
        [letter, 300_000, 1],
        [letter, 100_000, 1],
      ]),
    );
  });

  test("says that a pipe is broken in a way that can be told from a fault, every time", async () => {
    await using destination = await createBrokenPipe();
    await using writer = await destination.sink.open(TARGET, null, NEVER);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const failure = await writeUntilFailure(() => writer.write(batchFrom(0, 10_000), NEVER));
      expect(isBrokenPipe(failure)).toBe(true);
    }
  });

  test("leaves a write into a pipe that nobody reads as soon as it is told to stop", async () => {
    const child = spawn("sleep", ["60"], { stdio: ["pipe", "ignore", "inherit"] });
    try {
      const sink = new StdoutSink(standardStream(child.stdin));
      await using writer = await sink.open(TARGET, null, NEVER);
      const stopping = new AbortController();
      const write = writer.write(batchFrom(0, 50_000), stopping.signal);
      const reason = new Error("stop");
      // The pipe is full when its stream holds a piece back.
      while (child.stdin.writableLength === 0) await new Promise((resolve) => setImmediate(resolve));
      stopping.abort(reason);
      await expect(write).rejects.toBe(reason);
      await expect(writer.write(batchFrom(0, 1), NEVER)).rejects.toBe(reason);
    } finally {
      child.kill("SIGKILL");
      child.stdin.destroy();
    }
  });
});

describe("stdout sink of a process", () => {
  test("gives a pipe every byte", async () => {
    const { code, stdout, stderr } = await shell("$WRITER - 20 1000 | cat");
    expect(stdout === textTo(20_000)).toBe(true);
    expect([code, stderr]).toEqual([0, "writing\ndone\n"]);
  });

  test("stops quietly when head has enough", async () => {
    const { code, stdout, stderr } = await shell("$WRITER - 1000000 1000 | head -n 1500");
    expect(stdout === textTo(1500)).toBe(true);
    expect(stderr.replace("writing\n", "")).toBe("broken pipe\n");
    expect(code).toBe(0);
  });

  test("can be stopped while its reader stalls, and exits", async () => {
    const child = spawn(process.execPath, [WRITER, "-", "1000000", "1000"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.pause();
    const closed = once(child, "exit");
    let said = "";
    for await (const part of child.stderr) {
      said += String(part);
      if (said === "writing\n") child.kill("SIGTERM");
    }
    const [code, signal] = await closed;
    child.stdout.destroy();
    expect([code, signal, said]).toEqual([0, null, "writing\n stopped\n"]);
  });

  test("writes a file, and behind what is in it when the shell appends", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "out");
    await writeFile(path, "before\n");
    expect((await shell(`$WRITER - 3 100 >> ${path}`)).stderr).toBe("writing\ndone\n");
    expect((await readFile(path)).toString()).toBe(`before\n${textTo(300)}`);
  });

  test("says that a full device is full", async () => {
    const { stderr } = await shell("$WRITER - 3 100 > /dev/full");
    expect(stderr).toBe("SINK_FULL standard output: no space left; free some space or send it elsewhere, then start again\n");
  });
});

async function writeUntilFailure(write: () => Promise<void>): Promise<unknown> {
  try {
    for (;;) await write();
  } catch (error) {
    return error;
  }
}
