import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSink } from "../../src/sink/index.ts";
import { migrated } from "../postgres/migrating.ts";
import { POSTGRES_VERSIONS, Postgres } from "../services/postgres.ts";
import { batchOf, NEVER } from "../sink/batches.ts";
import { RecordedEvents } from "../sink/sink-events.ts";

const START_MS = 120_000;
const text = readFileSync(new URL("../../docs/postgres.md", import.meta.url), "utf8");

/** The part of the document below a heading. */
function section(heading: string): string {
  return text.split(`${heading}\n`)[1]?.split("\n## ")[0] ?? "";
}

/** The statements of the SQL blocks of a part. */
function statements(part: string): string[][] {
  return [...part.matchAll(/```sql\n([^`]+)```/g)].map(([, sql = ""]) => sql.split(/;\s*/).filter(Boolean));
}

describe.each(POSTGRES_VERSIONS)("docs/postgres.md on a PostgreSQL %s", (version) => {
  let server: Postgres;
  beforeAll(async () => {
    server = await Postgres.start(version);
  }, START_MS);
  afterAll(() => server[Symbol.asyncDispose]());

  const urlOf = (user: string) => `postgres://${user}@127.0.0.1:${server.port}/discogs`;

  async function ask(user: string, sql: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: urlOf(user) });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async function load(user: string, dataVersion: string, hash: string): Promise<RecordedEvents> {
    const events = new RecordedEvents();
    await using sink = openSink(`${urlOf(user)}?purge=on`, events);
    await sink.check(NEVER);
    await using writer = await sink.open({ version: dataVersion, dataType: "releases", contract: "fanout", stream: "records" }, null, NEVER);
    const bodies = ["1", "2"].map((id) => JSON.stringify({ type: "data", id, sha256: hash, title: `Title ${id}`, released: "1969" }));
    await writer.write({ ...batchOf(bodies, 0, "releases"), version: dataVersion, contract: "fanout" }, NEVER);
    await writer.finish({ file: "x", records: bodies.length, complete: true }, NEVER);
    return events;
  }

  test("the roles of the document can do what is theirs, and nothing else", async () => {
    const [owner = [], others = []] = statements(section("### Privileges"));
    for (const statement of owner) await server.query("postgres", statement);
    expect((await migrated(urlOf("deadwax"))).applied).toBeGreaterThan(0);
    for (const statement of others) await server.query("discogs", statement);

    const { notes } = await load("deadwax_writer", "20260801", "a");
    expect(notes).toContainEqual(expect.stringMatching(/the index releases_year_idx is left out: must be owner/));
    await load("deadwax_writer", "20260901", "b"); // by the staging table
    expect((await migrated(urlOf("deadwax"))).indexes).toBe(6);
    expect(await ask("deadwax_reader", "SELECT data_id, hash FROM releases WHERE (data->>'year')::int = 1969 ORDER BY data_id")).toEqual([
      { data_id: "1", hash: "b" },
      { data_id: "2", hash: "b" },
    ]);
    for (const [user, sql] of [
      ["deadwax_reader", "UPDATE releases SET hash = ''"],
      ["deadwax_reader", "SELECT FROM deadwax_positions"],
      ["deadwax_writer", "DROP TABLE releases"],
      ["deadwax_writer", "DELETE FROM deadwax_migrations"],
    ] as const)
      await expect(ask(user, sql)).rejects.toMatchObject({ code: "42501" });
  });

  test("the settings of the document are settings, and take their values", async () => {
    const rows = [...section("## Settings for a first load").matchAll(/^\| `(\w+)` \| (?:`(\w+)`)?/gm)].map(([, name = "", value]) => ({ name, value }));
    expect(rows.length).toBeGreaterThan(5);
    // npm's server was built without lz4: the document has another word for such a one.
    const given = rows.map(({ name, value }) => ({ name, value: value === "lz4" && version === "18" ? "on" : value }));
    const settings = given.filter(({ value }) => value !== undefined).map(({ name, value = "" }): [string, string] => [name, value]);
    await server.stop();
    await server.restart(Object.fromEntries(settings));
    for (const { name, value } of given) {
      const [shown] = await server.query<Record<string, string>>("postgres", `SHOW ${name}`);
      expect(shown?.[name]).toEqual(value === undefined ? expect.any(String) : value === "on" ? expect.stringMatching(/^(on|pglz)$/) : value);
    }
  });

  test("the statement that makes upstream's documents anew next time is one", async () => {
    const [, statement = ""] = /`(UPDATE releases [^`]+)`/.exec(text) ?? [];
    await ask("deadwax", statement);
    expect(await ask("deadwax", "SELECT DISTINCT hash FROM releases")).toEqual([{ hash: "" }]);
    await load("deadwax", "20261001", "b");
    expect(await ask("deadwax", "SELECT DISTINCT hash FROM releases")).toEqual([{ hash: "b" }]);
  });
});
