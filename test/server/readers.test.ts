import { describe, expect, it } from "vitest";
import type { Contract } from "../../src/model.ts";
import { FakeView } from "./support/fake-view.ts";
import { ask, serve } from "./support/serve.ts";

/** What upstream answers, as its readers know it. */
const UPSTREAM: Readonly<Record<Contract, string>> = {
  topic:
    '{"current_task":null,"extraction_progress":{"artists":0,"labels":0,"masters":0,"releases":0,"total":0},' +
    '"last_extraction_time":{"artists":0.0,"labels":0.0,"masters":0.0,"releases":0.0},"progress":0.0,"service":"rust-extractor",' +
    '"status":"healthy","timestamp":"2026-02-01T22:08:26.123456789+00:00"}',
  fanout:
    '{"extraction_progress":{"artists":0,"labels":0,"masters":0,"release_groups":0,"releases":0,"total":0},"extraction_status":"running",' +
    '"last_extraction_time":{"artists":0.0042,"labels":null,"masters":null,"release_groups":null,"releases":null},"service":"rust-extractor",' +
    '"status":"healthy","timestamp":"2026-08-17T22:08:26.123456789+00:00"}',
};
const COUNTS =
  '{"active_connections":1,"completed_files":0,"error_count":0,"extraction_progress_artists":0,"extraction_progress_labels":0,' +
  '"extraction_progress_masters":0,"extraction_progress_releases":0,"extraction_progress_total":0}';

type Json = Record<string, unknown>;

/** Every key of `theirs` is in `ours`, with a value of the same kind; null stands for a value that is not known. */
function expectReadable(ours: Json, theirs: Json, path = ""): void {
  for (const [key, value] of Object.entries(theirs)) {
    const mine = ours[key];
    expect(mine, path + key).not.toBeUndefined();
    if (typeof value === "object" && value !== null) expectReadable(mine as Json, value as Json, `${path}${key}.`);
    else if (value !== null && mine !== null) expect(typeof mine, path + key).toBe(typeof value);
  }
}

const busy = {
  status: "running",
  progress: { artists: 5, labels: 0, masters: 0, releases: 1 },
  secondsSinceRecord: { artists: 0.5, labels: null, masters: null, releases: 3 },
  fraction: 0.4,
  currentTask: "Processing artists",
  active: ["artists"],
} as const;

async function get(path: string, contract: Contract, accept = "*/*"): Promise<Json> {
  await using served = await serve({}, new FakeView({ ...busy, contract }));
  return JSON.parse((await ask(served.port, path, { headers: { accept } })).body);
}

describe("upstream's readers", () => {
  it.each(["topic", "fanout"] as const)("find every key of upstream's answers, with values of the same kind: %s", async (contract) => {
    expectReadable(await get("/health", contract), JSON.parse(UPSTREAM[contract]));
    expectReadable(await get("/metrics", contract), JSON.parse(COUNTS));
  });

  it("find no null where upstream has only numbers", async () => {
    const { last_extraction_time } = await get("/health", "topic");
    expect(Object.values(last_extraction_time as Json).every((value) => typeof value === "number" && value >= 0)).toBe(true);
  });

  it.each(["topic", "fanout"] as const)("the dashboard's model takes the answer: %s", async (contract) => {
    const { status = "healthy", current_task, progress, timestamp } = await get("/health", contract);
    expect(["healthy", "unhealthy", "unknown", "starting", "extracting"]).toContain(status);
    expect(current_task).toBe("Processing artists");
    expect(progress).toBe(0.4);
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{3}|\d{6})\+00:00$/); // what an older datetime.fromisoformat takes
  });

  it("the admin API sees that a run is under way, how far it is, and why one failed", async () => {
    const { extraction_status, extraction_progress, error_message } = await get("/health", "fanout");
    expect(["idle", "running", "completed", "waiting", "failed"]).toContain(extraction_status);
    expect(extraction_progress).toEqual({ artists: 5, labels: 0, masters: 0, release_groups: 0, releases: 1, total: 6 });
    expect(error_message).toBeUndefined();
  });
});
