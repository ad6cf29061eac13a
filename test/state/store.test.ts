import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DATA_TYPES, type DataType } from "../../src/model.ts";
import { diskSteps } from "../../src/state/file.ts";
import type { RunKey } from "../../src/state/marker.ts";
import { StateStore } from "../../src/state/store.ts";
import { CrashingDisk, type CrashPoint } from "./disks.ts";
import { begun, checkpoint, FANOUT, FILES, fileOf, hex, source, startOf, TOPIC, VERSION, wholeFile } from "./samples.ts";

const NAME = `.extraction_status_${VERSION}.json`;
const LABELS = fileOf("labels");
let root: string;
let warnings: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "deadwax-store-"));
  warnings = [];
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

function open(key: RunKey = TOPIC): Promise<StateStore> {
  return StateStore.open(root, VERSION, key, { onWarning: (warning) => warnings.push(warning) });
}

test("a new version has everything pending and nothing on disk until something happens", async () => {
  const store = await open();
  expect(store.decide({ force: false })).toBe("continue");
  expect(store.pendingFiles(FILES)).toEqual(FILES);
  expect(store.resume(LABELS, source("labels"))).toEqual({ kind: "fresh", reason: null });
  expect(store.fileState(LABELS)).toBeNull();
  expect(await readdir(root)).toEqual([]);
  await store.apply({ type: "download-started", filesTotal: 4 });
  expect(await readdir(root)).toEqual([NAME]);
});

test("goes on where it stopped, without verifying again", async () => {
  const first = await open();
  for (const event of [...begun(), ...wholeFile("artists"), startOf("labels")]) await first.apply(event);
  await first.apply({ type: "progress", file: LABELS, checkpoint: checkpoint(5000, 6144), batches: 50 });
  const second = await open();
  expect(second.marker).toEqual({ ...first.marker, deadwax: expect.anything() });
  expect(second.verifiedSource(LABELS, source("labels"))).toEqual(source("labels"));
  expect(second.verifiedSource(LABELS, source("labels", { mtimeNs: "1" }))).toBeNull();
  expect(second.resume(LABELS, source("labels"))).toEqual({ kind: "resume", checkpoint: checkpoint(5000, 6144), batches: 50 });
  expect(second.resume(fileOf("artists"), source("artists"))).toEqual({ kind: "done" });
  expect(second.outcome([fileOf("artists")])).toBe("complete-with-rejects"); // labels have some
  expect((await open(FANOUT)).resume(LABELS, source("labels"))).toEqual({ kind: "fresh", reason: null });
  expect(warnings).toEqual([]);
});

test("a checkpoint for other bytes is not used, with one warning", async () => {
  const first = await open();
  for (const event of [...begun(), startOf("labels")]) await first.apply(event);
  await first.apply({ type: "progress", file: LABELS, checkpoint: checkpoint(5000), batches: 50 });
  const second = await open();
  const other = source("labels", { sha256: hex("other") });
  await second.apply({ type: "file-present", file: LABELS, dataType: "labels", source: other });
  expect(second.resume(LABELS, other)).toEqual({ kind: "fresh", reason: null });
  expect(warnings).toEqual([`${LABELS} is not the file of the saved state, its SHA-256 is another: it is extracted from its first record`]);
  const third = await StateStore.open(root, VERSION, TOPIC);
  expect(third.resume(LABELS, other)).toEqual({ kind: "fresh", reason: null });
});

test.each(["writeSynced", "rename", "duplicate"] as const)("where %s fails for a republished file, nothing is forgotten of the other ones", async (step) => {
  const first = await open();
  for (const event of [...begun(), ...wholeFile("artists"), ...wholeFile("labels")]) await first.apply(event);
  const before = await readFile(join(root, NAME), "utf8");
  const full = { ...diskSteps, [step]: () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" })) };
  const second = await StateStore.open(root, VERSION, TOPIC, { disk: full });
  const event = { type: "file-present", file: LABELS, dataType: "labels", source: source("labels", { sha256: hex("other") }) } as const;
  await expect(second.apply(event)).rejects.toMatchObject({ code: "STATE_UNWRITABLE", message: expect.stringContaining("ENOSPC") });
  expect(await readFile(join(root, NAME), "utf8")).toBe(before);
  const third = await open();
  expect(third.pendingFiles([fileOf("artists"), LABELS])).toEqual([]);
  await third.apply(event);
  expect(third.pendingFiles([fileOf("artists"), LABELS])).toEqual([LABELS]);
});

test("files that are verified side by side and both republished are both kept and done again", async () => {
  const first = await open();
  for (const event of [...begun(), ...wholeFile("artists"), ...wholeFile("labels")]) await first.apply(event);
  const before = await readFile(join(root, NAME), "utf8");
  const second = await open();
  const types = ["artists", "labels"] as const;
  await Promise.all(
    types.map((type) => second.apply({ type: "file-present", file: fileOf(type), dataType: type, source: source(type, { sha256: hex("other") }) })),
  );
  expect(second.pendingFiles(types.map(fileOf))).toEqual(types.map(fileOf));
  const kept = (await readdir(root)).filter((name) => name !== NAME);
  expect(kept.every((name) => name.startsWith(`${NAME}.corrupt-`))).toBe(true);
  expect(await readFile(join(root, kept.sort()[0] ?? ""), "utf8")).toBe(before);
});

test("asked before the file is reported present, it says why the checkpoint is not used", async () => {
  const store = await open();
  for (const event of [...begun(), startOf("labels")]) await store.apply(event);
  await store.apply({ type: "progress", file: LABELS, checkpoint: checkpoint(5000), batches: 50 });
  const info = store.resume(LABELS, source("labels", { sha256: null, size: 1 }));
  expect(info).toEqual({ kind: "fresh", reason: "it had 480000000 bytes and has 1" });
  expect(warnings).toHaveLength(1);
});

test("a damaged marker is kept beside, with a warning, and the version starts afresh", async () => {
  await writeFile(join(root, NAME), '{"current_version":"2026');
  const store = await open();
  expect(store.pendingFiles(FILES)).toEqual(FILES);
  expect(warnings).toEqual([expect.stringMatching(/^state marker .+ is not used, it cannot be understood: .+ the old marker is kept as .+$/)]);
  await store.apply({ type: "download-started", filesTotal: 4 });
  const names = await readdir(root);
  expect(names).toHaveLength(2);
  const kept = names.find((name) => name !== NAME) ?? "";
  expect(await readFile(join(root, kept), "utf8")).toBe('{"current_version":"2026');
  await open();
  expect(warnings).toHaveLength(1);
});

test("a marker from the future is refused in one line and left alone", async () => {
  const future = '{"deadwax":{"markerVersion":2}}';
  await writeFile(join(root, NAME), future);
  const failure = await open().catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "STATE_TOO_NEW" });
  expect((failure as Error).message).toBe(
    `state marker ${join(root, NAME)} has markerVersion 2, this deadwax knows up to 1: use the newer deadwax, or move the file away to start afresh`,
  );
  expect(await readFile(join(root, NAME), "utf8")).toBe(future);
  expect(await readdir(root)).toEqual([NAME]);
});

// ── a model: what a run may rely on after any crash is what it was told is on disk ──

interface Place {
  readonly done: boolean;
  readonly ordinal: number;
}

type Step =
  | { readonly do: "advance"; readonly type: DataType; readonly records: number; readonly crash: CrashPoint | null }
  | { readonly do: "finish" | "fail"; readonly type: DataType; readonly crash: CrashPoint | null }
  | { readonly do: "restart"; readonly key: RunKey };

const crash = fc.option(
  fc.oneof(
    fc.record({ at: fc.constant("torn" as const), fraction: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ at: fc.constantFrom("unrenamed" as const, "unsynced" as const) }),
  ),
  { freq: 3 },
);
const type = fc.constantFrom(...DATA_TYPES);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("advance" as const), type, records: fc.integer({ min: 0, max: 9000 }), crash }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("finish" as const, "fail" as const), type, crash }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), key: fc.constantFrom(TOPIC, FANOUT) }) },
);

test("after any crash every file goes on from the last checkpoint that was on disk", { timeout: 60_000 }, async () => {
  let crashes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const folder = await mkdtemp(join(root, "run-"));
      const model = new Map<string, Place>();
      const disk = new CrashingDisk();
      const options = { disk, onWarning: (warning: string) => expect.unreachable(warning) };
      let key = TOPIC;
      let started = new Set<DataType>();
      let store = await restart();
      for (const next of steps) await take(next);
      await restart();

      /** A new process: the store must agree with the model on every file. */
      async function restart(): Promise<StateStore> {
        await disk.restart();
        started = new Set();
        const opened = await StateStore.open(folder, VERSION, key, options);
        if (opened.decide({ force: false }) === "reprocess") await opened.apply({ type: "reprocess" });
        for (const event of begun()) await opened.apply(event);
        for (const dataType of DATA_TYPES) {
          const { done, ordinal } = placeOf(dataType);
          const info = opened.resume(fileOf(dataType), source(dataType));
          if (done) expect(info).toEqual({ kind: "done" });
          else if (ordinal === 0) expect(info).toEqual({ kind: "fresh", reason: null });
          else expect(info).toEqual({ kind: "resume", checkpoint: checkpoint(ordinal), batches: ordinal });
        }
        return opened;
      }

      async function take(next: Step): Promise<void> {
        if (next.do === "restart") {
          key = next.key;
          store = await restart();
          return;
        }
        const { done, ordinal } = placeOf(next.type);
        if (done) return;
        const file = fileOf(next.type);
        if (!started.has(next.type)) await store.apply(startOf(next.type, ordinal > 0));
        started.add(next.type);
        const after = next.do === "advance" ? ordinal + next.records + 1 : ordinal;
        disk.crash = next.crash;
        try {
          if (next.do === "advance") await store.apply({ type: "progress", file, checkpoint: checkpoint(after), batches: after });
          else if (next.do === "fail") await store.apply({ type: "phase-failed", phase: "processing", error: "broken", file });
          else await store.apply({ type: "file-completed", file, counts: checkpoint(after).counts, digest: hex("end"), ledger: null, batches: after });
          if (next.do === "fail") started.delete(next.type); // the next run takes it up again
        } catch (error) {
          expect(error).toMatchObject({ code: "STATE_UNWRITABLE" });
          crashes++;
        }
        if (next.crash === null || next.crash.at === "unsynced") setPlace(next.type, { done: next.do === "finish", ordinal: after });
        if (next.crash !== null) store = await restart();
      }

      function placeOf(dataType: DataType): Place {
        return model.get(`${key.contract} ${dataType}`) ?? { done: false, ordinal: 0 };
      }

      function setPlace(dataType: DataType, place: Place): void {
        model.set(`${key.contract} ${dataType}`, place);
      }
    }),
    { numRuns: 60, seed: 20260101 },
  );
  expect(crashes).toBeGreaterThan(100);
});
