import { spawnSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureDebian } from "../services/process.ts";
import { Broker } from "../services/rabbitmq.ts";
import { smallDisk } from "../sink/small-disk.ts";
import { targets } from "../source/discogs/scripted-server.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "../system/support/dumps.ts";
import { samples } from "../telemetry/samples.ts";
import { healthUrl } from "./installation.ts";
import { Scene, TYPES } from "./scene.ts";

const SIZES = { artists: 120, labels: 130, masters: 110, releases: 140 };
const TOTAL = Object.values(SIZES).reduce((sum, size) => sum + size);
const PROMTOOL = "/usr/bin/promtool";
const LIMIT = { timeout: 60_000 };
const RELEASES = `discogs_${VERSION}_releases.xml.gz`;

let broker: Broker;
let dumps: Folder;
beforeAll(async () => {
  ensureDebian(PROMTOOL, "prometheus");
  broker = await Broker.start();
  dumps = await temporaryFolder();
  await makeDump(dumps.path, SIZES);
}, 180_000);
afterAll(async () => {
  await dumps[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

interface Seen {
  readonly health: Record<string, unknown>;
  readonly text: string;
  readonly ready: number;
  readonly why: string | null;
}

/** What is answered right now. */
async function look(url: string): Promise<Seen> {
  const answer = await fetch(`${url}/health`);
  expect(answer.status).toBe(200);
  const text = await answer.text();
  const ready = await fetch(`${url}/ready`);
  const body = await ready.text();
  return {
    health: JSON.parse(text) as Record<string, unknown>,
    text,
    ready: ready.status,
    why: body === "" ? null : (JSON.parse(body) as { reason: string }).reason,
  };
}

/** Upstream's generations, by the keys of their answer at any time; ours are behind the last comma. */
const KEYS = {
  topic: ["current_task", "extraction_progress", "last_extraction_time", "mode", "progress", "service", "status", "timestamp", "version"],
  fanout: ["current_task", "extraction_progress", "extraction_status", "last_extraction_time", "mode", "progress", "service", "status", "timestamp", "version"],
};
const PROGRESS_KEYS = {
  topic: ["artists", "labels", "masters", "releases", "total"],
  fanout: ["artists", "labels", "masters", "release_groups", "releases", "total"],
};

/** Types, order of keys and what never changes, in every state. */
function expectShape({ health, text }: Seen, contract: "topic" | "fanout"): void {
  expect(Object.keys(health).filter((key) => key !== "error_message")).toEqual(KEYS[contract]);
  expect(Object.keys(health)).toEqual([...Object.keys(health)].sort());
  expect(text).toBe(JSON.stringify(health)); // no blanks, keys in this order
  expect(health).toMatchObject({ service: "rust-extractor", status: "healthy", mode: "normal" });
  expect(health["timestamp"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00$/);
  const progress = health["extraction_progress"] as Record<string, number>;
  expect(Object.keys(progress)).toEqual(PROGRESS_KEYS[contract]);
  const { total, ...types } = progress;
  expect(Object.values(types).every((count) => Number.isSafeInteger(count) && count >= 0)).toBe(true);
  expect(total).toBe(Object.values(types).reduce((sum, count) => sum + count, 0));
  const times = health["last_extraction_time"] as Record<string, number | null>;
  expect(Object.keys(times)).toEqual(PROGRESS_KEYS[contract].filter((key) => key !== "total"));
  for (const time of Object.values(times)) expect(time === null ? "null" : typeof time).toMatch(contract === "topic" ? /^number$/ : /^(number|null)$/);
}

describe.each(["topic", "fanout"] as const)("%s", (contract) => {
  const status = (name: string) => (contract === "fanout" ? { extraction_status: name } : {});

  test("what /health and /ready say in each state of the service", LIMIT, async () => {
    await using scene = await Scene.open(broker, contract, dumps.path);
    const { site } = scene.installation;
    const bytes = await readFile(dumpPath(dumps.path, "releases"));
    site.script(targets.file(RELEASES), { body: bytes, drip: { bytes: Math.ceil(bytes.length / 40), everyMs: 50 } });
    const zero = { total: 0 };

    const delayed = scene.serve({ STARTUP_DELAY: "600" });
    const idle = await look(await healthUrl(delayed));
    expectShape(idle, contract);
    expect(idle).toMatchObject({ health: { ...status("idle"), current_task: null, version: null, extraction_progress: zero }, ready: 503 });
    expect(idle.why).toContain("not reached yet");
    delayed.kill("SIGTERM");
    expect((await delayed.ended).code).toBe(0);

    const running = scene.serve();
    const url = await healthUrl(running);
    await running.logs(/⬇️ [^"]*releases/u);
    const downloading = await look(url);
    expectShape(downloading, contract);
    expect(downloading).toMatchObject({
      health: { ...status("running"), current_task: "Downloading", version: VERSION, extraction_progress: zero },
      ready: 200,
    });
    const busy = await fetch(`${url}/trigger`, { method: "POST" });
    expect([busy.status, await busy.json()]).toEqual([409, { status: "already_running" }]);

    await running.logs(/⏰ Waiting/);
    const waiting = await look(url);
    expectShape(waiting, contract);
    expect(waiting).toMatchObject({ health: { ...status("waiting"), current_task: null, version: VERSION, progress: 1 }, ready: 200, why: null });
    expect(waiting.health["extraction_progress"]).toMatchObject({ ...SIZES, total: TOTAL });
    const times = Object.values(waiting.health["last_extraction_time"] as Record<string, number | null>).filter((time) => time !== null);
    const [from, to] = contract === "topic" ? [Date.now() / 1000 - 60, Date.now() / 1000] : [0, 60];
    expect(times.every((time) => time >= from && time <= to)).toBe(true);

    site.script(targets.years, { status: 404 });
    await fetch(`${url}/trigger`, { method: "POST" });
    await running.logs(/The run failed[\s\S]*⏰ Waiting/);
    const failed = await look(url);
    expectShape(failed, contract);
    expect(failed).toMatchObject({ health: { ...status("failed"), current_task: null, error_message: expect.stringContaining("404") }, ready: 503 });
    expect(failed.health["extraction_progress"]).toMatchObject({ total: 0 }); // nothing of the run before
    expect(failed.why).toContain("404");

    site.unscript(targets.years);
    await fetch(`${url}/trigger`, { method: "POST" });
    await running.logs(/is complete already[\s\S]*⏰ Waiting/);
    const mended = await look(url);
    expectShape(mended, contract);
    expect(mended).toMatchObject({ health: status("waiting"), ready: 200 });
    expect(mended.health).not.toHaveProperty("error_message");
  });

  test("/metrics counts what the log tells, in both forms", LIMIT, async () => {
    await using scene = await Scene.open(broker, contract, dumps.path);
    const running = scene.serve();
    const url = await healthUrl(running);
    await running.logs(/⏰ Waiting/);
    const json = (await (await fetch(`${url}/metrics`)).json()) as Record<string, unknown>;
    const types = contract === "fanout" ? [...TYPES.slice(0, 3), "release_groups", "releases"] : TYPES;
    expect(Object.keys(json)).toEqual([
      "active_connections",
      "completed_files",
      "error_count",
      ...types.map((type) => `extraction_progress_${type}`),
      "extraction_progress_total",
    ]);
    expect(json).toMatchObject({ active_connections: 0, completed_files: 4, error_count: 0, extraction_progress_total: TOTAL });

    const text = await (await fetch(`${url}/metrics`, { headers: { accept: "text/plain" } })).text();
    const checked = spawnSync(PROMTOOL, ["check", "metrics"], { input: text, encoding: "utf8" });
    expect([checked.error?.message, checked.status, checked.stdout, checked.stderr]).toEqual([undefined, 0, "", ""]);
    const metrics = samples(text);
    const logged = [...running.log.matchAll(/^\{.*🎉.*$/gmu)].map(([line]) => JSON.parse(line) as Record<string, number | string>);
    expect(logged.map(({ dataType }) => dataType).sort()).toEqual([...TYPES]);
    for (const { dataType, read, written, rejected, empty, xmlBytes } of logged) {
      const of = (name: string) => metrics.get(`deadwax_${name}_total{type="${dataType}"}`);
      expect([of("records_read"), of("records_written"), of("xml_bytes"), of("files_completed")]).toEqual([read, written, xmlBytes, 1]);
      expect([of("records_rejected") ?? 0, of("records_empty") ?? 0]).toEqual([rejected, empty]);
    }
    const controls = contract === "fanout" ? 8 : 4;
    expect(metrics.get("deadwax_messages_confirmed_total")).toBe(TOTAL + controls);
    expect(metrics.get('deadwax_runs_total{outcome="complete"}')).toBe(1);
    expect(metrics.get('deadwax_run_status{status="waiting"}')).toBe(1);
  });
});

test("a full disk fails the run, which is told; room makes the service go on", LIMIT, async () => {
  await using disk = await smallDisk(300 * 2 ** 20);
  if (disk === null) return; // this user may not mount
  await using scene = await Scene.open(broker, "fanout", dumps.path);
  scene.installation.root = disk.path;
  const filler = join(disk.path, "filler");
  await writeFile(filler, Buffer.alloc(100 * 2 ** 20)); // less is left than a download leaves free
  const running = scene.serve({ FAILURE_COOLDOWN_SECS: "600" });
  const url = await healthUrl(running);
  await running.logs(/😴 Cooling down/);
  const full = await look(url);
  expectShape(full, "fanout");
  expect(full).toMatchObject({ health: { extraction_status: "failed", error_message: expect.stringMatching(/space|room|free/) }, ready: 503 });
  await rm(filler);
  await fetch(`${url}/trigger`, { method: "POST" });
  await running.logs(/⏰ Waiting/);
  expect((await look(url)).ready).toBe(200);
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
});
