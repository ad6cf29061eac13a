import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../services/ports.ts";
import { Broker } from "../services/rabbitmq.ts";
import { targets } from "../source/discogs/scripted-server.ts";
import { CLI, Running } from "../system/support/deadwax.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "../system/support/dumps.ts";
import { assertSound, fileState, readMarker, untilSaved } from "../system/support/marker.ts";
import { healthUrl } from "./installation.ts";
import { copyFiles, Scene, TYPES } from "./scene.ts";

const SIZES = { artists: 120, labels: 130, masters: 110, releases: 140 };
const BIG_SIZES = { artists: 10, labels: 10, masters: 10, releases: 8_000 };
const NOTHING = { artists: 0, labels: 0, masters: 0, releases: 0 };
const NEXT_VERSION = "20260901";
/** A signal must end the service within this, at a checkpoint. */
const STOP_SECONDS_MAX = 10;
const LIMIT = { timeout: 60_000 };
const CHECKSUM = `discogs_${VERSION}_CHECKSUM.txt`;

type Type = (typeof TYPES)[number];
const fileOf = (type: Type, version = VERSION) => `discogs_${version}_${type}.xml.gz`;

let broker: Broker;
let folder: Folder;
let dumps: string;
let nextDumps: string;
let bigDumps: string;
beforeAll(async () => {
  broker = await Broker.start();
  folder = await temporaryFolder();
  dumps = join(folder.path, "dumps");
  nextDumps = join(folder.path, "next");
  bigDumps = join(folder.path, "big");
  for (const path of [dumps, nextDumps, bigDumps]) await mkdir(path);
  await makeDump(dumps, SIZES);
  await makeDump(nextDumps, { ...SIZES, version: NEXT_VERSION, seed: 2 });
  await makeDump(bigDumps, BIG_SIZES);
}, 180_000);
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

/** Ends the service by a signal; seconds that it took. */
async function stopped(running: Running, code = 0): Promise<number> {
  const started = performance.now();
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(code);
  return (performance.now() - started) / 1000;
}

async function health(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${url}/health`)).json()) as Record<string, unknown>;
}

function trigger(url: string, forceReprocess = false): Promise<Response> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ force_reprocess: forceReprocess }) };
  return fetch(`${url}/trigger`, init);
}

/** How many dumps of a version the site was asked for. */
function downloadsOf({ installation }: Scene, version: string): number {
  return installation.site.requests.filter(({ target }) => target.includes(`discogs_${version}`) && target.includes("xml.gz")).length;
}

/** Writes the CHECKSUM of the dumps in a folder anew. */
async function writeChecksum(path: string): Promise<void> {
  const lines: string[] = [];
  for (const type of TYPES) {
    const sha256 = createHash("sha256").update(await readFile(dumpPath(path, type)));
    lines.push(`${sha256.digest("hex")} ${fileOf(type)}\n`);
  }
  await writeFile(join(path, CHECKSUM), lines.join(""));
}

describe("the site", () => {
  test("serves a byte that is not the published one: exit 1, nothing published, the marker tells", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", dumps);
    const path = dumpPath(scene.installation.published, "releases");
    const bytes = await readFile(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const running = scene.serve();
    expect((await running.ended).code).toBe(1);
    await scene.consumer?.drained();
    expect([scene.received, scene.consumer?.controls]).toEqual([NOTHING, []]);
    const { download_phase: download, processing_phase: processing, summary } = await readMarker(scene.root);
    expect([download.status, processing.status, summary.overall_status]).toEqual(["failed", "pending", "failed"]);
    expect(download.errors.at(-1)).toMatch(/releases\.xml\.gz.*SHA-256/);
    expect(await readdir(scene.root)).not.toContain(fileOf("releases"));
  });

  test("is down: exit 1, with its address in the log", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", null);
    const port = await freePort();
    const running = scene.serve({ DEADWAX_SOURCE_URL: `http://127.0.0.1:${port}/` });
    expect((await running.ended).code).toBe(1);
    expect(running.log).toMatch(new RegExp(`"level":"(error|ERROR)".*127\\.0\\.0\\.1:${port}`));
  });

  test("lists nothing at all: exit 1, since the page must have changed", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", null);
    const running = scene.serve();
    expect((await running.ended).code).toBe(1);
    expect(running.log).toContain("SOURCE_MISSING");
  });

  test("has no complete version: there is nothing to do, which is no failure; a signal while waiting ends with 0", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", dumps);
    await rm(join(scene.installation.published, fileOf("masters")));
    const running = scene.serve();
    await running.logs(/✅ No version to extract[\s\S]*⏰ Waiting/);
    expect(await stopped(running)).toBeLessThan(2);
    expect([scene.received, await readdir(scene.root)]).toEqual([NOTHING, []]);
  });

  test("publishes a new version, which a trigger brings; the old one is removed only after that", LIMIT, async () => {
    await using scene = await Scene.open(broker, "fanout", dumps);
    const running = scene.serve({ DEADWAX_KEEP_VERSIONS: "1" });
    const url = await healthUrl(running);
    await running.logs(/⏰ Waiting/);
    await copyFiles(nextDumps, scene.installation.published);
    scene.installation.site.script(targets.file(fileOf("releases", NEXT_VERSION)), { status: 404 });
    expect((await trigger(url)).status).toBe(202);
    await running.logs(/The run failed[\s\S]*⏰ Waiting/);
    expect(await readdir(scene.root)).toContain(fileOf("artists"));
    scene.installation.site.script(targets.file(fileOf("releases", NEXT_VERSION)), {
      body: await readFile(dumpPath(nextDumps, "releases", NEXT_VERSION)),
    });
    expect((await trigger(url)).status).toBe(202);
    await running.logs(/The run failed[\s\S]*✅ Run complete[\s\S]*⏰ Waiting/);
    await scene.consumer?.drained();
    const names = await readdir(scene.root);
    expect(names).toContain(fileOf("artists", NEXT_VERSION));
    expect(names.filter((name) => name.startsWith(`discogs_${VERSION}`))).toEqual([]);
    expect(new Set(scene.controls("extraction_complete").map(({ body }) => body["version"]))).toEqual(new Set([VERSION, NEXT_VERSION]));
    expect(scene.received).toEqual(Object.fromEntries(TYPES.map((type) => [type, 2 * SIZES[type]])));
    expect(await stopped(running)).toBeLessThan(STOP_SECONDS_MAX);
  });
});

describe("an older version than the one published here", () => {
  const OWN_YEAR = "20251201";

  test("is not published, although the page with the newer one cannot be had; it is if that is forced", LIMIT, async () => {
    await using scene = await Scene.open(broker, "fanout", dumps);
    await scene.once();
    await makeDump(scene.installation.published, { ...SIZES, version: OWN_YEAR, seed: 3 });
    scene.installation.site.script(targets.year("2026"), { status: 404 });
    const log = await scene.once();
    expect(log).toContain(`${OWN_YEAR} is the newest version that the site has now, but ${VERSION} was begun here already`);
    expect([scene.received, downloadsOf(scene, OWN_YEAR)]).toEqual([SIZES, 0]);
    await scene.once({ FORCE_REPROCESS: "true" });
    expect(scene.received).toEqual(Object.fromEntries(TYPES.map((type) => [type, 2 * SIZES[type]])));
  });

  test("is published if of the newer one no record was", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", dumps);
    await makeDump(scene.installation.published, { ...SIZES, version: OWN_YEAR, seed: 3 });
    scene.installation.site.script(targets.file(fileOf("masters")), { status: 404 });
    expect((await scene.serve().ended).code).toBe(1);
    await rm(join(scene.installation.published, fileOf("masters"))); // withdrawn
    await scene.once();
    expect([scene.received, downloadsOf(scene, OWN_YEAR)]).toEqual([SIZES, 4]);
  });
});

describe("a failed first run", () => {
  test("answers health through the cool-down, then ends with 1", LIMIT, async () => {
    await using scene = await Scene.open(broker, "fanout", dumps);
    scene.installation.site.script("/", { status: 404 });
    const running = scene.serve({ FAILURE_COOLDOWN_SECS: "3" });
    const url = await healthUrl(running);
    await running.logs(/😴 Cooling down for 3 s/);
    expect(await health(url)).toMatchObject({ status: "healthy", extraction_status: "failed", error_message: expect.stringContaining("404") });
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { reason: expect.stringContaining("404") }]);
    expect((await running.ended).code).toBe(1);
  });

  test("can be mended during the cool-down", LIMIT, async () => {
    await using scene = await Scene.open(broker, "fanout", dumps);
    scene.installation.site.script("/", { status: 404 });
    const running = scene.serve({ FAILURE_COOLDOWN_SECS: "600" });
    const url = await healthUrl(running);
    await running.logs(/😴 Cooling down/);
    scene.installation.site.unscript("/");
    expect((await trigger(url)).status).toBe(202);
    await running.logs(/⏰ Waiting/);
    await scene.consumer?.drained();
    expect([scene.received, (await health(url))["error_message"], (await fetch(`${url}/ready`)).status]).toEqual([SIZES, undefined, 200]);
    expect(await stopped(running)).toBeLessThan(STOP_SECONDS_MAX);
  });

  test("and a signal in the cool-down: exit 0", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", null);
    scene.installation.site.script("/", { status: 404 });
    const running = scene.serve({ FAILURE_COOLDOWN_SECS: "600" });
    await running.logs(/😴 Cooling down/);
    expect(await stopped(running)).toBeLessThan(2);
  });

  test("because no queue is bound to the fanout exchanges: nothing counts as done", LIMIT, async () => {
    await using scene = await Scene.open(broker, "fanout", dumps, { consumed: false });
    const running = scene.serve();
    expect((await running.ended).code).toBe(1);
    const { processing_phase: processing, publishing_phase: publishing, summary } = await readMarker(scene.root);
    expect([processing.status, processing.files_processed, publishing.status, summary.overall_status]).toEqual(["failed", 0, "failed", "failed"]);
    expect(running.log).toMatch(/no queue/i);
  });

  test("because another service works in the same folder, which is not disturbed", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", dumps);
    const body = await readFile(dumpPath(dumps, "releases"));
    scene.installation.site.script(targets.file(fileOf("releases")), { body, stallAfter: 1000 }, { body });
    const first = scene.serve();
    await first.logs(/⬇️ [^"]*releases/u);
    const second = scene.serve();
    expect((await second.ended).code).toBe(1);
    expect(second.log).toContain("STATE_LOCKED");
    expect(scene.installation.site.requests.filter(({ target }) => target === targets.file(fileOf("releases")))).toHaveLength(1);
    expect(await stopped(first)).toBeLessThan(STOP_SECONDS_MAX);
    await assertSound(scene.root);
    const third = scene.serve();
    await third.logs(/⏰ Waiting/);
    const fourth = scene.serve(); // the third one waits and holds nothing
    await fourth.logs(/✅ Version \d+ is complete already/);
    await scene.consumer?.drained();
    expect([scene.received, scene.consumer?.duplicates]).toEqual([SIZES, 0]);
    for (const running of [third, fourth]) expect(await stopped(running)).toBeLessThan(STOP_SECONDS_MAX);
  });

  test("because the broker is away: exit 1; a signal meanwhile: exit 0", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", dumps, { consumed: false });
    const away = { AMQP_CONNECTION: `amqp://guest:canary@127.0.0.1:${await freePort()}/%2F` };
    const failing = scene.serve(away);
    const url = await healthUrl(failing);
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    expect((await failing.ended).code).toBe(1);
    expect(failing.log).toMatch(/🔄 Connecting again[\s\S]*SINK_UNAVAILABLE/);
    expect(failing.log).not.toContain("canary");
    const interrupted = scene.serve(away);
    await interrupted.logs(/🔄 Connecting again/);
    expect(await stopped(interrupted)).toBeLessThan(2);
    expect(scene.installation.site.requests).toEqual([]); // nothing is fetched for nobody
  });
});

describe("a signal", () => {
  const SLOWLY = { MAX_WORKERS: "1", DEADWAX_WINDOW_MESSAGES: "100", DEADWAX_CHECKPOINT_RECORDS: "200", DEADWAX_CHUNK: "65536" };

  test("inside a large file: a good checkpoint, from which a restart goes on", LIMIT, async () => {
    await using scene = await Scene.open(broker, "fanout", bigDumps);
    const running = scene.serve(SLOWLY);
    await running.logs(/🚀 Starting extraction of releases/);
    await untilSaved(running, scene.root, 5);
    expect(await stopped(running)).toBeLessThan(STOP_SECONDS_MAX);
    await assertSound(scene.root);
    const state = await fileState(scene.root, fileOf("releases"));
    expect(state?.checkpoint?.ordinal).toBeGreaterThan(0);
    await scene.consumer?.drained();
    expect(scene.received["releases"]).toBeLessThan(BIG_SIZES.releases);
    expect(scene.received["releases"]).toBeGreaterThanOrEqual(state?.checkpoint?.counts.written ?? -1);
    const log = await scene.once(SLOWLY);
    expect(log).toContain(`🔄 Resuming ${fileOf("releases")} at record ${state?.checkpoint?.ordinal} `);
    expect(scene.consumer?.deliveries.size).toBe(Object.values(BIG_SIZES).reduce((sum, size) => sum + size));
    expect(scene.consumer?.duplicates).toBe(0); // it stopped behind what it had sent
    expect(scene.controls("extraction_complete").map(({ body }) => body["record_counts"])).toEqual(Array(4).fill(BIG_SIZES));
  });

  test("while downloading: the next start goes on", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", dumps);
    const bytes = await readFile(dumpPath(dumps, "releases"));
    scene.installation.site.script(targets.file(fileOf("releases")), { body: bytes, stallAfter: 1000 }, { body: bytes });
    const running = scene.serve();
    await running.logs(/⬇️ [^"]*releases/u);
    expect(await stopped(running)).toBeLessThan(2);
    await scene.once();
    expect([scene.received, scene.consumer?.duplicates]).toEqual([SIZES, 0]);
  });

  test("in the delay at the start", LIMIT, async () => {
    await using scene = await Scene.open(broker, "topic", null);
    const running = scene.serve({ STARTUP_DELAY: "600" });
    await healthUrl(running);
    expect(await stopped(running)).toBeLessThan(2);
  });
});

describe("rejects", () => {
  test("end their file but never the version, at a restart neither", LIMIT, async () => {
    await using scene = await Scene.open(broker, "fanout", dumps);
    const path = dumpPath(scene.installation.published, "labels");
    const xml = gunzipSync(await readFile(path)).toString();
    await writeFile(path, gzipSync(xml.replace("</name>", "</nome>"), { level: 1 }));
    await writeChecksum(scene.installation.published);
    for (let start = 0; start < 2; start += 1) {
      const log = await scene.once();
      expect(log).toContain("⚠️ Run incomplete");
      expect(scene.received).toEqual({ ...SIZES, labels: SIZES.labels - 1 });
      expect(
        scene
          .controls("file_complete")
          .map(({ from }) => from)
          .sort(),
      ).toEqual([...TYPES]);
      expect(scene.controls("extraction_complete")).toEqual([]);
    }
    expect((await readMarker(scene.root)).summary.overall_status).toBe("in_progress");
    const rejects = await readFile(join(scene.root, "rejects", VERSION, "labels.rejects.ndjson"), "utf8");
    expect(rejects.trimEnd().split("\n")).toEqual([expect.stringContaining('"kind":"end-tag-mismatch"')]);
  });
});

describe("force", () => {
  test("publishes a complete version again: by the variable once, by a trigger whenever it asks", LIMIT, async () => {
    await using scene = await Scene.open(broker, "fanout", dumps);
    await scene.once();
    const before = (await readMarker(scene.root)).processing_phase.started_at;
    const running = scene.serve({ FORCE_REPROCESS: "true" });
    const url = await healthUrl(running);
    await running.logs(/⏰ Waiting/);
    await scene.consumer?.drained();
    const times = (count: number) => Object.fromEntries(TYPES.map((type) => [type, count * SIZES[type]]));
    expect(scene.received).toEqual(times(2));
    expect(await (await trigger(url)).json()).toEqual({ force_reprocess: false, status: "started" });
    await running.logs(/✅ Version \d+ is complete already/);
    await running.logs(/is complete already[\s\S]*⏰ Waiting/);
    expect(await (await trigger(url, true)).json()).toEqual({ force_reprocess: true, status: "started" });
    await running.logs(/is complete already[\s\S]*⏰ Waiting[\s\S]*⏰ Waiting/);
    await scene.consumer?.drained();
    expect(scene.received).toEqual(times(3));
    const starts = new Set(scene.controls("extraction_complete").map(({ body }) => body["started_at"]));
    expect([starts.size, scene.controls("extraction_complete").length]).toEqual([3, 12]); // each forced run has its own
    expect(starts).toContain(before);
    expect(await stopped(running)).toBeLessThan(STOP_SECONDS_MAX);
  });
});

test("under upstream's name, with upstream's flags", LIMIT, async () => {
  await using scene = await Scene.open(broker, "topic", dumps);
  const program = join(folder.path, "extractor");
  await symlink(CLI, program);
  const env = { ...scene.installation.place(), AMQP_CONNECTION: scene.host.url() };
  const running = new Running(["--source", "discogs"], { heard: true, env, under: ["sh", "-c", `shift; exec "$0" "${program}" "$@"`] });
  await running.logs(/⏰ Waiting/);
  await scene.consumer?.drained();
  expect(scene.received).toEqual(SIZES);
  expect(await stopped(running)).toBeLessThan(STOP_SECONDS_MAX);
});
