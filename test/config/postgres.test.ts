import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { POSTGRES_BATCH_OPTIONS } from "../../src/config/postgres-options.ts";
import { resolveTable } from "../../src/config/resolve.ts";
import { resolveConfig, resolveMigrateConfig } from "../../src/config.ts";

const ENOUGH = { POSTGRES_HOST: "db", POSTGRES_USERNAME: "u", POSTGRES_PASSWORD: "p", POSTGRES_DATABASE: "d" };
const resolve = (env: Record<string, string>, url?: string) => resolveMigrateConfig({ url, flags: {}, env }).postgres;

test.each([
  [{}, { host: "db", port: 5432, user: "u", password: "p", database: "d", schema: "public", sslMode: "disable", sslRootCert: null }],
  [{ POSTGRES_HOST: "db:6000" }, { host: "db", port: 6000 }],
  [{ POSTGRES_PORT: "6001" }, { host: "db", port: 6001 }],
  [
    { POSTGRES_HOST: "db:6000", POSTGRES_PORT: "6001" },
    { host: "db", port: 6000 },
  ],
  [
    { POSTGRES_HOST: "", POSTGRES_ADDRESS: "old:6002" },
    { host: "old", port: 6002 },
  ],
  [{ POSTGRES_ADDRESS: "old:6002" }, { host: "db", port: 5432 }],
  [{ POSTGRES_HOST: "[fe80::1]:6003" }, { host: "fe80::1", port: 6003 }],
  [{ POSTGRES_HOST: "[::1]" }, { host: "::1", port: 5432 }],
  [{ POSTGRES_PORT: "tcp://10.0.0.1:5432" }, { port: 5432 }],
  [
    { POSTGRES_USERNAME: "a@b/c:d?#%", POSTGRES_PASSWORD: "!'()* é:@/?#%&=+", POSTGRES_DATABASE: "x/y ?#%2F", DEADWAX_POSTGRES_SCHEMA: "s &=+%" },
    { user: "a@b/c:d?#%", password: "!'()* é:@/?#%&=+", database: "x/y ?#%2F", schema: "s &=+%" },
  ],
  [
    { DEADWAX_POSTGRES_SSLMODE: "verify-full", DEADWAX_POSTGRES_SSLROOTCERT: "/run/ca &.pem" },
    { sslMode: "verify-full", sslRootCert: "/run/ca &.pem" },
  ],
])("of the variables %j the database is made", (env, expected) => {
  expect(resolve({ ...ENOUGH, ...env })).toMatchObject(expected);
});

test("a URL wins over the variables, and its settings are its own", () => {
  expect(resolve({ ...ENOUGH, DEADWAX_POSTGRES_SCHEMA: "s" }, "postgres://x:y@z/w")).toMatchObject({ host: "z", user: "x", database: "w", schema: "public" });
});

test("user and password may be in files, which win over the variables beside them", () => {
  const folder = mkdtempSync(join(tmpdir(), "deadwax-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/user`, " filed\n");
  writeFileSync(`${folder}/password`, "s3cret\r\n");
  const env = { ...ENOUGH, POSTGRES_USERNAME_FILE: `${folder}/user`, POSTGRES_PASSWORD_FILE: `${folder}/password` };
  expect(resolve(env)).toMatchObject({ user: "filed", password: "s3cret" });
});

test.each([
  [{}, /^not set: POSTGRES_HOST or POSTGRES_ADDRESS, POSTGRES_USERNAME or .*, POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_DATABASE; give them/],
  [{ ...ENOUGH, POSTGRES_PASSWORD: "" }, /^not set: POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE; give/],
  [{ ...ENOUGH, POSTGRES_PASSWORD_FILE: "/nowhere" }, /^POSTGRES_PASSWORD_FILE: the file that it names cannot be read \(ENOENT\)/],
  [{ ...ENOUGH, POSTGRES_HOST: "db:0", POSTGRES_PORT: "x" }, /^2 problems: POSTGRES_HOST=db:0: .*POSTGRES_PORT=x: /],
  [{ ...ENOUGH, POSTGRES_HOST: "u:hunter2@db" }, /^POSTGRES_HOST=\*\*\*: give HOST/],
  [{ ...ENOUGH, DEADWAX_POSTGRES_SSLROOTCERT: "/ca" }, /sslrootcert needs sslmode=verify-full/],
  [{ ...ENOUGH, DEADWAX_POSTGRES_SSLMOD: "require" }, /^DEADWAX_POSTGRES_SSLMOD: there is no such variable/],
])("what is wrong with %j is told at once, and no secret", (env, message) => {
  expect(() => resolve(env)).toThrow(message);
  expect(() => resolve(env)).toThrow(/^(?!.*hunter2).*$/);
});

test("other commands know that the variables are there", () => {
  expect(() => resolveConfig({ flags: {}, env: { DEADWAX_POSTGRES_SCHEMA: "s", DEADWAX_POSTGRES_SSLMODE: "require" } })).not.toThrow();
});

test.each([
  [{}, { postgresBatchMode: true, postgresBatchSize: 1000, postgresBatchFlushInterval: 5 }],
  [
    { POSTGRES_BATCH_MODE: "TRUE", POSTGRES_BATCH_SIZE: "7", POSTGRES_BATCH_FLUSH_INTERVAL: "0.25" },
    { postgresBatchSize: 7, postgresBatchFlushInterval: 0.25 },
  ],
  [{ POSTGRES_BATCH_MODE: "1" }, { postgresBatchMode: false }],
])("batches are as the variables %j say", (env, expected) => {
  expect(resolveTable(POSTGRES_BATCH_OPTIONS, { flags: {}, env })).toMatchObject({ problems: [], values: expected });
});

test.each([
  ["POSTGRES_BATCH_SIZE", "0"],
  ["POSTGRES_BATCH_FLUSH_INTERVAL", "0"],
  ["POSTGRES_BATCH_FLUSH_INTERVAL", "soon"],
])("%s=%s is refused", (name, value) => {
  const { problems } = resolveTable(POSTGRES_BATCH_OPTIONS, { flags: {}, env: { [name]: value } });
  expect(problems).toEqual([{ isUsage: false, text: expect.stringContaining(`${name}=${value}: give`) }]);
});
