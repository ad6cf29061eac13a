import { describe, expect, it } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Telemetry } from "../../src/telemetry.ts";
import { emojiOf } from "./emoji.ts";
import { FakeClock } from "./fake-clock.ts";

const reject = { offset: 77, id: null, kind: "end-tag-mismatch", message: "at byte 80", raw: "<artist>" };
const batch = { dataType: "artists", read: 3, written: 1, empty: 1, unknownIds: 1, rejects: [reject], xmlBytes: 500, compressedBytes: 100 } as const;
const error = new DumpError("SINK_FULL", "no space left");
const file = { name: "f", dataType: null, size: 1000 };

type Events = Record<string, (...args: never[]) => unknown>;

/** Everything that can be told, with whatever words it takes. */
function tellAll(telemetry: Telemetry, clock: FakeClock, sinkEvents = telemetry.sinkEvents.of("amqp://h")): void {
  const { siteEvents, service, server } = telemetry;
  for (const version of ["20260801"]) telemetry.versionsPassedOver([version]);
  telemetry.runStarted({ version: "20260801", mode: "normal", contract: "topic", sink: "file:out", threads: 1, files: [file, { ...file, name: "g" }] });
  telemetry.verifyStarted("f", "a full pass");
  telemetry.verifyProgressed("f", 10);
  clock.advance(11_000); // progress of verification
  telemetry.verified("f", 0.5);
  telemetry.verifySkipped("f");
  telemetry.fileSkipped("g");
  telemetry.fileStarted("f", "artists", null);
  telemetry.fileStarted("f", "artists", { ordinal: 5000, offset: 123, compressedBytes: 40 });
  telemetry.batchWritten("f", batch);
  telemetry.batchWritten("f", batch, false);
  clock.advance(125_000); // progress, and a stall
  telemetry.batchWritten("f", batch);
  telemetry.checkpointSaved("f", { ordinal: 3, offset: 600 });
  telemetry.stateDiscarded("marker", "torn", null);
  telemetry.qualityReported("📊 Data Quality Report for discogs_20260801:\n  artists: 1 errors\n");
  telemetry.fileCompleted("f", 2);
  telemetry.fileFailed("f", error);
  telemetry.stopRequested("SIGTERM");
  telemetry.stopForced("SIGTERM again");
  telemetry.warned("beware");
  for (const how of ["complete", "incomplete", "stopped", "failed"] as const) telemetry.runEnded(how);

  sinkEvents.lost("connection refused");
  sinkEvents.reconnecting("gone", 1, 500);
  sinkEvents.connected();
  sinkEvents.blocked("memory alarm");
  sinkEvents.unblocked();
  sinkEvents.resent(7, "nacked");
  sinkEvents.confirmed(2000, 1_000_000);
  sinkEvents.told("20 rows inserted");
  sinkEvents.warned("an index is left out");
  telemetry.sinkEvents.closed();

  siteEvents.listingFetched(20, 5);
  siteEvents.versionChosen("20260801");
  siteEvents.waiting("gap", 5);
  siteEvents.waiting("rate-limited", 30);
  siteEvents.retrying("GET /", 1, 2, "cut");
  siteEvents.downloadStarted("f", 1000);
  siteEvents.downloadResumed("f", 300, null);
  clock.advance(31_000);
  siteEvents.downloadProgressed("f", 600, 1000);
  siteEvents.downloadFinished("f", 1000, 700, 3);
  siteEvents.warned("beware");

  service.started({ version: "0.2.0", contract: "topic", threads: 2 });
  service.statusChanged("waiting");
  for (const reason of ["initial", "periodic", "trigger"] as const) service.runBegan(reason);
  service.upToDate("20260801");
  service.nothingFound();
  for (const outcome of ["complete", "incomplete", "stopped", "failed"] as const) service.runEnded(outcome, error);
  service.waiting(15);
  service.coolingDown(600);
  service.stopped();

  server.listening("0.0.0.0", 8000, true);
  server.unavailable("0.0.0.0", 8000, "EADDRINUSE");
  server.served("/health", 200);
  server.requestFailed("/health", new Error("a defect"));
  server.triggered(true, "started");
  server.triggered(false, "already_running");
  server.connectionsChanged(3);
  server.evicted(1, 64);
}

function record() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const output = { write: (text: string) => lines.push(text) };
  const telemetry = new Telemetry({ level: "debug", format: "json", output, bar: false, clock, metrics: new Metrics() });
  return { clock, lines, telemetry };
}

describe("every message", () => {
  it("is an emoji of the key, one blank, and text on one line", () => {
    const { clock, lines, telemetry } = record();
    tellAll(telemetry, clock);
    const messages = lines.map((line) => String(JSON.parse(line).message));
    expect(messages.filter((message) => emojiOf(message) === null)).toEqual([]);
    const seen = new Set(messages.map(emojiOf));
    for (const emoji of ["🚀", "📥", "📊", "✅", "⚠️", "❌", "🛑", "🎉"]) expect(seen).toContain(emoji);
    expect(seen.size).toBeGreaterThanOrEqual(16);
    expect(lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
  });

  it("is among those that the test above provokes: no event is left out", () => {
    const called = new Set<string>();
    const { clock, telemetry } = record();
    const watch = (group: string, events: Events, names: readonly string[]) => {
      for (const name of names) {
        const work = events[name]?.bind(events);
        Object.defineProperty(events, name, {
          value: (...args: never[]) => {
            called.add(`${group}.${name}`);
            return work?.(...args);
          },
        });
      }
      return names.map((name) => `${group}.${name}`);
    };
    const methodsOf = (of: object) => {
      const descriptors = Object.entries(Object.getOwnPropertyDescriptors(of));
      return descriptors.filter(([name, { value }]) => name !== "constructor" && typeof value === "function").map(([name]) => name);
    };
    const groups = { telemetry, service: telemetry.service, server: telemetry.server };
    const events = Object.entries(groups).flatMap(([name, group]) => watch(name, group as unknown as Events, methodsOf(Object.getPrototypeOf(group))));
    const sink = telemetry.sinkEvents.of("amqp://h");
    events.push(...watch("sink", sink as unknown as Events, methodsOf(sink)));
    events.push(...watch("site", telemetry.siteEvents as unknown as Events, methodsOf(telemetry.siteEvents)));
    tellAll(telemetry, clock, sink);
    expect(events.length).toBeGreaterThan(40);
    expect(events.filter((name) => !called.has(name))).toEqual([]);
  });
});
