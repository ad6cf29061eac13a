import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ServiceBoard } from "../../src/discogs/service-board.ts";
import { DumpError } from "../../src/errors.ts";
import type { RunningServer } from "../../src/server/http.ts";
import { startServer } from "../../src/server/server.ts";
import type { SinkEvents } from "../../src/sink/sink.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Telemetry } from "../../src/telemetry.ts";
import { FakeClock } from "../telemetry/fake-clock.ts";
import { ask } from "./support/serve.ts";

const run = { version: "20260801", mode: "normal", contract: "fanout", sink: "amqp://rabbit", threads: 2, files: [{ name: "f", dataType: null, size: 1000 }] };
const batch = { dataType: "artists", read: 5, written: 5, empty: 0, unknownIds: 0, rejects: [], xmlBytes: 500, compressedBytes: 250 } as const;
const gone = "no answer from rabbit:5672";

let clock: FakeClock;
let telemetry: Telemetry;
let board: ServiceBoard;
let metrics: Metrics;
let sink: SinkEvents;
let server: RunningServer;

beforeEach(async () => {
  clock = new FakeClock();
  metrics = new Metrics();
  telemetry = new Telemetry({ level: "silent", format: "json", output: { write: () => {} }, bar: false, clock, metrics });
  sink = telemetry.sinkEvents.of("amqp://h");
  board = new ServiceBoard({ contract: "fanout", mode: "normal" }, telemetry);
  server = await startServer({ host: "127.0.0.1", port: 0, token: null, metrics: "json" }, board, metrics, telemetry.server);
});
afterEach(() => server.close());

/** What an orchestrator, upstream's admin API and Prometheus see. */
async function seen() {
  const health = await ask(server.port ?? 0, "/health");
  const ready = await ask(server.port ?? 0, "/ready");
  const { status, extraction_status, error_message, current_task } = JSON.parse(health.body);
  const [, stalled] = /^deadwax_stalled\{type="artists"\} (\d)$/m.exec(await metrics.render()) ?? [];
  return { health: health.status, status, run: extraction_status, error: error_message, task: current_task, ready: ready.status, stalled };
}

const WELL = { health: 200, status: "healthy", error: undefined, stalled: "0" };

/** A run that has come to its records. */
function extracting(): void {
  board.started();
  telemetry.service.runBegan("initial");
  sink.connected();
  board.sinkReached();
  board.working("20260801", "Processing");
  telemetry.runStarted(run);
  telemetry.fileStarted("f", "artists", null);
  telemetry.batchWritten("f", batch);
}

function failed(error: DumpError): void {
  telemetry.runEnded("failed");
  board.failed(error);
  telemetry.service.runEnded("failed", error);
}

describe("what is seen of the service", () => {
  it("before and while it looks for its broker for the first time: up, not ready", async () => {
    expect(await seen()).toEqual({ ...WELL, run: "idle", task: null, ready: 503 });
    board.started();
    board.working(null, "Connecting");
    expect(await seen()).toEqual({ ...WELL, run: "running", task: "Connecting", ready: 503 });
  });

  it("while records flow, and when all is done: ready", async () => {
    extracting();
    expect(await seen()).toEqual({ ...WELL, run: "running", task: "Processing artists", ready: 200 });
    telemetry.fileCompleted("f", 1);
    telemetry.runEnded("complete");
    board.completed();
    expect(await seen()).toEqual({ ...WELL, run: "completed", task: null, ready: 200 });
    board.waiting();
    expect(await seen()).toEqual({ ...WELL, run: "waiting", task: null, ready: 200 });
  });

  it("when the broker goes while nothing is published: not ready", async () => {
    extracting();
    sink.lost(gone);
    expect(await seen()).toEqual({ ...WELL, run: "running", task: "Processing artists", ready: 503 });
    sink.connected();
    expect((await seen()).ready).toBe(200);
  });

  it("when one of two sinks is gone: not ready, whatever the other one tells", async () => {
    extracting();
    const other = telemetry.sinkEvents.of("amqp://other");
    other.connected();
    expect((await seen()).ready).toBe(200);
    sink.lost(gone);
    other.connected();
    expect((await seen()).ready).toBe(503);
    sink.connected();
    expect((await seen()).ready).toBe(200);
  });

  it("while the broker is down, and when it is back", async () => {
    extracting();
    sink.reconnecting(gone, 1, 500);
    expect(await seen()).toEqual({ ...WELL, run: "running", task: "Processing artists", ready: 503 });
    sink.connected();
    expect(await seen()).toEqual({ ...WELL, run: "running", task: "Processing artists", ready: 200 });
  });

  it("while a type stands still, and when it goes on", async () => {
    extracting();
    clock.advance(121_000);
    expect(await seen()).toEqual({ ...WELL, stalled: "1", run: "running", task: "Processing artists", ready: 503 });
    telemetry.batchWritten("f", batch);
    expect(await seen()).toEqual({ ...WELL, run: "running", task: "Processing artists", ready: 200 });
  });

  it.each([
    ["the disk is full", new DumpError("STATE_UNWRITABLE", "/data: no space left"), "/data: no space left"],
    ["the broker never came back", new DumpError("SINK_UNAVAILABLE", "amqp://user:canary@rabbit: gone"), "amqp://user:***@rabbit: gone"],
  ])("when a run has failed since %s, through the cool-down, until the next run begins", async (_, error, told) => {
    extracting();
    failed(error);
    expect(await seen()).toEqual({ ...WELL, run: "failed", error: told, task: null, ready: 503 });
    telemetry.service.coolingDown(600);
    expect(await seen()).toEqual({ ...WELL, run: "failed", error: told, task: null, ready: 503 });
    board.waiting();
    expect(await seen()).toEqual({ ...WELL, run: "failed", error: told, task: null, ready: 503 });
    board.started();
    expect(await seen()).toMatchObject({ ...WELL, run: "running", error: undefined });
  });
});
