import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countsOf, type Expected, expectedChanges, lastOf } from "../change/oracle.ts";
import { type MonthRecords, nextMonth, readMonth } from "../generate/months.ts";
import { Database } from "../services/database.ts";
import { ensureDebian } from "../services/process.ts";
import { Broker } from "../services/rabbitmq.ts";
import { deadwax } from "../system/support/deadwax.ts";
import { type Folder, makeDump, temporaryFolder, VERSION } from "../system/support/dumps.ts";
import { postgresVariables } from "../table/program.ts";
import { healthUrl } from "./installation.ts";
import { copyFiles, Scene, TYPES } from "./scene.ts";

const run = promisify(execFile);
const SIZES = { artists: 400, labels: 400, masters: 400, releases: 400 };
const [SECOND, THIRD] = ["20260901", "20261001"];
const CHANGES = "created=5,updated=7,deleted=3,bytes=10,reordered=4";
const SERVERS_MS = 300_000;

let broker: Broker;
let folder: Folder;
/** What both contracts make of each month, by full extractions. */
const months = new Map<string, MonthRecords>();

beforeAll(async () => {
  ensureDebian("/usr/bin/psql", "postgresql-client");
  [broker, folder] = await Promise.all([Broker.start(), temporaryFolder()]);
  await makeDump(dumps(VERSION), SIZES);
  await nextMonth({ from: dumps(VERSION), out: dumps(SECOND), version: SECOND, changes: CHANGES });
  await nextMonth({ from: dumps(SECOND), out: dumps(THIRD), version: THIRD, changes: CHANGES, seed: 2 });
  for (const version of [VERSION, SECOND, THIRD]) months.set(version, await readMonth(dumps(version), version, join(folder.path, "full", version)));
}, SERVERS_MS);
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

function dumps(version: string): string {
  return join(folder.path, "dumps", version);
}

/** The records of a month in a contract, by id. */
function records(version: string, contract: "topic" | "fanout", type: (typeof TYPES)[number]): Map<string, string> {
  return lastOf((months.get(version)?.[type] ?? []).map((record) => record[contract]));
}

function hashOf(body: string | undefined): string | null {
  return body === undefined ? null : (JSON.parse(body) as { sha256: string }).sha256.slice(0, 32);
}

/** A service that keeps its state in a database, which `deadwax migrate` has prepared. */
async function migratedFor(database: Database): Promise<Record<string, string>> {
  const env = postgresVariables(database.url);
  const { code, stderr } = await deadwax(["migrate"], { env });
  expect([code, stderr.includes('"level":"error"')]).toEqual([0, false]);
  return env;
}

/** What a service shows of itself while it waits for the next version, and what it wrote until then. */
async function shown(scene: Scene, env: Record<string, string>): Promise<{ health: Record<string, unknown>; metrics: string }> {
  const running = scene.serve(env);
  const url = await healthUrl(running);
  await running.logs(/⏰ Waiting/);
  await scene.consumer?.drained();
  const health = (await (await fetch(`${url}/health`)).json()) as Record<string, unknown>;
  const metrics = await (await fetch(`${url}/metrics`, { headers: { accept: "text/plain;version=0.0.4" } })).text();
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
  return { health, metrics };
}

describe.each([
  ["topic", "18"],
  ["fanout", "15"],
] as const)("the service with its state in a database, %s, PostgreSQL %s", (contract, version) => {
  test("tells of two months what a comparison of full extractions tells, in /health, /metrics and the tables", { timeout: SERVERS_MS }, async () => {
    await using database = await Database.create(version);
    const env = { DEADWAX_MODE: "incremental", ...(await migratedFor(database)) };
    await using scene = await Scene.open(broker, contract, dumps(VERSION));
    await scene.once(env);
    await copyFiles(dumps(SECOND), scene.installation.published);
    const { health, metrics } = await shown(scene, env);
    expect(health).toMatchObject({ mode: "incremental", version: SECOND, status: "healthy" });

    const states = await database.query<Record<string, unknown>>("SELECT * FROM processing_state");
    expect(states.map((state) => state["data_type"]).sort()).toEqual([...TYPES].sort());
    for (const type of TYPES) {
      const [before, after] = [records(VERSION, contract, type), records(SECOND, contract, type)];
      const expected = expectedChanges(before, after);
      const counts = countsOf(expected);
      expect([type, counts]).toEqual([type, { created: 5, updated: 7, deleted: 3, unchanged: SIZES[type] - 10 }]);
      for (const [kind, count] of Object.entries(counts)) expect(metrics).toContain(`deadwax_changes_total{type="${type}",change="${kind}"} ${count}\n`);
      expect(scene.received[type]).toBe(SIZES[type] + counts.created + counts.updated);

      expect(states.find((state) => state["data_type"] === type)).toMatchObject({
        processing_status: "idle",
        error_message: null,
        version: SECOND,
        contract,
        last_file_url: `discogs_${SECOND}_${type}.xml.gz`,
        last_file_checksum: (await published(type)).sha256,
        total_records_processed: String(after.size),
        changes: { ...counts, repeated: 0 },
      });
      expect(await runsOf(database, type)).toEqual([
        { version: VERSION, status: "completed", error_message: null, changes: [before.size, 0, 0, 0] },
        { version: SECOND, status: "completed", error_message: null, changes: [counts.created, counts.updated, counts.deleted, counts.unchanged] },
      ]);
      expect(await changelogOf(database, type)).toEqual(asLogged(expected, before, after));
      expect(await storedOf(database, type)).toEqual(asStored(after));
      expect(await storedOf(database, type, false)).toEqual([]);
    }
    await copyFiles(dumps(THIRD), scene.installation.published);
    await scene.once(env);
    await expectPrintedQueries(database.url);
  });
});

/** What the site says of the second month's file. */
async function published(type: string): Promise<{ sha256: string }> {
  const text = await readFile(join(dumps(SECOND), `discogs_${SECOND}_CHECKSUM.txt`), "utf8");
  const [sha256 = ""] =
    text
      .split("\n")
      .find((line) => line.endsWith(`_${type}.xml.gz`))
      ?.split(" ") ?? [];
  return { sha256 };
}

async function runsOf(database: Database, type: string) {
  const rows = await database.query<Record<string, string>>("SELECT * FROM processing_runs WHERE data_type = $1 ORDER BY started_at", [type]);
  return rows.map(({ version, status, error_message, ...row }) => ({
    version,
    status,
    error_message,
    changes: ["created", "updated", "deleted", "unchanged"].map((kind) => Number(row[`records_${kind}`])),
  }));
}

async function changelogOf(database: Database, type: string): Promise<string[]> {
  const rows = await database.query<Record<string, string | null>>("SELECT * FROM data_changelog WHERE data_type = $1", [type]);
  return rows.map((row) => [row["change_type"], row["record_id"], row["old_hash"], row["new_hash"]].join(" ")).sort();
}

/** The lines of the changelog that two full extractions ask for. */
function asLogged({ created, updated, deleted }: Expected, before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const line = (kind: string) => (id: string) => [kind, id, hashOf(before.get(id)), hashOf(after.get(id))].join(" ");
  return [...created.map(line("created")), ...updated.map(line("updated")), ...deleted.map(line("deleted"))].sort();
}

/** What the database is sure that downstream has, or of what it is not. */
async function storedOf(database: Database, type: string, isSure = true): Promise<string[]> {
  const rows = await database.query<Record<string, string>>("SELECT record_id, record_hash FROM record_states WHERE data_type = $1 AND (flags & 2 = 0) = $2", [
    type,
    isSure,
  ]);
  return rows.map(({ record_id, record_hash }) => `${record_id} ${record_hash}`).sort();
}

function asStored(known: ReadonlyMap<string, string>): string[] {
  return [...known].map(([id, body]) => `${id} ${hashOf(body)}`).sort();
}

/** The queries of the README, as they stand there, by psql: no error, and the newest comes first. */
async function expectPrintedQueries(url: string): Promise<void> {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const queries = [...readme.matchAll(/^SELECT \* FROM (processing_state|processing_runs|data_changelog)\b.*;$/gm)].map(([query, table]) => [table, query]);
  expect(queries.map(([table]) => table)).toEqual(["processing_state", "processing_runs", "data_changelog"]);
  const sizes = { processing_state: [TYPES.length, "data_type"], processing_runs: [10, "started_at"], data_changelog: [100, "change_detected_at"] };
  for (const [table, query = ""] of queries) {
    const psql = (...args: string[]) => run("psql", [url, "-X", "-v", "ON_ERROR_STOP=1", ...args]);
    const { stdout, stderr } = await psql("--csv", "-c", query);
    const [header = "", ...lines] = stdout.trimEnd().split("\n");
    const [rows, column] = sizes[table as keyof typeof sizes];
    expect([table, lines.length, stderr]).toEqual([table, rows, ""]);
    expect(header.split(",")).toContain(column);
    if (table === "processing_state") continue;
    const { stdout: times } = await psql("-tA", "-c", `SELECT ${column} FROM (${query.replace(";", "")}) AS printed`);
    const seen = times.trimEnd().split("\n");
    expect([table, seen]).toEqual([table, [...seen].sort().reverse()]);
    expect(new Set(seen).size).toBeGreaterThan(1);
  }
}

test("an installation that is started again in the other mode, and back, shows its mode and ends as a plain load of the last month", {
  timeout: SERVERS_MS,
}, async () => {
  await using database = await Database.create();
  const env = await migratedFor(database);
  await using scene = await Scene.open(broker, "fanout", dumps(VERSION));
  const started: [string, string][] = [
    ["normal", VERSION],
    ["incremental", SECOND],
    ["normal", THIRD],
  ];
  for (const [mode, version] of started) {
    await copyFiles(dumps(version), scene.installation.published);
    const { health } = await shown(scene, { ...env, DEADWAX_MODE: mode });
    expect(health).toMatchObject({ mode, version });
    for (const type of TYPES) {
      const now = records(version, "fanout", type);
      const table = scene.consumer?.tables.get(type) ?? new Map<string, string>();
      for (const [id, body] of now) expect([type, version, id, table.get(id)?.slice(0, 32)]).toEqual([type, version, id, hashOf(body)]);
      // Upstream's writer drops what is gone when a version is said to be complete, which an incremental run never says.
      if (mode === "normal") expect([type, version, table.size]).toEqual([type, version, now.size]);
    }
  }
  expect(scene.controls("extraction_complete").length).toBe(2 * TYPES.length);
  expect(scene.consumer?.deadLetters).toEqual([]);
  // What the last run did not see is looked at anew: not all consumers drop it when a version is complete.
  for (const type of TYPES) {
    const [before, after] = [records(SECOND, "fanout", type), records(THIRD, "fanout", type)];
    expect(await storedOf(database, type)).toEqual(asStored(after));
    expect(await storedOf(database, type, false)).toEqual(asStored(new Map([...before].filter(([id]) => !after.has(id)))));
  }
});
