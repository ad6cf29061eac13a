import { describe, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import type { Sink, Stream } from "../../src/sink/sink.ts";
import { batchFrom, batchOf, END, NEVER, STREAMS, TARGET, writeAndReuse } from "./batches.ts";
import { atLeastOnceContract, resumeContract } from "./resume-contract.ts";

/** What a sink promises beyond what all of them do. */
export interface Capabilities {
  /** Whether a run into it can go on after a restart. */
  readonly resumable: boolean;
  /** What becomes of records behind the position at which a writer is opened: taken back, or there already and maybe written again. */
  readonly behindPosition?: "dropped" | "repeated";
  /** What becomes of a batch that was accepted and is written again. */
  readonly writtenTwice: "appended" | "ignored";
  /** When a reader of the destination sees what was written. */
  readonly visible: "at finish" | "at once" | "never";
}

/** A sink in front of a destination of its own, and a look at what arrived there. */
export interface Destination extends AsyncDisposable {
  readonly sink: Sink;
  /** The text a reader finds under the target's final name, or null if there is nothing yet; of deletions the tombstones that arrived, or took effect. */
  read(): Promise<string | null>;
}

/** What the contract needs to know of an implementation. */
export interface Subject {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** A destination that is read for what one stream brings there. */
  create(stream: Stream): Promise<Destination>;
  /** The same kind of sink with its destination gone; absent if it has none to lose. */
  createBroken?(): Promise<Destination>;
}

/** What every sink must pass, with records and with tombstones. */
export function sinkContract(subject: Subject): void {
  for (const stream of ["records", "deletions"] as const) streamContract(subject, stream);
}

function streamContract(subject: Subject, stream: Stream): void {
  const { capabilities } = subject;
  const { target, many, batchFrom, textTo } = STREAMS[stream];
  const seen = (text: string) => (capabilities.visible === "never" ? null : text);

  describe(`${subject.name} keeps the sink contract for ${stream}`, () => {
    test(`says that it is ${capabilities.resumable ? "" : "not "}resumable`, async () => {
      await using destination = await subject.create(stream);
      expect(destination.sink.resumable).toBe(capabilities.resumable);
    });

    test("passes its check, also twice, and shows nothing for it", async () => {
      await using destination = await subject.create(stream);
      await destination.sink.check(NEVER);
      await destination.sink.check(NEVER);
      expect((await destination.read()) ?? "").toBe("");
    });

    test("writes batches in order, from shared memory that is used again at once", async () => {
      await using destination = await subject.create(stream);
      await using writer = await destination.sink.open(target, null, NEVER);
      await writeAndReuse(writer, batchFrom(0, 3));
      await writeAndReuse(writer, batchFrom(3, many)); // several MiB: more than a pipe or a compressed piece
      await writeAndReuse(writer, batchFrom(many + 3, 2));
      await writer.finish(END, NEVER);
      expect((await destination.read()) === seen(textTo(many + 5))).toBe(true);
    });

    test(`has a batch written twice ${capabilities.writtenTwice}`, async () => {
      await using destination = await subject.create(stream);
      await using writer = await destination.sink.open(target, null, NEVER);
      await writer.write(batchFrom(0, 2), NEVER);
      await writer.write(batchFrom(0, 2), NEVER);
      await writer.finish(END, NEVER);
      expect(await destination.read()).toBe(seen(textTo(2).repeat(capabilities.writtenTwice === "appended" ? 2 : 1)));
    });

    test("takes a batch without bodies, and a target without batches", async () => {
      await using destination = await subject.create(stream);
      await using writer = await destination.sink.open(target, null, NEVER);
      await writer.write(batchOf([]), NEVER);
      await writer.sync(NEVER);
      await writer.finish(END, NEVER);
      expect(await destination.read()).toBe(seen(""));
    });

    test(`shows what it was given ${capabilities.visible}`, async () => {
      await using destination = await subject.create(stream);
      await using writer = await destination.sink.open(target, null, NEVER);
      await writer.write(batchFrom(0, 2), NEVER);
      await writer.sync(NEVER);
      if (capabilities.visible !== "at once") expect(await destination.read()).toBeNull();
      await writer.finish(END, NEVER);
      expect(await destination.read()).toBe(seen(textTo(2)));
    });

    test("does nothing once it was told to stop", async () => {
      await using destination = await subject.create(stream);
      await using writer = await destination.sink.open(target, null, NEVER);
      await writer.write(batchFrom(0, 1), NEVER);
      const reason = new Error("stop");
      const stopped = AbortSignal.abort(reason);
      await expect(writer.write(batchFrom(1, 1), stopped)).rejects.toBe(reason);
      await expect(writer.sync(stopped)).rejects.toBe(reason);
      await expect(writer.finish(END, stopped)).rejects.toBe(reason);
      await expect(destination.sink.open(target, null, stopped)).rejects.toBe(reason);
      await expect(destination.sink.check(stopped)).rejects.toBe(reason);
      if (capabilities.visible === "at finish") expect(await destination.read()).toBeNull();
    });

    test("ends a write that is under way when it is told to stop, one way or the other", async () => {
      await using destination = await subject.create(stream);
      await using writer = await destination.sink.open(target, null, NEVER);
      const stopping = new AbortController();
      const write = writer.write(batchFrom(0, many), stopping.signal);
      const reason = new Error("stop");
      stopping.abort(reason);
      const [outcome] = await Promise.allSettled([write]);
      if (outcome.status === "rejected") expect(outcome.reason).toBe(reason);
    });

    test("closes twice, with a write behind it, after finishing, and without any use", async () => {
      await using destination = await subject.create(stream);
      const unused = await destination.sink.open(target, null, NEVER);
      await unused[Symbol.asyncDispose]();
      const writer = await destination.sink.open(target, null, NEVER);
      await writer.write(batchFrom(0, 1), NEVER);
      await writer[Symbol.asyncDispose]();
      await writer[Symbol.asyncDispose]();
      const finished = await destination.sink.open(target, null, NEVER);
      await finished.finish(END, NEVER);
      await finished[Symbol.asyncDispose]();
      await finished[Symbol.asyncDispose]();
      await destination.sink[Symbol.asyncDispose]();
      await destination.sink[Symbol.asyncDispose]();
    });

    const { createBroken } = subject;
    if (createBroken !== undefined && stream === "records") {
      test("fails without its destination, in one line and once", async () => {
        await using destination = await createBroken();
        const failure = await useAll(destination.sink).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (!(failure instanceof DumpError)) throw new Error("not a DumpError", { cause: failure });
        expect(failure.code).toBe("SINK_UNAVAILABLE");
        expect(failure.message).not.toContain("\n");
        expect(failure.cause).toBeDefined();
      });
    }
  });

  if (capabilities.resumable && capabilities.behindPosition === "repeated") atLeastOnceContract(subject, stream);
  else if (capabilities.resumable) resumeContract(subject, stream);
}

/** A short run; a failure must come out as it is, not beneath one of the closing. */
async function useAll(sink: Sink): Promise<void> {
  await sink.check(NEVER);
  await using writer = await sink.open(TARGET, null, NEVER);
  for (let ordinal = 0; ordinal < 100; ordinal += 1) await writer.write(batchFrom(ordinal, 1000), NEVER);
  await writer.finish(END, NEVER);
}
