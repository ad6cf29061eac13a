import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { audit, auditedDatabase, leftovers, migrated, writes, writtenTwice } from "../postgres/scene.ts";
import { Database } from "../services/database.ts";
import { Postgres } from "../services/postgres.ts";
import { deadwax, extract, Running } from "./support/deadwax.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { assertSound, fileState } from "./support/marker.ts";
import { seeded } from "./support/random.ts";
import { cases, FULL, figure, timeoutMs } from "./support/scale.ts";

const RELEASES = FULL ? 60_000 : 6_000;
const INTERVAL = FULL ? 2_000 : 300;
const KILLS = cases(10, 50);
const DELAY_MS_MAX = FULL ? 6_000 : 1_200;
const NEXT = "20260901";
const THIRD = "20261001";

const random = seeded("postgres");
let folder: Folder;
beforeAll(async () => {
  folder = await temporaryFolder();
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

/** What a table holds, in one hash that a faithful copy of the dump shares whatever it went through. */
async function content(database: Database): Promise<{ rows: number; digest: string }> {
  const [row] = await database.query<{ rows: string; digest: string }>(
    "SELECT count(*) AS rows, md5(string_agg(data_id || ' ' || hash || ' ' || data::text, E'\\n' ORDER BY data_id)) AS digest FROM releases",
  );
  return { rows: Number(row?.rows), digest: row?.digest ?? "" };
}

test(`${KILLS} kills of the extractor: each record is written once, and nothing is left behind`, { timeout: timeoutMs(300_000, 1_800_000) }, async () => {
  const dump = join(folder.path, "kills");
  await makeDump(dump, { releases: RELEASES, seed: random.seed });
  await using undisturbed = await auditedDatabase();
  await extract([dumpPath(dump, "releases"), "--sink", undisturbed.url, "--state", join(dump, "undisturbed")]);
  const reference = await content(undisturbed);
  expect(reference.rows).toBe(RELEASES);

  let kills = 0;
  let behindCommit = 0;
  for (let pass = 0; kills < KILLS; pass += 1) {
    await using database = await auditedDatabase();
    const state = join(dump, `state-${pass}`);
    await mkdir(state, { recursive: true });
    const args = [dumpPath(dump, "releases"), "--sink", database.with({ portion_records: INTERVAL }), "--state", state];
    const options = ["--checkpoint-records", String(INTERVAL), "--chunk", FULL ? "1MiB" : "128KiB", "--output", "json"];
    for (let done = false; !done; ) {
      const running = new Running(["extract", ...args, ...options]);
      const delay = kills < KILLS ? random.between(100, DELAY_MS_MAX) : Number.POSITIVE_INFINITY;
      await Promise.race([running.ended, ...(delay === Number.POSITIVE_INFINITY ? [] : [sleep(delay)])]);
      running.kill("SIGKILL");
      const { code, signal, stderr } = await running.ended;
      done = signal !== "SIGKILL";
      if (done) expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      else {
        kills += 1;
        if ((await committed(database)) > (await saved(state))) behindCommit += 1;
      }
      if (!done && (await saved(state)) > 0) await assertSound(state);
    }
    expect(await content(database)).toEqual(reference);
    expect([await writes(database), await writtenTwice(database), await leftovers(database)]).toEqual([{ INSERT: RELEASES }, [], []]);
  }
  figure("postgres kills", { seed: random.seed, kills, killsBetweenCommitAndMarker: behindCommit, records: RELEASES, writtenTwice: 0, left: 0 });
});

/** Records that the database says it holds, and those that the state marker vouches for. */
async function committed(database: Database): Promise<number> {
  const [row] = await database.query<{ records: string }>("SELECT records FROM deadwax_positions");
  return Number(row?.records ?? 0);
}

async function saved(state: string): Promise<number> {
  const file = await fileState(state, `discogs_${VERSION}_releases.xml.gz`).catch(() => undefined);
  return file?.checkpoint?.counts.written ?? 0;
}

test.each([
  ["portion-stored", "kill"],
  ["portion-stored", "throw"],
  ["portion-committed", "kill"],
  ["portion-committed", "throw"],
])("struck at %s by a %s: the next run brings everything to its end, and writes nothing twice", { timeout: 120_000 }, async (point, action) => {
  const records = 2_000;
  const dump = join(folder.path, `${point}-${action}`);
  await makeDump(dump, { releases: records, seed: random.seed });
  await using database = await auditedDatabase();
  const options = ["--state", join(dump, "state"), "--checkpoint-records", "200", "--chunk", "64KiB"];
  const args = ["extract", dumpPath(dump, "releases"), "--sink", database.with({ portion_records: 100 }), ...options];
  const struck = await deadwax(args, { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: `${point} ${action} ${random.between(1, 8)}` } });
  expect(struck.signal ?? struck.code).toEqual(action === "kill" ? "SIGKILL" : expect.any(Number));
  expect(struck.code).not.toBe(0);
  expect((await deadwax(args)).code).toBe(0);
  expect([await writes(database), await writtenTwice(database), await leftovers(database)]).toEqual([{ INSERT: records }, [], []]);
});

test("an immediate stop of the server, again and again: the run goes on by itself, and each record is written once", {
  timeout: timeoutMs(300_000, 900_000),
}, async () => {
  const stops = cases(3, 10);
  const dump = join(folder.path, "stops");
  await makeDump(dump, { releases: RELEASES, seed: random.seed });
  await using server = await Postgres.start();
  await using database = await Database.on(server.url);
  await audit(database);
  const args = [dumpPath(dump, "releases"), "--sink", database.with({ portion_records: INTERVAL }), "--state", join(dump, "state")];
  const running = new Running(["extract", ...args, "--output", "json"]);
  let stopped = 0;
  for (; stopped < stops && running.isRunning; stopped += 1) {
    const before = await stored(server, database.name);
    while (running.isRunning && (await stored(server, database.name)) < before + INTERVAL) await sleep(20);
    await server.stop("immediate");
    await server.restart();
  }
  const { code, stderr } = await running.ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const rows = await server.query<{ operation: string; count: string }>(database.name, "SELECT operation, count(*) FROM audit GROUP BY operation");
  expect(rows).toEqual([{ operation: "INSERT", count: String(RELEASES) }]);
  expect(stopped).toBeGreaterThan(1);
  figure("postgres immediate stops", { stops: stopped, records: RELEASES });
});

async function stored(server: Postgres, database: string): Promise<number> {
  const [row] = await server.query<{ records: string }>(database, "SELECT coalesce(max(records), 0) AS records FROM deadwax_positions");
  return Number(row?.records);
}

test("a database that was made anew is filled again, whatever the state marker says", { timeout: 120_000 }, async () => {
  const dump = join(folder.path, "anew");
  await makeDump(dump, { releases: 500, seed: random.seed });
  await using database = await auditedDatabase();
  const args = ["extract", dumpPath(dump, "releases"), "--sink", database.url, "--state", join(dump, "state")];
  expect((await deadwax(args)).code).toBe(0);
  await database.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  await audit(database);
  const { code, stderr } = await deadwax(args);
  expect(code).toBe(0);
  expect(stderr).toContain("no longer holds its records");
  expect(await writes(database)).toEqual({ INSERT: 500 });
});

test("the same records under the next date write nothing, and a version that lacks some takes exactly those away", {
  timeout: timeoutMs(180_000, 180_000),
}, async () => {
  const records = 20_000;
  const gone = 100;
  const dump = join(folder.path, "next");
  await makeDump(dump, { releases: records, artists: 50, labels: 50, masters: 50, seed: random.seed });
  const xml = gunzipSync(await readFile(dumpPath(dump, "releases")));
  await publishAs(dump, NEXT, () => null);
  await using database = await Database.create("15");
  await migrated(database.url);
  await database.query("CREATE EXTENSION IF NOT EXISTS pgstattuple");
  const url = database.with({ purge: "on" });
  const run = (version: string) => {
    const files = ["artists", "labels", "masters", "releases"].map((type) => dumpPath(dump, type as "releases", version));
    return extract([...files, "--sink", url, "--state", join(dump, "state")]);
  };
  await run(VERSION);
  const before = await database.query("SELECT data_id, xmin, ctid, updated_at FROM releases ORDER BY data_id");

  const { report } = await run(NEXT);
  expect(report.types["releases"]).toMatchObject({ read: records, written: records });
  expect(await database.query("SELECT data_id, xmin, ctid, updated_at FROM releases ORDER BY data_id")).toEqual(before);
  for (const table of ["artists", "labels", "masters", "releases"]) {
    const [{ dead } = { dead: "?" }] = await database.query<{ dead: string }>(`SELECT dead_tuple_count AS dead FROM pgstattuple('${table}')`);
    expect([table, Number(dead)]).toEqual([table, 0]);
  }

  const ids = [...xml.toString("latin1").matchAll(/<release id="(\d+)"/g)].map(([, id]) => id ?? "");
  const lost = new Set(Array.from({ length: gone }, (_, index) => ids[index * (records / gone) + random.between(0, records / gone)] ?? ""));
  expect(lost.size).toBe(gone);
  await publishAs(dump, THIRD, (type) => (type === "releases" ? without(xml, lost) : null));
  await run(THIRD);
  const after = await database.query<{ data_id: string }>("SELECT data_id, xmin, ctid, updated_at FROM releases ORDER BY data_id");
  expect(after).toEqual(before.filter((row) => !lost.has((row as { data_id: string }).data_id)));
  figure("postgres next version", { records, rowsWritten: 0, deadTuples: 0, deleted: before.length - after.length });
});

/** Publishes a version's files under another date, compressed anew; `change` gives the XML of a type, null as it is. */
async function publishAs(dump: string, version: string, change: (type: string) => Buffer | null): Promise<void> {
  for (const type of ["artists", "labels", "masters", "releases"] as const) {
    const xml = change(type) ?? gunzipSync(await readFile(dumpPath(dump, type)));
    await writeFile(dumpPath(dump, type, version), gzipSync(xml, { level: 1 }));
  }
  await rm(join(dump, `discogs_${version}_CHECKSUM.txt`), { force: true });
  const sums = execFileSync("sh", ["-c", `sha256sum discogs_${version}_*.xml.gz > discogs_${version}_CHECKSUM.txt`], { cwd: dump });
  expect(sums.length).toBe(0);
}

/** The XML without the records of some ids. */
function without(xml: Buffer, ids: ReadonlySet<string>): Buffer {
  const record = /<release id="(\d+)"[\s\S]*?<\/release>\n?/g;
  return Buffer.from(
    xml.toString("latin1").replace(record, (whole, id: string) => (ids.has(id) ? "" : whole)),
    "latin1",
  );
}
