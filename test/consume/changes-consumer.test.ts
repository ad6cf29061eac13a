import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Change, ChangeSummary } from "../../src/consume/change.ts";
import { ChangesConsumer, type ChangesConsumerOptions } from "../../src/consume/changes-consumer.ts";
import { CONTRACTS } from "../../src/model.ts";
import { Broker } from "../services/rabbitmq.ts";
import { VirtualHost } from "../services/virtual-host.ts";
import { until } from "../sink/sink-events.ts";
import { change, changesNames, publishChanges } from "./changes-scene.ts";

const START_MS = 300_000;

let broker: Broker;
let host: VirtualHost;
beforeAll(async () => {
  broker = await Broker.start();
  host = await VirtualHost.create(broker.address);
}, START_MS);
afterEach(() => host.empty());
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

/** Remembers what it was given, and fails where it is told to. */
class Recorder extends ChangesConsumer implements AsyncDisposable {
  readonly given: string[] = [];
  readonly changes: Change[] = [];
  readonly summaries: ChangeSummary[] = [];
  readonly notes: string[];
  /** Ids, and how often each still fails. */
  readonly failures = new Map<string, number>();
  /** Changes wait while this is set. */
  gate: Promise<void> | null = null;
  readonly ended: Promise<void>;

  constructor(options: Partial<ChangesConsumerOptions> = {}, signal?: AbortSignal) {
    const notes: string[] = [];
    super({ url: host.url(), service: "recorder", backoffMs: 20, onNote: (text) => notes.push(text), ...options });
    this.notes = notes;
    this.ended = this.run(signal);
    this.ended.catch(() => {}); // who waits for the end hears of it
  }

  override async process(given: Change): Promise<void> {
    this.given.push(given.record_id);
    await this.gate;
    const left = this.failures.get(given.record_id) ?? 0;
    this.failures.set(given.record_id, left - 1);
    if (left > 0) throw new Error(`${given.record_id} fails`);
    this.changes.push(given);
  }

  override processSummary(summary: ChangeSummary): void {
    this.summaries.push(summary);
  }

  async consumes(times = 1): Promise<this> {
    await until(() => this.notes.filter((note) => note.startsWith("consuming")).length >= times);
    return this;
  }

  get ids(): string[] {
    return this.changes.map(({ record_id }) => record_id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.ended.catch(() => {});
  }
}

describe.each(CONTRACTS)("%s", (contract) => {
  const { queue } = changesNames(contract, "recorder");

  test("gives each change of all types once, in order, with the hash of what is deleted", async () => {
    await using recorder = await new Recorder({ contract }).consumes();
    await publishChanges(host, contract, [change("1", "created"), change("2", "updated", "releases")]);
    await publishChanges(host, contract, [change("3", "deleted", "labels")], "ab".repeat(16));
    await until(() => recorder.changes.length === 3);
    expect(recorder.changes).toStrictEqual([
      change("1", "created"),
      change("2", "updated", "releases"),
      { ...change("3", "deleted", "labels"), hash: "ab".repeat(16) },
    ]);
    recorder.stop();
    await recorder.ended;
    expect([await host.depth(queue), await host.depth(`${queue}.dlq`)]).toEqual([0, 0]);
  });

  test("gives what it cannot deal with to the dead letters as it came, and nothing that it was told to leave", async () => {
    class Waiting extends Recorder {
      override async process(given: Change, signal?: AbortSignal): Promise<void> {
        if (given.change_type === "deleted") throw new Error("never");
        this.given.push(given.record_id);
        await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("told to end")), { once: true }));
      }
    }
    const ending = new AbortController();
    await using recorder = new Waiting({ contract, attempts: 1 }, ending.signal);
    await recorder.consumes();
    await publishChanges(host, contract, [change("1", "deleted")], "ab".repeat(16));
    await publishChanges(host, contract, [change("2", "updated")]);
    await until(() => recorder.given.includes("2"));
    ending.abort();
    await recorder.ended.catch(() => {});
    const dead = await host.drain(`${queue}.dlq`);
    expect(dead.map(({ headers }) => headers)).toEqual([{ "x-deadwax-hash": "ab".repeat(16), "x-deadwax-reason": "failed 1 times: never" }]);
    await until(async () => (await host.depth(queue)) === 1);
  });

  test("tries again what fails, gives up after so many attempts, and goes on", async () => {
    await using recorder = new Recorder({ contract, attempts: 3 });
    recorder.failures.set("2", 2);
    recorder.failures.set("4", Number.POSITIVE_INFINITY);
    await recorder.consumes();
    await publishChanges(
      host,
      contract,
      ["1", "2", "3", "4", "5"].map((id) => change(id, "updated")),
    );
    await until(() => recorder.ids.includes("5"));
    expect(recorder.given).toEqual(["1", "2", "2", "2", "3", "4", "4", "4", "5"]);
    expect(recorder.ids).toEqual(["1", "2", "3", "5"]);
    const [dead, ...more] = await host.drain(`${queue}.dlq`);
    expect(more).toEqual([]);
    expect(JSON.parse(dead?.body.toString() ?? "")).toStrictEqual(change("4", "updated"));
    expect(dead).toMatchObject({ messageId: "20260801/artists/3/change", headers: { "x-deadwax-reason": "failed 3 times: 4 fails" } });
    expect(recorder.notes.filter((note) => note.includes("goes to the dead letters"))).toHaveLength(1);
  });
});

const DAY_MS = 24 * 60 * 60 * 1000;
test.each([
  ["after 45 days", {}, { "x-expires": 45 * DAY_MS }],
  ["as late as RabbitMQ can", { queueExpiresDays: 49 }, { "x-expires": 49 * DAY_MS }],
  ["never", { queueExpiresDays: 0 }, {}],
])("has a queue that goes away without a reader: %s", async (_, options, wanted) => {
  await using recorder = await new Recorder(options).consumes();
  const { queue } = changesNames("topic", "recorder");
  const declared = await host.api<{ readonly arguments: object }>("GET", `queues/${host.name}/${queue}`);
  expect(declared.arguments).toEqual(wanted);
  recorder.stop();
  await recorder.ended;
});

test("says how to match a queue that was declared otherwise", async () => {
  const { queue } = changesNames("topic", "recorder");
  await (await host.channel()).queueDeclare({ queue, durable: true });
  await using recorder = new Recorder();
  await expect(recorder.ended).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE", message: expect.stringContaining("--queue-expires-days") });
});

test("gives what is no change to the dead letters, and a summary to who wants it", async () => {
  await using recorder = await new Recorder().consumes();
  const common = { data_type: "artists", processing_run_id: "r", timestamp: "2026-08-05T04:00:00.000Z" };
  const summary = { ...common, change_type: "summary", counts: { created: 2, updated: 0 }, sample: { created: ["1", "2"], updated: [] } };
  const bad = ["junk", "[]", { ...change("1", "created"), data_type: "pets" }, { ...change("1", "created"), change_type: "unchanged" }];
  const worse = [
    { ...change("1", "created"), record_id: 1 },
    { ...change("1", "created"), timestamp: "soon" },
    { ...summary, counts: {} },
  ];
  await publishChanges(host, "topic", [...bad, ...worse, summary, change("9", "created")]);
  await until(() => recorder.changes.length === 1);
  expect([recorder.ids, recorder.summaries]).toStrictEqual([["9"], [summary]]);
  const dead = await host.drain(changesNames("topic", "recorder").queue.concat(".dlq"));
  expect(dead.map(({ headers }) => headers?.["x-deadwax-reason"])).toEqual([
    "the body is not JSON",
    "the body is not a JSON object",
    "data_type is not one of the four",
    "change_type is none of created, updated, deleted",
    "record_id is not a string",
    "timestamp is not a time",
    "the summary has no counts or no sample",
  ]);
});

test("what was under way when a connection went comes again, and nothing is lost", async () => {
  await using recorder = await new Recorder().consumes();
  let open = () => {};
  recorder.gate = new Promise((resolve) => {
    open = resolve;
  });
  const ids = Array.from({ length: 120 }, (_, index) => String(index));
  await publishChanges(
    host,
    "topic",
    ids.map((id) => change(id, "updated")),
  );
  await until(() => recorder.given.length === 1);
  broker.ctl("close_all_connections", "--vhost", host.name, "for a test");
  await until(() => recorder.notes.some((note) => note.startsWith("lost the connection")));
  recorder.gate = null;
  open();
  await until(() => recorder.ids.includes("119"));
  expect(recorder.ids).toEqual(["0", ...ids]);
});

test("goes on when the broker is stopped and started, then killed and started", { timeout: START_MS }, async () => {
  await using recorder = await new Recorder().consumes();
  for (const [round, end] of [() => broker.stop(), () => broker.crash()].entries()) {
    await publishChanges(host, "topic", [change(`${round}`, "created")]);
    await until(() => recorder.ids.includes(`${round}`));
    await end();
    await until(() => recorder.notes.some((note) => note.startsWith("connecting again")));
    await broker.restart();
    await recorder.consumes(round + 2);
  }
  await publishChanges(host, "topic", [change("last", "created")]);
  await until(() => recorder.ids.includes("last"));
});

test("ends behind the change that is under way, and leaves the rest in the queue", async () => {
  await using recorder = new Recorder();
  recorder.failures.set("2", Number.POSITIVE_INFINITY);
  await recorder.consumes();
  await publishChanges(
    host,
    "topic",
    ["1", "2", "3"].map((id) => change(id, "updated")),
  );
  await until(() => recorder.given.includes("2"));
  recorder.stop();
  await recorder.ended;
  expect(recorder.ids).toEqual(["1"]);
  await until(async () => (await host.depth(changesNames("topic", "recorder").queue)) === 2);
});

test.each([
  [{ service: "a b" }, "service"],
  [{ service: "" }, "service"],
  [{ prefetch: 0 }, "prefetch"],
  [{ attempts: 1.5 }, "attempts"],
  [{ queueExpiresDays: 50 }, "queueExpiresDays"],
])("refuses %j at once", (options, what) => {
  class Silent extends ChangesConsumer {
    override process(): void {}
  }
  expect(() => new Silent({ url: "amqp://h", service: "s", ...options })).toThrow(what);
});

test("the documented example prints the three kinds", async () => {
  const child: ChildProcess = spawn(process.execPath, ["docs/examples/print-changes.mjs", host.url()]);
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close");
  await until(() => stderr.includes("consuming discogsography-printer-changes"));
  await publishChanges(host, "topic", [change("1", "created"), change("2", "updated", "masters"), change("3", "deleted", "releases")]);
  await until(() => stdout.split("\n").length === 4);
  child.kill("SIGTERM");
  expect((await ended)[0]).toBe(0);
  expect(stdout).toBe("created artists 1\nupdated masters 2\ndeleted releases 3\n");
});
