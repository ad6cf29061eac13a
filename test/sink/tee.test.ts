import { getEventListeners } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import type { SinkPosition } from "../../src/model.ts";
import { openSinks, outputFolder } from "../../src/sink/index.ts";
import { NO_EVENTS, type Sink, type Stream, type VersionEnd } from "../../src/sink/sink.ts";
import { BrokenPipeError, isBrokenPipe, isPositionLost, PositionLostError } from "../../src/sink/sink-errors.ts";
import { TeeSink } from "../../src/sink/tee.ts";
import { batchFrom, batchOf, END, NEVER, TARGET, textTo, writeAndReuse } from "./batches.ts";
import { type Destination, sinkContract } from "./contract.ts";
import { Gate, ScriptedSink } from "./scripted-sink.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const PATH = join(TARGET.version, "artists.ndjson");

/** Files in two folders, which have to agree; or beside a sink that keeps nothing. */
async function create(other: (folder: string) => string, stream: Stream = "records"): Promise<Destination & { readonly folder: string }> {
  const path = stream === "records" ? PATH : PATH.replace("artists", "artists.deleted");
  const folder = await temporaryFolder();
  const first = join(folder.path, "first");
  const second = other(join(folder.path, "second"));
  return {
    sink: openSinks([`file:${first}`, second]),
    folder: folder.path,
    async read() {
      const text = await textOf(join(first, path));
      if (second.startsWith("file:")) expect((await textOf(join(folder.path, "second", path))) === text).toBe(true);
      return text;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function textOf(path: string): Promise<string | null> {
  return (await readFile(path).catch(() => null))?.toString() ?? null;
}

async function createBroken(): Promise<Destination> {
  const folder = await temporaryFolder();
  await writeFile(join(folder.path, "file"), "");
  return {
    sink: openSinks([`file:${join(folder.path, "sound")}`, `file:${join(folder.path, "file", "out")}`]),
    read: async () => null,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const files = { writtenTwice: "appended", visible: "at finish" } as const;
sinkContract({
  name: "file + file",
  capabilities: { ...files, resumable: true },
  create: (stream) => create((folder) => `file:${folder}`, stream),
  createBroken,
});
sinkContract({ name: "file + null", capabilities: { ...files, resumable: false }, create: (stream) => create(() => "null:", stream) });

const failure = () => new DumpError("SINK_FULL", "no space left");
const VERSION: VersionEnd = { ...TARGET, startedAt: "2026-08-01T00:00:00Z", recordCounts: { artists: 1, labels: 1, masters: 1, releases: 1 } };

/** Two sinks, the second of which a test plays with. */
function pair(): { fast: ScriptedSink; slow: ScriptedSink; tee: TeeSink } {
  const fast = new ScriptedSink("a");
  const slow = new ScriptedSink("b");
  return { fast, slow, tee: new TeeSink([slow, fast]) };
}

/** A promise that can be asked whether it has settled. */
function watched(promise: Promise<unknown>): { settled: boolean } {
  const watch = { settled: false };
  const settle = () => {
    watch.settled = true;
  };
  promise.then(settle, settle);
  return watch;
}

/** Time for everything to happen that needs no more than turns of the event loop. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
}

describe("several sinks", () => {
  test("have one name whatever their order, can be resumed if all can, and are not given twice", () => {
    expect(openSinks(["null:", "file:/b", "file:/a"]).name).toBe("file:/a + file:/b + null:");
    expect(openSinks(["file:/a", "null:", "file:/b"]).name).toBe("file:/a + file:/b + null:");
    expect(openSinks(["file:/b", "amqp://u:p@h"])).toMatchObject({ resumable: true });
    expect(openSinks(["file:/b", "-"])).toMatchObject({ resumable: false });
    expect(() => openSinks(["amqp://u:canary@h", "file:/b", "amqp://other:canary@h/"])).toThrow(/^sink amqp:\/\/h\S* is given twice/);
  });

  test("one alone stays what it is, and so do its name and its positions", async () => {
    expect(openSinks(["null:"])).not.toBeInstanceOf(TeeSink);
    expect(openSinks(["file:/a"]).name).toBe("file:/a");
  });

  test("keep rejects with the records of the first that has files, whatever the order they are given in", () => {
    expect(outputFolder(openSinks(["null:", "file:/b", "file:/a"]), "20260801")).toBe("/a/20260801");
    expect(outputFolder(openSinks(["file:/a", "null:", "file:/b"]), "20260801")).toBe("/a/20260801");
    expect(outputFolder(openSinks(["null:", "amqp://h"]), "20260801")).toBeNull();
  });

  test("hold a target if all of them do", async () => {
    const { slow, tee } = pair();
    expect(await tee.holds(TARGET)).toBe(true);
    slow.held = false;
    expect(await tee.holds(TARGET)).toBe(false);
  });

  test("give each sink events of its own", () => {
    const names: string[] = [];
    openSinks(["file:/b", "amqp://u:canary@h", "null:"], (name) => {
      names.push(name);
      return NO_EVENTS;
    });
    expect(names).toEqual(["file:/b", openSinks(["amqp://h"]).name, "null:"]);
  });

  test("are all checked, and all that is wrong is told at once", async () => {
    const { fast, slow, tee } = pair();
    slow.on("check", () => Promise.reject(new DumpError("SINK_UNAVAILABLE", "b is gone")));
    await expect(tee.check(NEVER)).rejects.toThrow(/^b is gone$/);
    fast.on("check", () => Promise.reject(failure()));
    const told: unknown = await tee.check(NEVER).catch((error: unknown) => error);
    expect(told).toMatchObject({ code: "SINK_FULL", message: "no space left; b is gone" });
    const defect = new TypeError("a defect");
    slow.on("check", () => Promise.reject(defect));
    fast.on("check", async () => {});
    await expect(tee.check(NEVER)).rejects.toBe(defect);
  });
});

describe("the slowest of several sinks", () => {
  test("decides when a batch is accepted, and its memory is free", async () => {
    const { fast, slow, tee } = pair();
    const gate = new Gate();
    slow.on("write", gate.wait);
    await using writer = await tee.open(TARGET, null, NEVER);
    const write = writer.write(batchFrom(0, 5), NEVER);
    const watch = watched(write);
    await turns();
    expect([fast.accepted, slow.accepted, watch.settled]).toEqual([5, 0, false]);
    gate.open();
    await write;
    expect(slow.accepted).toBe(5);
  });

  test("decides when a checkpoint may be saved; one that is half done gives no position", async () => {
    const { fast, slow, tee } = pair();
    await using writer = await tee.open(TARGET, null, NEVER);
    await writer.write(batchFrom(0, 5), NEVER);
    const gate = new Gate();
    slow.on("sync", gate.wait);
    const sync = writer.sync(NEVER);
    const watch = watched(sync);
    await writer.write(batchFrom(5, 7), NEVER);
    await turns();
    expect([fast.durable, slow.durable, watch.settled]).toEqual([5, 0, false]);
    gate.open();
    // Both cover what was accepted when it was called, and not what came beside it.
    expect(await sync).toEqual({ "0.records": 5, "0.name": "a", "1.records": 5, "1.name": "b" });
    expect(slow.durable).toBe(5);
  });

  test("decides when consumers hear that a file is complete: all sinks hold it by then", async () => {
    const { fast, slow, tee } = pair();
    await using writer = await tee.open(TARGET, null, NEVER);
    await writer.write(batchFrom(0, 5), NEVER);
    const gate = new Gate();
    slow.on("sync", gate.wait);
    const finish = writer.finish(END, NEVER);
    await turns();
    expect(fast.told).toContain("sync done");
    expect(fast.told).not.toContain("finish");
    gate.open();
    await finish;
    expect([fast.told.at(-1), slow.told.at(-1)]).toEqual(["finish done", "finish done"]);
  });
});

describe("one of several sinks that fails", () => {
  test.each(["write", "sync", "finish"] as const)("in %s fails the run at once, and ends what the others wait for", async (step) => {
    const { fast, slow, tee } = pair();
    const error = failure();
    const writer = await tee.open(TARGET, null, NEVER);
    await writer.write(batchFrom(0, 5), NEVER);
    fast.on(step, () => Promise.reject(error));
    slow.on(step, new Gate().wait); // would wait for ever
    const work = { write: () => writer.write(batchFrom(5, 1), NEVER), sync: () => writer.sync(NEVER), finish: () => writer.finish(END, NEVER) };
    await expect(work[step]()).rejects.toBe(error);
    expect(slow.told.at(-1)).toBe(`${step} failed`);
    await writer[Symbol.asyncDispose]();
    expect([fast.told.at(-1), slow.told.at(-1)]).toEqual(["close done", "close done"]);
  });

  test("is waited for until all have let go of the memory of the batch", async () => {
    const { fast, slow, tee } = pair();
    await using writer = await tee.open(TARGET, null, NEVER);
    const gate = new Gate();
    fast.on("write", () => Promise.reject(failure()));
    slow.on("write", () => gate.wait(NEVER)); // deaf to the signal
    const write = writer.write(batchFrom(0, 5), NEVER);
    const watch = watched(write);
    await turns();
    expect(watch.settled).toBe(false);
    gate.open();
    await expect(write).rejects.toThrow("no space left");
  });

  test("ends a sync that is under way beside the write", async () => {
    const { fast, slow, tee } = pair();
    const error = failure();
    await using writer = await tee.open(TARGET, null, NEVER);
    slow.on("sync", new Gate().wait); // as a broker under an alarm confirms nothing
    const sync = writer.sync(NEVER);
    fast.on("write", () => Promise.reject(error));
    const outcomes = await Promise.allSettled([writer.write(batchFrom(0, 1), NEVER), sync]);
    expect(outcomes).toEqual([
      { status: "rejected", reason: error },
      { status: "rejected", reason: error },
    ]);
    // What one has and another has not is of no use: nothing more is taken.
    await expect(writer.write(batchFrom(0, 1), NEVER)).rejects.toBe(error);
  });

  test("leaves the others where they can be resumed", async () => {
    await using folder = await temporaryFolder();
    const bad = new ScriptedSink("zzz");
    const sinks = (): Sink => new TeeSink([openSinks([`file:${folder.path}`]), bad]);
    let position: SinkPosition;
    {
      await using writer = await sinks().open(TARGET, null, NEVER);
      await writeAndReuse(writer, batchFrom(0, 10));
      position = JSON.parse(JSON.stringify(await writer.sync(NEVER)));
      bad.on("write", () => Promise.reject(failure()));
      await expect(writer.write(batchFrom(10, 10), NEVER)).rejects.toThrow("no space left");
    }
    bad.on("write", async () => {});
    await using writer = await sinks().open(TARGET, position, NEVER);
    expect(bad.openedAt).toEqual({ records: 10, name: "zzz" });
    await writeAndReuse(writer, batchFrom(10, 10));
    await writer.finish(END, NEVER);
    expect(await textOf(join(folder.path, PATH))).toBe(textTo(20));
  });

  test("in opening has the others closed again", async () => {
    const { fast, slow, tee } = pair();
    const error = failure();
    slow.on("open", () => Promise.reject(error));
    fast.on("close", () => Promise.reject(new Error("and closing fails too")));
    await expect(tee.open(TARGET, null, NEVER)).rejects.toBe(error);
    expect(fast.told).toEqual(["open", "open done", "close", "close failed"]);
    fast.on("open", new Gate().wait); // and what is still being opened is broken off
    await expect(tee.open(TARGET, null, NEVER)).rejects.toBe(error);
  });

  test("in announcing ends the others, and in closing does not keep them open", async () => {
    const { fast, slow, tee } = pair();
    const error = failure();
    fast.on("announce", () => Promise.reject(error));
    slow.on("announce", new Gate().wait);
    await expect(tee.announce(VERSION, NEVER)).rejects.toBe(error);
    const writer = await tee.open(TARGET, null, NEVER);
    fast.on("close", () => Promise.reject(error));
    await expect(writer[Symbol.asyncDispose]()).rejects.toBe(error);
    expect(slow.told.at(-1)).toBe("close done");
    await tee[Symbol.asyncDispose]();
    expect([fast.told.at(-1), slow.told.at(-1)]).toEqual(["disposed", "disposed"]);
  });

  test("because its reader has gone is a failure, which it is not alone", async () => {
    const { fast, tee } = pair();
    await using writer = await tee.open(TARGET, null, NEVER);
    fast.on("write", () => Promise.reject(new BrokenPipeError("SINK_UNAVAILABLE", "its reader has gone")));
    const told: unknown = await writer.write(batchOf(["{}"]), NEVER).catch((error: unknown) => error);
    expect(isBrokenPipe(told)).toBe(false);
    expect(told).toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringContaining("the other sinks") });
  });

  test("to hold its position has all of them start afresh", async () => {
    await using destination = await create((folder) => `file:${folder}`);
    let position: SinkPosition;
    {
      await using writer = await destination.sink.open(TARGET, null, NEVER);
      await writeAndReuse(writer, batchFrom(0, 10));
      position = await writer.sync(NEVER);
    }
    await writeFile(join(destination.folder, "second", `${PATH}.partial`), "");
    const lost: unknown = await destination.sink.open(TARGET, position, NEVER).catch((error: unknown) => error);
    expect(isPositionLost(lost)).toBe(true);
    await using writer = await destination.sink.open(TARGET, null, NEVER);
    await writeAndReuse(writer, batchFrom(0, 3));
    await writer.finish(END, NEVER);
    expect(await destination.read()).toBe(textTo(3));
  });

  test("to hold its position is told as such, although the others are broken off", async () => {
    const { fast, slow, tee } = pair();
    fast.on("open", new Gate().wait);
    slow.on("open", () => Promise.reject(new PositionLostError("SINK_UNAVAILABLE", "gone")));
    const lost: unknown = await tee.open(TARGET, { "1.records": 5 }, NEVER).catch((error: unknown) => error);
    expect(isPositionLost(lost)).toBe(true);
    expect([fast.openedAt, slow.openedAt]).toEqual([{}, { records: 5 }]);
  });
});

test("an abort ends what several sinks wait for, with its reason", async () => {
  const { fast, slow, tee } = pair();
  const reason = new Error("stop");
  const writer = await tee.open(TARGET, null, NEVER);
  for (const step of ["write", "sync"] as const) slow.on(step, new Gate().wait);
  const stopping = new AbortController();
  const sync = writer.sync(stopping.signal);
  const write = writer.write(batchFrom(0, 1), stopping.signal);
  await turns();
  stopping.abort(reason);
  expect(await Promise.allSettled([sync, write])).toEqual([
    { status: "rejected", reason },
    { status: "rejected", reason },
  ]);
  await writer[Symbol.asyncDispose]();
  expect([fast.told.at(-1), slow.told.at(-1)]).toEqual(["close done", "close done"]);
});

test("several sinks listen to the signal of a run once for each file, and no longer than that", async () => {
  const { tee } = pair();
  const { signal } = new AbortController();
  const listeners = () => getEventListeners(signal, "abort").length;
  const writer = await tee.open(TARGET, null, signal);
  expect(listeners()).toBe(0);
  for (let ordinal = 0; ordinal < 20; ordinal += 1) await Promise.all([writer.write(batchFrom(ordinal, 1), signal), writer.sync(signal)]);
  expect(listeners()).toBe(1);
  await writer.finish(END, signal);
  await writer[Symbol.asyncDispose]();
  await tee.announce(VERSION, signal);
  expect(listeners()).toBe(0);
});
