import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePostgresUrl } from "../../src/postgres/config.ts";
import { connect, disconnect } from "../../src/postgres/connect.ts";
import { failureKind, postgresFailure } from "../../src/postgres/failures.ts";
import { POSTGRES_VERSIONS, Postgres } from "../services/postgres.ts";
import { ensureDebian } from "../services/process.ts";

describe.each(POSTGRES_VERSIONS)("PostgreSQL %s that speaks TLS", (version) => {
  const folder = mkdtempSync(join(tmpdir(), "deadwax-tls-"));
  const certificate = join(folder, "certificate.pem");
  const key = join(folder, "key.pem");
  let server: Postgres;
  beforeAll(async () => {
    ensureDebian("/usr/bin/openssl", "openssl");
    const names = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate, ...names], {
      stdio: "ignore",
    });
    server = await Postgres.start(version);
    const { uid, gid } = statSync(server.dir); // the server reads no key that belongs to somebody else
    for (const path of [folder, key, certificate]) chownSync(path, uid, gid);
    await server.stop();
    await server.restart({ ssl: "on", ssl_cert_file: certificate, ssl_key_file: key });
  }, 120_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function isEncrypted(settings: string): Promise<boolean | undefined> {
    const client = await connect(parsePostgresUrl(`${server.url}/postgres${settings}`));
    try {
      const { rows } = await client.query<{ ssl: boolean }>("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
      return rows[0]?.ssl;
    } finally {
      await disconnect(client);
    }
  }

  test.each([
    ["", false],
    ["?sslmode=disable", false],
    ["?sslmode=require", true],
    [`?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificate)}`, true],
  ])("is spoken to with %s as that says", async (settings, encrypted) => {
    expect(await isEncrypted(settings)).toBe(encrypted);
  });

  test("is not believed where nobody vouches for it, and that is lasting", async () => {
    const failure = await isEncrypted("?sslmode=verify-full").catch((error: unknown) => error);
    expect(failureKind(failure)).toBe("lasting");
    expect(postgresFailure("postgres://x", "cannot connect", failure).message).toMatch(/certificate/);
  });

  test("is not taken for another host than its certificate names", async () => {
    const url = `${server.url.replace("127.0.0.1", "localhost")}/postgres?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificate)}`;
    const failure = await connect(parsePostgresUrl(url)).catch((error: unknown) => error);
    expect(failureKind(failure)).toBe("lasting");
  });
});
