import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { readMigrations } from "../../src/postgres/migrations.ts";
import { Database } from "../services/database.ts";
import { POSTGRES_VERSIONS, Postgres } from "../services/postgres.ts";
import { contentOf, rowsOf } from "./migrating.ts";
import { createUpstreamTables } from "./upstream-tables.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const known = await readMigrations();

/** `deadwax migrate` as a process of its own. */
class Migrating {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [CLI, "migrate", ...args], { env: { PATH: process.env["PATH"], ...env }, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.ended = once(this.child, "close").then(([code]) => code as number | null);
    onTestFinished(() => void this.child.kill("SIGKILL"));
  }
}

async function applied(database: Database): Promise<number> {
  const [there] = await database.query<{ there: boolean }>("SELECT to_regclass('deadwax_migrations') IS NOT NULL AS there");
  return there?.there === true ? (await database.query("SELECT FROM deadwax_migrations")).length : 0;
}

describe.each(POSTGRES_VERSIONS)("deadwax migrate on PostgreSQL %s", (version) => {
  let database: Database;
  let other: pg.Client;
  beforeEach(async () => {
    database = await Database.create(version);
    other = new pg.Client({ connectionString: database.url });
    other.on("error", () => {});
    await other.connect();
  });
  afterEach(async () => {
    await other.end();
    await database[Symbol.asyncDispose]();
  });

  /** Backends of ours that are at something. */
  const ours = "SELECT FROM pg_stat_activity WHERE application_name = 'deadwax' AND datname = current_database()";
  const stuck = `${ours} AND wait_event_type = 'Lock'`;

  test("killed between two migrations, it goes on with the second", async () => {
    await createUpstreamTables(database, "first");
    const before = await rowsOf(database);
    // The third one needs this name, and has to wait until it is known whether it is taken.
    await other.query("BEGIN; CREATE TABLE deadwax_positions (x integer)");
    const first = new Migrating([database.url]);
    await expect.poll(() => database.query(stuck), { timeout: 30_000 }).toHaveLength(1);
    first.child.kill("SIGKILL");
    await first.ended;
    expect(await applied(database)).toBe(known.findIndex(({ sql }) => sql.includes("CREATE TABLE deadwax_positions")));
    await expect.poll(() => database.query(ours), { timeout: 30_000 }).toEqual([]);
    await other.query("ROLLBACK");
    const second = new Migrating([database.url]);
    expect(await second.ended).toBe(0);
    expect(second.output).toMatch(/^✅ 0003_bookkeeping applied\n/);
    expect(second.output).toContain(`at migration ${known.length}; ${known.length - 2} applied, 18 indexes built\n`);
    expect(await rowsOf(database)).toEqual(before);
  });

  test("killed inside a migration, nothing of it is left", async () => {
    await createUpstreamTables(database, "first");
    const before = await contentOf(database);
    // The first one gets through artists to releases, and no further.
    await other.query("BEGIN; LOCK TABLE releases IN ACCESS SHARE MODE");
    const first = new Migrating([database.url]);
    await expect.poll(() => database.query(stuck), { timeout: 30_000 }).toHaveLength(1);
    first.child.kill("SIGKILL");
    await first.ended;
    await expect.poll(() => database.query(ours), { timeout: 30_000 }).toEqual([]);
    await other.query("ROLLBACK");
    expect(await contentOf(database)).toEqual(before);
    expect(await new Migrating([database.url]).ended).toBe(0);
    expect(await applied(database)).toBe(known.length);
  });

  test("killed while it builds an index, nothing of it is left, and the next one builds it", async () => {
    await createUpstreamTables(database, "first");
    expect(await new Migrating([database.url]).ended).toBe(0);
    await database.query("DROP INDEX releases_labels_idx, releases_artists_idx");
    await other.query("BEGIN; LOCK TABLE releases IN ROW EXCLUSIVE MODE"); // as a writer does
    const first = new Migrating([database.url]);
    await expect.poll(() => database.query(stuck), { timeout: 30_000 }).toHaveLength(1);
    expect(first.output).toBe("⏳ building releases_labels_idx\n");
    first.child.kill("SIGKILL");
    await first.ended;
    // The server notices that nobody waits for it any more, though what it waits for is still there.
    await expect.poll(() => database.query(ours), { timeout: 30_000 }).toEqual([]);
    await other.query("ROLLBACK");
    const second = new Migrating([database.url]);
    expect(await second.ended).toBe(0);
    expect(second.output).toContain("0 applied, 2 indexes built\n");
  });

  test("a table that others use is waited for, and they can read meanwhile", async () => {
    await createUpstreamTables(database, "first");
    await other.query("BEGIN; LOCK TABLE releases IN ACCESS SHARE MODE");
    const migrating = new Migrating([database.url]);
    await expect.poll(() => migrating.output, { timeout: 30_000 }).toContain("⏳ waiting: 0001_tables needs tables that others use");
    expect(await database.query("SELECT count(*)::int AS rows FROM releases")).toEqual([{ rows: 500 }]);
    await other.query("ROLLBACK");
    expect(await migrating.ended).toBe(0);
    expect(await applied(database)).toBe(known.length);
  });

  test("a server that goes away meanwhile is told, and the next run goes on", async () => {
    await other.query("BEGIN; CREATE TABLE deadwax_positions (x integer)");
    const first = new Migrating([database.url]);
    await expect.poll(() => database.query(stuck), { timeout: 30_000 }).toHaveLength(1);
    await database.query(ours.replace("SELECT", "SELECT pg_terminate_backend(pid)"));
    expect(await first.ended).toBe(5);
    expect(first.output).toMatch(/SINK_UNAVAILABLE: .*cannot migrate: .*bring the server back/);
    await other.query("ROLLBACK");
    expect(await new Migrating([database.url]).ended).toBe(0);
  });

  test("the variables tell the database, their secrets may be in files, and the output may be JSON", async () => {
    const folder = mkdtempSync(join(tmpdir(), "deadwax-migrate-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(`${folder}/user`, "postgres\n");
    writeFileSync(`${folder}/password`, "not asked for\n");
    const { host } = new URL(database.url);
    const files = { POSTGRES_USERNAME_FILE: `${folder}/user`, POSTGRES_PASSWORD_FILE: `${folder}/password` };
    const env = { POSTGRES_ADDRESS: host, ...files, POSTGRES_DATABASE: database.name, DEADWAX_POSTGRES_SCHEMA: "s" };
    const migrating = new Migrating(["--output", "json", "--indexes"], env);
    expect(await migrating.ended).toBe(0);
    const lines = migrating.output.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { step: "schema created", name: "s", dryRun: false },
      ...known.map(({ name }) => ({ step: "migration applied", name, dryRun: false })),
      ...Array.from({ length: 36 }, () => expect.objectContaining({ step: expect.stringMatching(/^index (begun|built)$/) })),
      { database: `postgres://${host}/${database.name}?schema=s`, dryRun: false, migration: known.length, applied: known.length, indexes: 18 },
    ]);
    const again = new Migrating(["--dry-run"], env);
    expect(await again.ended).toBe(0);
    expect(again.output).toBe(`postgres://${host}/${database.name}?schema=s: 0 migrations to apply, 0 indexes to build; nothing was changed\n`);
  });
});

test("a wrong password is told as such and not shown, wherever it came from", async () => {
  await using server = await Postgres.start();
  await server.query("postgres", "CREATE ROLE somebody LOGIN PASSWORD 'right-secret'");
  await server.createDatabase("records");
  await server.query("postgres", "ALTER DATABASE records OWNER TO somebody");
  // Backends work in the folder of the data.
  const rules = "SELECT 'host all postgres 127.0.0.1/32 trust' UNION ALL SELECT 'host all all 127.0.0.1/32 scram-sha-256'";
  await server.query("postgres", `COPY (${rules}) TO PROGRAM 'cat > pg_hba.conf'`);
  await server.stop();
  await server.restart();
  const env = { POSTGRES_HOST: "127.0.0.1", POSTGRES_PORT: String(server.port), POSTGRES_USERNAME: "somebody", POSTGRES_DATABASE: "records" };
  const url = (password: string) => `postgres://somebody:${password}@127.0.0.1:${server.port}/records`;
  for (const refused of [new Migrating([], { ...env, POSTGRES_PASSWORD: "wrong-secret" }), new Migrating([url("wrong-secret"), "--dry-run"])]) {
    expect(await refused.ended).toBe(5);
    expect(refused.output).toMatch(/^deadwax: SINK_UNAVAILABLE: .*password authentication failed.*correct user and password\n$/);
    expect(refused.output).not.toContain("secret");
  }
  const right = new Migrating([], { ...env, POSTGRES_PASSWORD: "right-secret" });
  expect(await right.ended).toBe(0);
  expect(right.output).not.toContain("secret");
  expect(await new Migrating([url("right-secret")]).ended).toBe(0);
});

test("without a URL, what is not set is named in one go", async () => {
  const migrating = new Migrating([], { POSTGRES_HOST: "db:99999", POSTGRES_PASSWORD: "a-secret", DEADWAX_POSTGRES_SSLMODE: "prefer" });
  expect(await migrating.ended).toBe(2);
  expect(migrating.output).toMatch(
    /^deadwax: CONFIG_INVALID: 3 problems: POSTGRES_HOST=db:99999: give HOST or HOST:PORT.*DEADWAX_POSTGRES_SSLMODE=prefer: .*not set: POSTGRES_USERNAME or POSTGRES_USERNAME_FILE, POSTGRES_DATABASE; give them, or the URL of the database\n$/,
  );
  expect(migrating.output).not.toContain("a-secret");
});
