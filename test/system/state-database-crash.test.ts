import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DATA_TYPES } from "../../src/model.ts";
import { lastLine } from "./support/deadwax.ts";
import { type Folder, temporaryFolder } from "./support/dumps.ts";
import { MONTHS, makeTrio } from "./support/month-trio.ts";
import { FULL } from "./support/scale.ts";
import { Place, recordsOf, runsOf, stateDatabase } from "./support/state-database.ts";
import "./support/slow.ts";

const [A, B, C] = MONTHS;
const RECORDS = 400;

let folder: Folder;
let dumps: string;
/** What a run that nobody disturbs knows at the end of each month. */
const known: Record<string, string[]> = {};
let places = 0;
beforeAll(async () => {
  folder = await temporaryFolder();
  dumps = join(folder.path, "dumps");
  await makeTrio(dumps, RECORDS, 7);
  await using database = await stateDatabase("18");
  const place = newPlace(database.url);
  for (const month of MONTHS) {
    await place.run(month);
    known[month.name] = await recordsOf(database);
  }
}, 120_000);
afterAll(() => folder[Symbol.asyncDispose]());

function newPlace(url: string): Place {
  places += 1;
  return new Place(join(folder.path, `place-${places}`), dumps, url);
}

/** Every durable step of the end of a run, and the one before it; CI takes those around the database's own. */
const STEPS = ["tombstones-synced", "state-stored", "state-committed", "file-saved", "generation-written", "index-moved"] as const;

describe.each(FULL ? STEPS : STEPS.slice(0, 3))("killed at %s", (step) => {
  test("the run is aborted or done, the next one ends well, and nothing is lost or written twice", async () => {
    await using database = await stateDatabase("18");
    const place = newPlace(database.url);
    await place.run(A);
    const killed = await place.run(B, { env: { FAULT_PLAN: `${step} kill ${step === "file-saved" ? 2 : 1}` } });
    expect(killed.signal).toBe("SIGKILL");
    const left = (await runsOf(database, B.version)).filter(({ status }) => status === "running").length;
    expect(left > 0).toBe(!isCommitted(step));
    expect(await recordsOf(database)).toEqual(known[isCommitted(step) ? "B" : "A"]);
    const next = await place.run(B);
    expect(next.code, next.stderr).toBe(0);
    expect(await recordsOf(database)).toEqual(known["B"]);
    const runs = await runsOf(database, B.version);
    const completed = runs.filter(({ status }) => status === "completed");
    expect(completed.map(({ data_type }) => data_type).sort()).toEqual([...DATA_TYPES].sort());
    const aborted = runs.filter(({ status }) => status === "aborted");
    expect(aborted.length + completed.length).toBe(runs.length);
    expect(aborted).toHaveLength(left);
    for (const { error_message } of aborted) expect(error_message).toMatch(/^the process \d+ on \S+ ended without a word; it was last heard of at 20\S+Z$/);
    expect(runs.some(({ in_doubt }) => in_doubt)).toBe(false);
    const twice = await database.query("SELECT record_id FROM data_changelog GROUP BY data_type, record_id, processing_run_id HAVING count(*) > 1");
    expect(twice).toEqual([]);
    // Messages name the run that is told as completed.
    const told = await database.query("SELECT DISTINCT processing_run_id AS id FROM data_changelog");
    expect(told.map(({ id }) => id as string).sort()).toEqual(completed.map(({ id }) => id).sort());
    if (!FULL) return;
    expect((await place.run(C)).code).toBe(0);
    expect(await recordsOf(database)).toEqual(known["C"]);
  });
});

function isCommitted(step: (typeof STEPS)[number]): boolean {
  return step === "state-committed" || step === "index-moved";
}

test("a second run of the same types is refused, and told who is at it", async () => {
  await using database = await stateDatabase("18");
  const place = newPlace(database.url);
  const first = await place.start(A, { env: { FAULT_PLAN: "file-saved stop 1" } });
  await first.says("FAULT file-saved");
  const second = await place.run(A, { host: "elsewhere" });
  expect(second.code).toBe(6);
  expect(lastLine(second)).toContain("STATE_LOCKED");
  expect(lastLine(second)).toMatch(new RegExp(`is processed by pid ${first.pid} on \\S+ since .*wait until that run ends`));
  first.kill("SIGCONT");
  expect((await first.ended).code).toBe(0);
  expect(await recordsOf(database)).toEqual(known["A"]);
  expect((await place.run(B, { host: "elsewhere" })).code).toBe(0);
  expect(await recordsOf(database)).toEqual(known["B"]);
});

test("connections that are lost in the middle of a run are made again, and it ends well", async () => {
  await using database = await stateDatabase("18");
  const place = newPlace(database.url);
  await place.run(A);
  const running = await place.start(B, { env: { FAULT_PLAN: "generation-written stop 2" } });
  await running.says("FAULT generation-written");
  const lost = await database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deadwax' AND datname = current_database()",
  );
  expect(lost).toHaveLength(2);
  running.kill("SIGCONT");
  const ended = await running.ended;
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stderr).toContain("the connection to the database of the state is lost");
  expect(await recordsOf(database)).toEqual(known["B"]);
  expect((await runsOf(database, B.version)).map(({ status }) => status)).toEqual(Array(4).fill("completed"));
});

test("whoever lost the lease to another run commits nothing", async () => {
  await using database = await stateDatabase("18");
  const place = newPlace(database.url);
  await place.run(A);
  const running = await place.start(B, { env: { FAULT_PLAN: "generation-written stop 1" } });
  await running.says("FAULT generation-written");
  await database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deadwax' AND datname = current_database()");
  const other = await place.run(B, { host: "elsewhere" });
  expect(other.code, other.stderr).toBe(0);
  const before = await runsOf(database, B.version);
  running.kill("SIGCONT");
  const ended = await running.ended;
  expect(ended.code).toBe(6);
  expect(lastLine(ended)).toContain("STATE_LOCKED");
  expect(await runsOf(database, B.version)).toEqual(before);
  expect(await recordsOf(database)).toEqual(known["B"]);
});

test("a run that fails is written down as failed, with why; the next one completes it", async () => {
  await using database = await stateDatabase("18");
  const place = newPlace(database.url);
  await place.run(A);
  const failed = await place.run(B, { env: { FAULT_PLAN: "tombstones-synced throw 1" } });
  expect(failed.code).toBe(1);
  const told = await runsOf(database, B.version);
  expect(told.map(({ status, error_message }) => [status, error_message])).toEqual(Array(4).fill(["failed", "fault at tombstones-synced"]));
  const states = await database.query("SELECT processing_status, error_message, version FROM processing_state");
  expect(states).toEqual(Array(4).fill({ processing_status: "error", error_message: "fault at tombstones-synced", version: A.version }));
  expect((await place.run(B)).code).toBe(0);
  expect((await runsOf(database, B.version)).map(({ status }) => status).sort()).toEqual([...Array(4).fill("completed"), ...Array(4).fill("failed")]);
  expect(await recordsOf(database)).toEqual(known["B"]);
});

test("a run elsewhere that never ended and left no ledger here makes every record come again; one that did is known exactly", async () => {
  await using database = await stateDatabase("18");
  const place = newPlace(database.url);
  await place.run(A);
  await place.run(B, { env: { FAULT_PLAN: "tombstones-synced kill 1" } });
  await place.lose();
  const next = await place.run(C, { args: ["--allow-deletes"] });
  expect(next.code, next.stderr).toBe(0);
  expect(next.stderr).toContain("nobody can tell what it has delivered");
  for (const { unchanged, updated } of Object.values(next.found)) expect({ unchanged, isMuch: updated > 50 }).toEqual({ unchanged: 0, isMuch: true });
  expect(await recordsOf(database)).toEqual(known["C"]);
  const runs = await runsOf(database, B.version);
  expect(runs.map(({ status, in_doubt }) => [status, in_doubt])).toEqual(Array(4).fill(["superseded", false]));

  await using other = await stateDatabase("18");
  const folded = newPlace(other.url);
  await folded.run(A);
  await folded.run(B, { env: { FAULT_PLAN: "tombstones-synced kill 1" } });
  const gone = await folded.run(C, { args: ["--allow-deletes"] });
  expect(gone.code, gone.stderr).toBe(0);
  expect(gone.stderr).toContain("was never ended");
  for (const { unchanged, updated } of Object.values(gone.found)) expect(unchanged).toBeGreaterThan(updated);
  expect(await recordsOf(other)).toEqual(known["C"]);
  expect((await runsOf(other, B.version)).map(({ status }) => status)).toEqual(Array(4).fill("superseded"));
});

test("a run of the very same dump finds another's records again, but not the deletions that it may hold back", async () => {
  await using database = await stateDatabase("18");
  const place = newPlace(database.url);
  await place.run(A);
  const doubted = ({ stderr }: { stderr: string }) => stderr.split("\n").filter((line) => line.includes("nobody can tell what it has delivered")).length;
  const killedAt = async (point: string, passage: number) => {
    const killed = await place.run(B, { env: { FAULT_PLAN: `${point} kill ${passage}` } });
    expect(killed.signal, killed.stderr).toBe("SIGKILL");
    await place.lose();
    return doubted(killed);
  };
  await killedAt("file-saved", 4);
  expect(await killedAt("tombstones-synced", 4)).toBe(0);
  const again = await place.run(B);
  expect(again.code, again.stderr).toBe(0);
  const deleting = Object.values(again.found).filter(({ deleted }) => deleted > 0);
  expect(deleting.length).toBeGreaterThan(0);
  expect(doubted(again)).toBe(deleting.length);
  expect(await recordsOf(database)).toEqual(known["B"]);
});

test("a dry run compares with the database and writes nothing, here or there", async () => {
  await using database = await stateDatabase("18");
  const place = newPlace(database.url);
  await place.run(A);
  await place.lose();
  const before = await database.query("SELECT * FROM processing_runs ORDER BY number");
  const dry = await place.run(B, { args: ["--dry-run"] });
  expect(dry.code, dry.stderr).toBe(0);
  expect(dry.found["artists"]?.unchanged).toBeGreaterThan(RECORDS / 2);
  expect((await readdir(place.root())).filter((name) => name.startsWith("."))).toEqual([]);
  expect(await database.query("SELECT * FROM processing_runs ORDER BY number")).toEqual(before);
  expect(await recordsOf(database)).toEqual(known["A"]);
  expect((await place.run(B)).found).toEqual(dry.found);
});
