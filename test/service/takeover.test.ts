import { createHash } from "node:crypto";
import { copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Broker } from "../services/rabbitmq.ts";
import { targets } from "../source/discogs/scripted-server.ts";
import { type Folder, makeDump, temporaryFolder, VERSION } from "../system/support/dumps.ts";
import { markerPath, readMarker } from "../system/support/marker.ts";
import { copyFiles, Scene, TYPES } from "./scene.ts";

/** What an upstream extractor left in its folder is taken over: its words, not ours, are what is written here. */
const SIZES = { artists: 120, labels: 130, masters: 110, releases: 140 };
const NOTHING = { artists: 0, labels: 0, masters: 0, releases: 0 };
const STARTED_AT = "2026-08-02T10:45:00.000000003Z";
const TIME = "2026-08-02T12:30:00.000000005Z";
type Type = (typeof TYPES)[number];

const fileOf = (type: Type) => `discogs_${VERSION}_${type}.xml.gz`;

let broker: Broker;
let dumps: Folder;
let others: Folder;
beforeAll(async () => {
  broker = await Broker.start();
  dumps = await temporaryFolder();
  await makeDump(dumps.path, { ...SIZES, seed: 1 });
  others = await temporaryFolder();
  await makeDump(others.path, { ...SIZES, seed: 2 });
}, 180_000);
afterAll(async () => {
  await dumps[Symbol.asyncDispose]();
  await others[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

/** SHA-256 of a dump in a folder. */
async function sha256(folder: string, type: Type): Promise<string> {
  return createHash("sha256")
    .update(await readFile(join(folder, fileOf(type))))
    .digest("hex");
}

/** How far upstream got with a file: done, begun, or neither. */
type Progress = "completed" | "in_progress" | "none";

interface MarkerOptions {
  readonly files: Readonly<Record<Type, Progress>>;
  readonly overall?: string;
  readonly download?: string;
  readonly processing?: string;
  /** Whether the marker tells checksums, as generation B's does and the first ones do not. */
  readonly checksums?: boolean;
}

/** A marker with the fields, order and time format of upstream's. */
async function upstreamMarker({ files, overall = "in_progress", download = "completed", processing = "in_progress", checksums = true }: MarkerOptions) {
  const hashes = new Map<Type, string | null>();
  for (const type of TYPES) hashes.set(type, checksums ? await sha256(dumps.path, type) : null);
  const begun = TYPES.filter((type) => files[type] !== "none");
  const entries = begun.map((type) => {
    const done = files[type] === "completed";
    const records = done ? SIZES[type] : 50;
    const times = { started_at: STARTED_AT, completed_at: done ? TIME : null };
    const counts = { records_extracted: records, messages_published: records, batches_sent: 2 };
    return [fileOf(type), { status: files[type], ...counts, ...times, source_checksum: hashes.get(type) }] as const;
  });
  const records = entries.reduce((sum, [, entry]) => sum + entry.records_extracted, 0);
  return {
    metadata_version: "1.0",
    last_updated: TIME,
    current_version: VERSION,
    download_phase: {
      status: download,
      started_at: STARTED_AT,
      completed_at: STARTED_AT,
      files_downloaded: 4,
      files_total: 4,
      bytes_downloaded: 4,
      downloads_by_file: Object.fromEntries(
        TYPES.map((type) => [
          fileOf(type),
          { status: "completed", bytes_downloaded: 1, started_at: STARTED_AT, completed_at: STARTED_AT, checksum: hashes.get(type) },
        ]),
      ),
      errors: [],
    },
    processing_phase: {
      status: processing,
      started_at: STARTED_AT,
      completed_at: processing === "completed" ? TIME : null,
      files_processed: begun.filter((type) => files[type] === "completed").length,
      files_total: 4,
      records_extracted: records,
      current_file: null,
      progress_by_file: Object.fromEntries(entries),
      errors: [],
    },
    publishing_phase: { status: "in_progress", messages_published: records, batches_sent: 8, errors: [], last_amqp_heartbeat: TIME },
    summary: { overall_status: overall, total_duration_seconds: null, files_by_type: Object.fromEntries(begun.map((type) => [type, files[type]])) },
  };
}

const ALL_DONE = { artists: "completed", labels: "completed", masters: "completed", releases: "completed" } as const;
const HALF_DONE = { artists: "completed", labels: "in_progress", masters: "none", releases: "none" } as const;

/** A scene whose folder holds the dumps that the site publishes, and this marker. */
async function upstreamFolder(contract: "topic" | "fanout", marker: unknown): Promise<Scene> {
  const scene = await Scene.open(broker, contract, dumps.path);
  await copyFiles(dumps.path, scene.root);
  if (marker !== null) await writeFile(markerPath(scene.root), typeof marker === "string" ? marker : JSON.stringify(marker, null, 2));
  return scene;
}

/** Bytes of dumps that the site has served: pages and CHECKSUM are not counted. */
function downloaded({ installation }: Scene): number {
  return installation.site.bytesServed(({ target }) => target.includes("xml.gz"));
}

describe("a state marker of upstream", () => {
  test.each(["topic", "fanout"] as const)("that is completed means nothing to do (%s)", { timeout: 60_000 }, async (contract) => {
    const marker = await upstreamMarker({ files: ALL_DONE, overall: "completed", processing: "completed" });
    await using scene = await upstreamFolder(contract, marker);
    const log = await scene.once();
    expect(log).toContain(`✅ Version ${VERSION} is complete already`);
    expect([scene.received, scene.consumer?.controls, downloaded(scene)]).toEqual([NOTHING, [], 0]);
    expect(JSON.parse(await readFile(markerPath(scene.root), "utf8"))).toEqual(marker); // not even touched
  });

  test.each([true, false])("that is half done: its files are done, the one begun is from its start (checksums: %s)", { timeout: 60_000 }, async (checksums) => {
    await using scene = await upstreamFolder("fanout", await upstreamMarker({ files: HALF_DONE, checksums }));
    await scene.once();
    expect(scene.received).toEqual({ ...SIZES, artists: 0 });
    expect(downloaded(scene)).toBe(0);
    expect(scene.controls("file_complete").map(({ from }) => from)).not.toContain("artists");
    const announced = scene.controls("extraction_complete");
    expect(announced.map(({ from }) => from).sort()).toEqual([...TYPES]);
    for (const { body } of announced) expect(body).toMatchObject({ version: VERSION, started_at: STARTED_AT, record_counts: SIZES });
    expect((await readMarker(scene.root)).summary.overall_status).toBe("completed");
  });

  test("whose files are all done but were not announced: they are announced, and nothing else", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("fanout", await upstreamMarker({ files: ALL_DONE, processing: "completed" }));
    await scene.once();
    expect([scene.received, scene.controls("file_complete"), downloaded(scene)]).toEqual([NOTHING, [], 0]);
    expect(scene.controls("extraction_complete").map(({ body }) => body["record_counts"])).toEqual(Array(4).fill(SIZES));
    const running = scene.serve();
    await running.logs(/✅ Version \d+ is complete already/);
    await scene.consumer?.drained();
    expect(scene.consumer?.controls).toHaveLength(4);
  });

  test("of which the site has published other bytes since: those are published", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("fanout", await upstreamMarker({ files: { ...HALF_DONE, labels: "completed" } }));
    await copyFile(join(others.path, fileOf("artists")), join(scene.installation.published, fileOf("artists")));
    const lines: string[] = [];
    for (const type of TYPES) lines.push(`${await sha256(scene.installation.published, type)} ${fileOf(type)}\n`);
    await writeFile(join(scene.installation.published, `discogs_${VERSION}_CHECKSUM.txt`), lines.join(""));
    const log = await scene.once();
    expect(scene.received).toEqual({ ...SIZES, labels: 0 });
    expect(log).toMatch(/artists.xml.gz is not the file of the saved state/);
    expect(await sha256(scene.root, "artists")).toBe(await sha256(others.path, "artists"));
    expect(scene.controls("extraction_complete").map(({ body }) => body["started_at"])).toEqual(Array(4).fill(STARTED_AT));
    expect((await readdir(scene.root)).filter((name) => name.includes("extraction_status"))).toHaveLength(2); // what it said is kept beside
  });

  test("that tells no checksums is believed whatever the site has published since", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("fanout", await upstreamMarker({ files: HALF_DONE, checksums: false }));
    await rm(join(scene.root, fileOf("artists")));
    await scene.once();
    expect(scene.received).toEqual({ ...SIZES, artists: 0 });
    expect(downloaded(scene)).toBeGreaterThan(0); // verified means there
  });

  test("with a failed download and files that are done: those stay done", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("topic", await upstreamMarker({ files: HALF_DONE, download: "failed" }));
    await scene.once();
    expect(scene.received).toEqual({ ...SIZES, artists: 0 });
  });

  test("with a failed download and nothing done starts over", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("fanout", await upstreamMarker({ files: { ...HALF_DONE, artists: "in_progress" }, download: "failed" }));
    await scene.once();
    expect([scene.received, downloaded(scene)]).toEqual([SIZES, 0]);
    for (const { body } of scene.controls("extraction_complete")) expect(Date.parse(String(body["started_at"]))).toBeGreaterThan(Date.parse(TIME));
  });

  test("as promised in its least form (S2.16): what it leaves out is taken as unknown", { timeout: 60_000 }, async () => {
    const example = await readFile(new URL("../state/fixtures/example-lenient.json", import.meta.url), "utf8");
    await using scene = await upstreamFolder("topic", example.replaceAll("20260101", VERSION));
    await scene.once();
    expect(scene.received).toEqual({ ...SIZES, artists: 0 });
    expect((await readMarker(scene.root)).processing_phase.progress_by_file[fileOf("artists")]).toMatchObject({
      status: "completed",
      records_extracted: 500_000,
    });
  });

  test.each([
    ["is cut off", '{"metadata_version":"1.0","curr'],
    ["is empty", ""],
    ["is of another kind", "[1,2,3]"],
  ])("that %s is kept beside, and the version starts afresh", { timeout: 60_000 }, async (_, text) => {
    await using scene = await upstreamFolder("topic", text);
    const log = await scene.once();
    expect(scene.received).toEqual(SIZES);
    expect(log).toMatch(/the version starts afresh, the old marker is kept as/);
    const kept = (await readdir(scene.root)).filter((name) => name.startsWith(`.extraction_status_${VERSION}`) && !name.endsWith(`${VERSION}.json`));
    expect(kept).toHaveLength(1);
    expect(await readFile(join(scene.root, kept[0] ?? ""), "utf8")).toBe(text);
  });
});

describe(".processing_state.json", () => {
  const finished = { [fileOf("artists")]: true, [fileOf("masters")]: true, [fileOf("labels")]: false };

  test.each([
    ["generation A in Rust", { files: finished }],
    ["generation A in Python", finished],
  ])("of %s: what it calls finished is not published", { timeout: 60_000 }, async (_, state) => {
    await using scene = await upstreamFolder("topic", null);
    await writeFile(join(scene.root, ".processing_state.json"), JSON.stringify(state));
    await scene.once();
    expect([scene.received, downloaded(scene)]).toEqual([{ ...SIZES, artists: 0, masters: 0 }, 0]);
    expect(
      scene
        .controls("file_complete")
        .map(({ from }) => from)
        .sort(),
    ).toEqual(["labels", "releases"]);
    const running = scene.serve();
    await running.logs(/⏰ Waiting/);
    await scene.consumer?.drained();
    expect(scene.received).toEqual({ ...SIZES, artists: 0, masters: 0 });
  });

  test("that calls everything finished leaves nothing to do, once and for all", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("topic", null);
    await writeFile(join(scene.root, ".processing_state.json"), JSON.stringify(Object.fromEntries(TYPES.map((type) => [fileOf(type), true]))));
    await rm(join(scene.root, fileOf("releases"))); // nor is anything fetched that nobody needs
    for (let start = 0; start < 2; start += 1) expect(await scene.once()).toMatch(/✅ Version \d+ is complete already/);
    expect([scene.received, scene.consumer?.controls, downloaded(scene)]).toEqual([NOTHING, [], 0]);
  });

  test("says nothing of the fanout contract's exchanges, which its writers did not know", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("fanout", null);
    await writeFile(join(scene.root, ".processing_state.json"), JSON.stringify({ files: finished }));
    await scene.once();
    expect(scene.received).toEqual(SIZES);
    for (const { body } of scene.controls("extraction_complete")) expect(body["record_counts"]).toEqual(SIZES);
  });

  test("that cannot be read counts as none, with a warning", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("topic", null);
    await writeFile(join(scene.root, ".processing_state.json"), "{");
    const log = await scene.once();
    expect(scene.received).toEqual(SIZES);
    expect(log).toContain(".processing_state.json cannot be used");
  });
});

describe(".discogs_metadata.json", () => {
  async function metadata(root: string, checksumOf: (type: Type) => string | Promise<string>): Promise<void> {
    const entries: [string, unknown][] = [];
    for (const type of TYPES) {
      const path = join(root, fileOf(type));
      entries.push([fileOf(type), { path, checksum: await checksumOf(type), version: VERSION.slice(0, 6), size: (await readFile(path)).length }]);
    }
    await writeFile(join(root, ".discogs_metadata.json"), JSON.stringify(Object.fromEntries(entries), null, 2));
  }

  test("with the right checksums: nothing is downloaded again", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("topic", null);
    await metadata(scene.root, (type) => sha256(scene.root, type));
    const name = `discogs_${VERSION}_CHECKSUM.txt`;
    await rm(join(scene.root, name));
    scene.installation.site.script(targets.file(name), { status: 404 }); // so that nothing else tells
    const log = await scene.once();
    expect(log).toContain(`the CHECKSUM of ${VERSION} cannot be had`);
    expect([scene.received, downloaded(scene)]).toEqual([SIZES, 0]);
  });

  test("with a wrong checksum that the site's contradicts: the site's counts", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("topic", null);
    await metadata(scene.root, () => "0".repeat(64));
    await scene.once();
    expect([scene.received, downloaded(scene)]).toEqual([SIZES, 0]);
  });

  test("whatever it says, a file that is not the published one is downloaded again", { timeout: 60_000 }, async () => {
    await using scene = await upstreamFolder("topic", null);
    await copyFile(join(others.path, fileOf("labels")), join(scene.root, fileOf("labels")));
    await metadata(scene.root, (type) => sha256(scene.root, type));
    await scene.once();
    expect(scene.received).toEqual(SIZES);
    expect(await sha256(scene.root, "labels")).toBe(await sha256(dumps.path, "labels"));
    expect(downloaded(scene)).toBe((await readFile(join(dumps.path, fileOf("labels")))).length);
    const known = JSON.parse(await readFile(join(scene.root, ".discogs_metadata.json"), "utf8")) as Record<string, { checksum: string }>;
    expect(known[fileOf("labels")]?.checksum).toBe(await sha256(dumps.path, "labels"));
  });
});
