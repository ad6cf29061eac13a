import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SinkPosition } from "../../src/model.ts";
import type { SinkWriter, Stream } from "../../src/sink/sink.ts";
import { END, NEVER, STREAMS, writeAndReuse } from "./batches.ts";
import type { Subject } from "./contract.ts";

/** What a sink that can be resumed must pass beside the rest. */
export function resumeContract({ name, create }: Subject, stream: Stream): void {
  const { target, batchFrom, textTo } = STREAMS[stream];

  describe(`${name} can be resumed with ${stream}`, () => {
    test("drops what lies behind the position it is opened at", async () => {
      await using destination = await create(stream);
      let position: SinkPosition;
      {
        await using writer = await destination.sink.open(target, null, NEVER);
        await writeAndReuse(writer, batchFrom(0, 10));
        position = await writer.sync(NEVER);
        await writeAndReuse(writer, batchFrom(900, 10));
        await writer.sync(NEVER);
      }
      await using writer = await destination.sink.open(target, throughJson(position), NEVER);
      await writeAndReuse(writer, batchFrom(10, 5));
      await writer.finish(END, NEVER);
      expect(await destination.read()).toBe(textTo(15));
    });

    test("covers with a sync exactly what was accepted when it was called, beside a write too", async () => {
      await using destination = await create(stream);
      await using first = await destination.sink.open(target, null, NEVER);
      await first.write(batchFrom(0, 10), NEVER);
      const write = first.write(batchFrom(10, 20_000), NEVER);
      const early = await first.sync(NEVER);
      await write;
      const late = await first.sync(NEVER);
      await using second = await destination.sink.open(target, throughJson(late), NEVER);
      await second.finish(END, NEVER);
      expect((await destination.read()) === textTo(20_010)).toBe(true);
      // The file is published now, and the earlier position still holds: as after a crash before the end was recorded.
      await using third = await destination.sink.open(target, throughJson(early), NEVER);
      await third.finish(END, NEVER);
      expect(await destination.read()).toBe(textTo(10));
    });

    test("starts from nothing when it is opened without a position", async () => {
      await using destination = await create(stream);
      await using first = await destination.sink.open(target, null, NEVER);
      await first.write(batchFrom(500, 10), NEVER);
      await first.sync(NEVER);
      await using second = await destination.sink.open(target, null, NEVER);
      await second.write(batchFrom(0, 1), NEVER);
      await second.finish(END, NEVER);
      expect(await destination.read()).toBe(textTo(1));
    });

    test("has the acknowledged records after any order of writes, syncs and crashes", async () => {
      const step = fc.oneof(
        fc.record({ do: fc.constant("write" as const), count: fc.integer({ min: 0, max: 40 }) }),
        fc.record({ do: fc.constant("write and sync" as const), count: fc.integer({ min: 0, max: 40 }) }),
        fc.record({ do: fc.constantFrom("sync" as const, "crash" as const) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          await using destination = await create(stream);
          await using abandoned = new Abandoned();
          let position: SinkPosition | null = null;
          let durable = 0;
          let accepted = 0;
          let writer: SinkWriter = abandoned.use(await destination.sink.open(target, null, NEVER));
          for (const action of steps) {
            if (action.do === "crash") {
              writer = abandoned.use(await destination.sink.open(target, throughJson(position), NEVER));
              accepted = durable;
              continue;
            }
            const before = accepted;
            const write = "count" in action ? writeAndReuse(writer, batchFrom(accepted, action.count)) : undefined;
            if (action.do === "write") await write;
            if (action.do !== "write") {
              position = await writer.sync(NEVER);
              durable = before;
            }
            await write;
            if ("count" in action) accepted += action.count;
          }
          await writer.finish(END, NEVER);
          expect(await destination.read()).toBe(textTo(accepted));
        }),
        { numRuns: 60 },
      );
    });
  });
}

/** What a sink must pass that can be resumed, but cannot take back what it has given away. */
export function atLeastOnceContract({ name, create }: Subject, stream: Stream): void {
  const { target, batchFrom, textTo } = STREAMS[stream];
  const most = Math.min(STREAMS[stream].many, 20_000);

  describe(`${name} can be resumed with ${stream}`, () => {
    test("has everything before a position, and goes on behind it", async () => {
      await using destination = await create(stream);
      let position: SinkPosition;
      {
        await using writer = await destination.sink.open(target, null, NEVER);
        await writeAndReuse(writer, batchFrom(0, 10));
        position = await writer.sync(NEVER);
        expect(await destination.read()).toBe(textTo(10));
        await writeAndReuse(writer, batchFrom(10, 10));
      }
      await using writer = await destination.sink.open(target, throughJson(position), NEVER);
      await writeAndReuse(writer, batchFrom(10, 15));
      await writer.finish(END, NEVER);
      expect(unique(await destination.read())).toBe(textTo(25));
    });

    test("covers with a sync what was accepted when it was called, beside a write too", async () => {
      await using destination = await create(stream);
      await using writer = await destination.sink.open(target, null, NEVER);
      await writer.write(batchFrom(0, 10), NEVER);
      const write = writer.write(batchFrom(10, most - 10), NEVER);
      const early = await writer.sync(NEVER);
      expect((await destination.read())?.startsWith(textTo(10))).toBe(true);
      await write;
      const late = await writer.sync(NEVER);
      expect((await destination.read()) === textTo(most)).toBe(true);
      expect(late).not.toEqual(early);
    });
  });
}

/** The lines without those that came before. */
function unique(text: string | null): string {
  return [...new Set((text ?? "").split("\n"))].join("\n");
}

/** A position as it comes back from a state marker. */
function throughJson<T extends SinkPosition | null>(position: T): T {
  return JSON.parse(JSON.stringify(position));
}

/** Holds writers that were left open, as a killed process leaves them, until the test is over. */
class Abandoned implements AsyncDisposable {
  readonly #held: AsyncDisposable[] = [];

  use<T extends AsyncDisposable>(value: T): T {
    this.#held.push(value);
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const value of this.#held) await value[Symbol.asyncDispose]();
  }
}
