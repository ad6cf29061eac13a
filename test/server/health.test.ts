import { afterEach, describe, expect, it } from "vitest";
import type { ServiceView } from "../../src/discogs/service-view.ts";
import { FakeView } from "./support/fake-view.ts";
import { ask, type Served, serve } from "./support/serve.ts";

const NONE = { artists: 0, labels: 0, masters: 0, releases: 0 };
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/;

let served: Served;
afterEach(() => served.server.close());

async function get(part: Partial<ServiceView>, path = "/health") {
  served = await serve({}, new FakeView(part));
  return await ask(served.port, path);
}

describe("GET /health", () => {
  it("in the fanout contract has generation B's keys, sorted, and ours among them", async () => {
    const { status, headers, body } = await get({
      contract: "fanout",
      status: "running",
      version: "20260801",
      currentTask: "Processing artists",
      fraction: 0.25,
      progress: { ...NONE, artists: 10, labels: 3 },
      secondsSinceRecord: { artists: 0.0042, labels: 7, masters: null, releases: null },
    });
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("application/json");
    const { timestamp } = JSON.parse(body);
    expect(timestamp).toMatch(TIMESTAMP);
    expect(Math.abs(Date.parse(timestamp) - Date.now())).toBeLessThan(60_000);
    expect(body).toBe(
      `{"current_task":"Processing artists",` +
        `"extraction_progress":{"artists":10,"labels":3,"masters":0,"release_groups":0,"releases":0,"total":13},` +
        `"extraction_status":"running",` +
        `"last_extraction_time":{"artists":0.0042,"labels":7,"masters":null,"release_groups":null,"releases":null},` +
        `"mode":"normal","progress":0.25,"service":"rust-extractor","status":"healthy","timestamp":"${timestamp}","version":"20260801"}`,
    );
  });

  it("in the topic contract has generation A's keys, and a number for every type", async () => {
    const { status, body } = await get({
      contract: "topic",
      status: "running",
      progress: { ...NONE, releases: 12 },
      secondsSinceRecord: { artists: null, labels: null, masters: null, releases: 2 },
    });
    expect(status).toBe(200);
    const { timestamp, last_extraction_time } = JSON.parse(body);
    expect(last_extraction_time.releases).toBeCloseTo(Date.parse(timestamp) / 1000 - 2, 3);
    expect(body).toBe(
      `{"current_task":null,"extraction_progress":{"artists":0,"labels":0,"masters":0,"releases":12,"total":12},` +
        `"last_extraction_time":{"artists":0,"labels":0,"masters":0,"releases":${last_extraction_time.releases}},` +
        `"mode":"normal","progress":0,"service":"rust-extractor","status":"healthy","timestamp":"${timestamp}","version":null}`,
    );
  });

  it("says why the last run failed, in one line and without passwords", async () => {
    const { status, body } = await get({ status: "failed", errorMessage: "sink amqp://guest:canary@rabbit/:\n  refused" });
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ status: "healthy", extraction_status: "failed", error_message: "sink amqp://guest:***@rabbit/: refused" });
  });
});

describe("the truth table", () => {
  const rows: readonly [string, Partial<ServiceView>, { status: string; error?: string; ready: number; reason?: string }][] = [
    ["just started", { unreadyReason: "no run has begun yet" }, { status: "idle", ready: 503, reason: "no run has begun yet" }],
    ["extracting", { status: "running" }, { status: "running", ready: 200 }],
    ["complete", { status: "completed" }, { status: "completed", ready: 200 }],
    ["waiting for the next check", { status: "waiting" }, { status: "waiting", ready: 200 }],
    [
      "broker down",
      { status: "running", unreadyReason: "no connection to the broker" },
      { status: "running", ready: 503, reason: "no connection to the broker" },
    ],
    ["broker back", { status: "running", unreadyReason: null }, { status: "running", ready: 200 }],
    [
      "disk full",
      { status: "failed", errorMessage: "no space left", unreadyReason: "the disk is full" },
      { status: "failed", error: "no space left", ready: 503, reason: "the disk is full" },
    ],
    [
      "stalled",
      { status: "running", secondsSinceRecord: { artists: 500, labels: null, masters: null, releases: null }, unreadyReason: "artists stand still" },
      { status: "running", ready: 503, reason: "artists stand still" },
    ],
    [
      "cool-down",
      { status: "failed", errorMessage: "the first run failed", unreadyReason: "cooling down after a failure" },
      { status: "failed", error: "the first run failed", ready: 503, reason: "cooling down after a failure" },
    ],
    ["a periodic run failed", { status: "failed", errorMessage: "listing: 503" }, { status: "failed", error: "listing: 503", ready: 200 }],
  ];

  it.each(rows)("%s", async (_, part, expected) => {
    const reply = await get(part);
    expect(reply.status).toBe(200);
    const { status, extraction_status, error_message } = JSON.parse(reply.body);
    expect({ status, extraction_status, error_message }).toEqual({ status: "healthy", extraction_status: expected.status, error_message: expected.error });
    const { status: ready, body } = await ask(served.port, "/ready");
    expect({ ready, body }).toEqual({ ready: expected.ready, body: expected.reason === undefined ? "" : JSON.stringify({ reason: expected.reason }) });
  });
});

describe("GET /metrics for upstream's readers", () => {
  const part = { progress: { ...NONE, artists: 4, masters: 5 }, active: ["masters"], completedFiles: 1, errors: 2 } as const;

  it("in the fanout contract has generation B's keys, sorted", async () => {
    const { headers, body } = await get({ contract: "fanout", ...part, active: ["masters"] }, "/metrics");
    expect(headers["content-type"]).toBe("application/json");
    expect(body).toBe(
      '{"active_connections":1,"completed_files":1,"error_count":2,"extraction_progress_artists":4,"extraction_progress_labels":0,' +
        '"extraction_progress_masters":5,"extraction_progress_release_groups":0,"extraction_progress_releases":0,"extraction_progress_total":9}',
    );
  });

  it("in the topic contract has generation A's keys, sorted", async () => {
    const { body } = await get({ contract: "topic", ...part, active: ["masters"] }, "/metrics");
    expect(body).toBe(
      '{"active_connections":1,"completed_files":1,"error_count":2,"extraction_progress_artists":4,"extraction_progress_labels":0,' +
        '"extraction_progress_masters":5,"extraction_progress_releases":0,"extraction_progress_total":9}',
    );
  });
});
