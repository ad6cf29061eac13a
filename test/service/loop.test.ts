import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { ServiceBoard } from "../../src/discogs/service-board.ts";
import { type LoopSettings, serviceLoop } from "../../src/discogs/service-loop.ts";
import type { RunOutcome } from "../../src/discogs/service-run.ts";
import { DumpError } from "../../src/errors.ts";
import { silentTelemetry } from "../../src/telemetry.ts";
import { FakeClock } from "../telemetry/fake-clock.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const SETTINGS: LoopSettings = { startupDelaySeconds: 0, forceFirst: false, periodicCheckDays: 15, cooldownSeconds: 60 };

/** The loop with a clock that is moved by hand and runs that end as they are told. */
class Loop {
  readonly clock = new FakeClock();
  readonly telemetry = silentTelemetry();
  readonly board = new ServiceBoard({ contract: "topic", mode: "normal" }, this.telemetry);
  readonly stop = new AbortController();
  /** Whether each run that began was forced. */
  readonly forced: boolean[] = [];
  end: "stopped" | "failed" | null = null;
  #running: { resolve: (outcome: RunOutcome) => void; reject: (error: unknown) => void } | null = null;

  async start(settings: Partial<LoopSettings> = {}): Promise<this> {
    const { board, telemetry, clock } = this;
    const run = (force: boolean) => {
      this.forced.push(force);
      return new Promise<RunOutcome>((resolve, reject) => {
        this.#running = { resolve, reject };
      });
    };
    void serviceLoop({ ...SETTINGS, ...settings }, { board, telemetry, clock, run, stopping: this.stop.signal }).then((end) => {
      this.end = end;
    });
    await settle();
    return this;
  }

  async succeed(outcome: RunOutcome = "complete"): Promise<void> {
    this.#running?.resolve(outcome);
    await settle();
  }

  async fail(error: unknown = new DumpError("SINK_UNAVAILABLE", "the broker is away")): Promise<void> {
    this.#running?.reject(error);
    await settle();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settle();
  }

  async trigger(forceReprocess = false): Promise<string> {
    const answer = this.board.trigger({ forceReprocess });
    await settle();
    return answer;
  }

  async stopNow(): Promise<void> {
    this.stop.abort();
    await settle();
  }
}

/** What follows from what has happened is done after a few turns of the event loop. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await turn();
}

let loop: Loop;
afterEach(() => loop.stop.abort());

describe("a first run that fails", () => {
  test("is followed by the cool-down, which shows why, and then by the end", async () => {
    loop = await new Loop().start();
    expect([loop.board.status, loop.board.errorMessage]).toEqual(["running", null]);
    await loop.fail();
    expect([loop.board.status, loop.board.errorMessage]).toEqual(["failed", "the broker is away"]);
    expect(loop.board.unreadyReason).toContain("the broker is away");
    await loop.pass(59_999);
    expect(loop.end).toBeNull();
    await loop.pass(1);
    expect([loop.end, loop.forced.length]).toEqual(["failed", 1]);
  });

  test("ends at once without a cool-down", async () => {
    loop = await new Loop().start({ cooldownSeconds: 0 });
    await loop.fail();
    expect(loop.end).toBe("failed");
  });

  test("can be tried again during the cool-down; success makes the service go on", async () => {
    loop = await new Loop().start();
    await loop.fail();
    expect(await loop.trigger(true)).toBe("started");
    expect([loop.board.status, loop.board.errorMessage, loop.forced]).toEqual(["running", null, [false, true]]);
    await loop.pass(DAY_MS); // the cool-down is over by far
    expect(loop.end).toBeNull();
    await loop.succeed();
    expect(loop.board.status).toBe("waiting");
    await loop.pass(15 * DAY_MS);
    expect(loop.forced).toEqual([false, true, false]);
  });

  test("and fails again cools down anew", async () => {
    loop = await new Loop().start();
    await loop.fail();
    await loop.pass(59_000);
    await loop.trigger();
    await loop.fail();
    await loop.pass(59_999);
    expect(loop.end).toBeNull();
    await loop.pass(1);
    expect(loop.end).toBe("failed");
  });

  test("shows errors that nobody expected, in one line", async () => {
    loop = await new Loop().start();
    await loop.fail(new TypeError("no such thing"));
    expect(loop.board.errorMessage).toMatch(/^TypeError: no such thing[^\n]*$/);
  });
});

describe("a trigger that no run would follow is not taken", () => {
  test("behind the cool-down", async () => {
    loop = await new Loop().start();
    await loop.fail();
    await loop.pass(60_000);
    expect(loop.end).toBe("failed");
    expect(await loop.trigger(true)).toBe("already_running");
    expect(loop.forced).toEqual([false]);
  });

  test.each([
    ["waiting", async () => loop.succeed()],
    ["cooling down", async () => loop.fail()],
  ])("from the signal on, while %s", async (_, before) => {
    loop = await new Loop().start();
    await before();
    loop.stop.abort();
    expect(loop.board.trigger({ forceReprocess: false })).toBe("already_running"); // before the loop has noticed
    await loop.stopNow();
    expect([loop.end, loop.board.trigger({ forceReprocess: false })]).toEqual(["stopped", "already_running"]);
    expect(loop.forced).toEqual([false]);
  });

  test("while the start is delayed", async () => {
    loop = await new Loop().start({ startupDelaySeconds: 600 });
    await loop.stopNow();
    expect([loop.end, await loop.trigger()]).toEqual(["stopped", "already_running"]);
  });

  test("where a run ends behind the signal", async () => {
    loop = await new Loop().start();
    loop.stop.abort();
    await loop.succeed();
    expect([loop.end, await loop.trigger()]).toEqual(["stopped", "already_running"]);
  });

  test("but at the last moment of the cool-down it is", async () => {
    loop = await new Loop().start();
    await loop.fail();
    loop.clock.advance(60_000);
    expect(loop.board.trigger({ forceReprocess: true })).toBe("started"); // the loop has not gone on yet
    await loop.pass(0);
    expect([loop.end, loop.forced]).toEqual([null, [false, true]]);
  });
});

describe("waiting", () => {
  test.each([1, 15, 36_500])("lasts %i days, to the millisecond", async (periodicCheckDays) => {
    loop = await new Loop().start({ periodicCheckDays });
    await loop.succeed();
    expect(loop.board.status).toBe("waiting");
    await loop.pass(1);
    expect(loop.forced).toHaveLength(1);
    await loop.pass(periodicCheckDays * DAY_MS - 2);
    expect(loop.forced).toHaveLength(1);
    await loop.pass(1);
    expect([loop.board.status, loop.forced]).toEqual(["running", [false, false]]);
  });

  test("sets no timer beyond what a timer can hold", async () => {
    loop = await new Loop().start({ periodicCheckDays: 36_500 });
    await loop.succeed();
    for (let hour = 0; hour < 100; hour += 1) {
      expect(loop.clock.waiting).toBe(1);
      await loop.pass(HOUR_MS);
    }
    expect(loop.forced).toHaveLength(1);
  });

  test("goes on after failures, whose status stays until the next run", async () => {
    loop = await new Loop().start();
    await loop.succeed();
    await loop.pass(15 * DAY_MS);
    await loop.fail();
    expect([loop.end, loop.board.status, loop.board.errorMessage]).toEqual([null, "failed", "the broker is away"]);
    await loop.pass(15 * DAY_MS - 1);
    expect(loop.board.status).toBe("failed");
    await loop.pass(1);
    expect([loop.board.status, loop.board.errorMessage]).toEqual(["running", null]);
    await loop.fail();
    await loop.trigger();
    await loop.succeed();
    expect([loop.end, loop.board.status, loop.board.errorMessage]).toEqual([null, "waiting", null]);
  });

  test("follows an incomplete run as it follows a complete one", async () => {
    loop = await new Loop().start();
    await loop.succeed("incomplete");
    expect([loop.board.status, loop.board.unreadyReason]).toEqual(["waiting", "the sink was not reached yet"]);
  });
});

describe("force", () => {
  test("holds for the first run only", async () => {
    loop = await new Loop().start({ forceFirst: true });
    await loop.succeed();
    await loop.pass(15 * DAY_MS);
    await loop.succeed();
    await loop.trigger();
    expect(loop.forced).toEqual([true, false, false]);
  });

  test("comes from a trigger too", async () => {
    loop = await new Loop().start();
    await loop.succeed();
    await loop.trigger(true);
    await loop.succeed();
    await loop.pass(15 * DAY_MS);
    expect(loop.forced).toEqual([false, true, false]);
  });
});

describe("a trigger", () => {
  test("is refused during a run and leaves nothing behind", async () => {
    loop = await new Loop().start();
    expect(await loop.trigger(true)).toBe("already_running");
    await loop.succeed();
    await loop.pass(DAY_MS);
    expect([loop.board.status, loop.forced]).toEqual(["waiting", [false]]);
  });

  test("has a single slot, which a later one overwrites", async () => {
    loop = await new Loop().start({ startupDelaySeconds: 60 });
    expect([await loop.trigger(true), await loop.trigger(false)]).toEqual(["started", "started"]);
    await loop.pass(60_000);
    await loop.succeed();
    await loop.pass(DAY_MS);
    expect(loop.forced).toEqual([false]);
  });

  test.each([true, false])("before the first run is answered by the first run (forced anyway: %s), not by a second one", async (forceFirst) => {
    loop = await new Loop().start({ startupDelaySeconds: 60, forceFirst });
    expect(loop.board.status).toBe("idle");
    await loop.trigger(true);
    await loop.pass(60_000);
    await loop.succeed();
    await loop.pass(DAY_MS);
    expect([loop.board.status, loop.forced]).toEqual(["waiting", [true]]);
  });

  test("starts the time to the periodic check anew", async () => {
    loop = await new Loop().start();
    await loop.succeed();
    await loop.pass(14 * DAY_MS);
    await loop.trigger();
    await loop.succeed();
    await loop.pass(15 * DAY_MS - 1);
    expect(loop.forced).toHaveLength(2);
    await loop.pass(1);
    expect(loop.forced).toHaveLength(3);
  });
});

describe("stop", () => {
  async function expectNoMoreRuns(runs: number): Promise<void> {
    expect(loop.end).toBe("stopped");
    loop.board.trigger({ forceReprocess: true });
    await loop.pass(100 * DAY_MS);
    expect([loop.end, loop.forced.length, loop.clock.waiting]).toEqual(["stopped", runs, 0]);
  }

  test("in the delay at the start", async () => {
    loop = await new Loop().start({ startupDelaySeconds: 60 });
    await loop.stopNow();
    await expectNoMoreRuns(0);
  });

  test("before the start", async () => {
    loop = new Loop();
    loop.stop.abort();
    await loop.start();
    await expectNoMoreRuns(0);
  });

  test("in the first run, which ends by itself", async () => {
    loop = await new Loop().start();
    await loop.stopNow();
    expect(loop.end).toBeNull();
    await loop.succeed("stopped");
    await expectNoMoreRuns(1);
  });

  test.each([
    ["broken off", new DOMException("aborted", "AbortError")],
    ["failed", new DumpError("SINK_UNAVAILABLE", "the broker is away")],
  ])("in the first run, which is %s by it", async (_, error) => {
    loop = await new Loop().start();
    await loop.stopNow();
    await loop.fail(error);
    await expectNoMoreRuns(1);
  });

  test("in the cool-down", async () => {
    loop = await new Loop().start();
    await loop.fail();
    await loop.stopNow();
    await expectNoMoreRuns(1);
  });

  test("in the cool-down, together with a trigger", async () => {
    loop = await new Loop().start();
    await loop.fail();
    loop.board.trigger({ forceReprocess: false });
    await loop.stopNow();
    await expectNoMoreRuns(1);
  });

  test("while waiting", async () => {
    loop = await new Loop().start();
    await loop.succeed();
    await loop.pass(DAY_MS);
    await loop.stopNow();
    await expectNoMoreRuns(1);
  });

  test("while waiting, together with a trigger", async () => {
    loop = await new Loop().start();
    await loop.succeed();
    loop.board.trigger({ forceReprocess: false });
    await loop.stopNow();
    await expectNoMoreRuns(1);
  });

  test("in a later run", async () => {
    loop = await new Loop().start();
    await loop.succeed();
    await loop.trigger();
    await loop.stopNow();
    await loop.fail(new DOMException("aborted", "AbortError"));
    await expectNoMoreRuns(2);
  });
});
