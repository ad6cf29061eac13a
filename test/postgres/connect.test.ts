import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePostgresUrl } from "../../src/postgres/config.ts";
import { connect } from "../../src/postgres/connect.ts";
import { failureKind, postgresFailure } from "../../src/postgres/failures.ts";
import { Database } from "../services/database.ts";
import { freePort } from "../services/ports.ts";
import { POSTGRES_VERSIONS } from "../services/postgres.ts";

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => null,
    (error: unknown) => error,
  );
}

describe.each(POSTGRES_VERSIONS)("a connection to PostgreSQL %s", (version) => {
  let database: Database;
  beforeAll(async () => {
    database = await Database.create(version);
  });
  afterAll(() => database[Symbol.asyncDispose]());

  test("is to the version that was asked for", async () => {
    const [row] = await database.query<{ server_version: string }>("SHOW server_version");
    expect(row?.server_version).toMatch(new RegExp(`^${version}\\.`));
  });

  test.each(["public", 'Odd, name\\ "x" é', "Odd\t-c role=postgres"])("has the schema %s first on its search path", async (schema) => {
    if (schema !== "public") await database.query(`CREATE SCHEMA "${schema.replaceAll('"', '""')}"`);
    const client = await connect(parsePostgresUrl(database.with({ schema })));
    try {
      const { rows } = await client.query<{ schema: string; name: string }>("SELECT current_schema AS schema, current_setting('application_name') AS name");
      expect(rows).toEqual([{ schema, name: "deadwax" }]);
    } finally {
      await client.end();
    }
  });

  test("tells of its loss, and a query under way fails as transient", async () => {
    const lost: unknown[] = [];
    const client = await connect(parsePostgresUrl(database.url), (error) => lost.push(error));
    const sleeping = failureOf(client.query("SELECT pg_sleep(60)"));
    const [{ pid } = { pid: 0 }] = await database.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'deadwax' AND datname = current_database()",
    );
    await database.query("SELECT pg_terminate_backend($1)", [pid]);
    expect(failureKind(await sleeping)).toBe("transient");
    await expect.poll(() => lost.length).toBeGreaterThan(0);
    await client.end();
  });
});

describe("a failure", () => {
  test.each([
    ["ECONNRESET", "transient"],
    ["EPIPE", "transient"],
    ["EHOSTUNREACH", "transient"],
    ["EAI_AGAIN", "transient"],
    ["ENOENT", "lasting"],
    ["EACCES", "lasting"],
  ])("with the system's code %s is %s", (code, kind) => {
    expect(failureKind(Object.assign(new Error(code), { code }))).toBe(kind);
  });

  test("to reach the server is transient, and says what to do, without the password", async () => {
    const config = parsePostgresUrl(`postgres://user:hunter2secret@127.0.0.1:${await freePort()}/db`);
    const error = await failureOf(connect(config));
    expect(failureKind(error)).toBe("transient");
    const { message } = postgresFailure(config.name, "cannot connect", error);
    expect(message).toContain("ECONNREFUSED");
    expect(message).toContain("bring the server back");
    expect(message).not.toContain("hunter2secret");
  });

  test("of a database that is not there is lasting, and says to migrate", async () => {
    await using database = await Database.create();
    const config = parsePostgresUrl(`${database.url}_missing`);
    const error = await failureOf(connect(config));
    expect(failureKind(error)).toBe("lasting");
    expect(postgresFailure(config.name, "cannot connect", error).message).toContain("deadwax migrate");
  });

  test.each([
    ['SELECT \'{"a":"\\u0000"}\'::jsonb', "data"],
    ["SELECT '1e9999999'::jsonb", "data"],
    ["SELECT * FROM nowhere", "lasting"],
    ["SET statement_timeout = 1; SELECT pg_sleep(1)", "transient"],
  ])("of %s is known for what it is", async (text, kind) => {
    await using database = await Database.create();
    expect(failureKind(await failureOf(database.query(text)))).toBe(kind);
  });
});

test.each([
  [
    "postgres://u:p@host/db",
    { name: "postgres://host:5432/db?schema=public", host: "host", port: 5432, user: "u", password: "p", database: "db", sslMode: "disable" },
  ],
  [
    "postgresql://u@[::1]:6/a%20b?schema=S&derive=off&purge=on&purge_max=.05",
    { host: "::1", port: 6, database: "a b", schema: "S", derive: false, purge: true, purgeMax: 0.05 },
  ],
])("%s is read", (url, expected) => {
  expect(parsePostgresUrl(url)).toMatchObject(expected);
});

test.each([
  ["postgres://u:hunter2/secret@host/db", "percent-encode"],
  ["postgres://host/db", "the user is missing"],
  ["postgres://u@host", "the database is missing"],
  ["postgres://u@host/db?nonsense=1", 'unknown setting "nonsense"'],
  ["postgres://u@host/db?purge_max=2", "not a share"],
  ["postgres://u@host/db?sslrootcert=x", "needs sslmode=verify-full"],
  ["postgres://u@host/db?schema=a&schema=b", "given twice"],
])("%s is refused, without its password", (url, reason) => {
  const refuse = () => parsePostgresUrl(url);
  expect(refuse).toThrow(reason);
  expect(refuse).toThrow(/^(?!.*hunter2).*$/);
});
