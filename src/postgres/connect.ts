import { readFile } from "node:fs/promises";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { Client } from "pg";
import { DumpError, systemCode } from "../errors.ts";
import type { PostgresConfig } from "./config.ts";

/** A connection of ours; ended by its holder. */
export type PostgresClient = Client;

const KEEP_ALIVE_DELAY_MS = 10_000;
/** How long a server has to take its leave; less than what a run has that is broken off. */
const END_TIMEOUT_MS = 1000;

/**
 * Connects, with the schema first on the search path. `onLost` hears of a connection that breaks while nobody waits for an answer; `signal`
 * breaks off. Throws the driver's error, see `failures.ts`.
 */
export async function connect(config: PostgresConfig, onLost: (error: unknown) => void = () => {}, signal?: AbortSignal): Promise<PostgresClient> {
  const { default: pg } = await import("pg"); // only who uses PostgreSQL loads its driver
  const { host, port, user, password, database, schema, connectTimeoutMs } = config;
  const client = new pg.Client({
    host,
    port,
    user,
    password,
    database,
    ssl: await tlsOf(config),
    application_name: "deadwax",
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    options: `-c search_path=${searchPath(schema)} -c client_min_messages=warning`,
  });
  client.on("error", onLost); // without a listener it would end the process
  const breakOff = () => client.connection.stream.destroy();
  signal?.addEventListener("abort", breakOff, { once: true });
  try {
    signal?.throwIfAborted();
    await client.connect();
    return client;
  } catch (error) {
    await disconnect(client);
    throw error;
  } finally {
    signal?.removeEventListener("abort", breakOff);
  }
}

/** Ends a connection, one under a query at once; a server that does not answer is not waited for. */
export async function disconnect(client: PostgresClient): Promise<void> {
  const force = setTimeout(() => client.connection.stream.destroy(), END_TIMEOUT_MS);
  try {
    await client.end();
  } catch {
    // It is gone.
  } finally {
    clearTimeout(force);
  }
}

/** As a start option: a backslash keeps the server from splitting the value at a space. Extensions are usually in `public`. */
function searchPath(schema: string): string {
  const names = schema === "public" ? ["public"] : [schema, "public"];
  return names.map((name) => quoteName(name).replace(/[\\\s]/g, "\\$&")).join(",");
}

/** A name for SQL text, where no parameter can stand. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function tlsOf({ sslMode, sslRootCert, name }: PostgresConfig): Promise<false | TlsOptions> {
  if (sslMode === "disable") return false;
  if (sslMode === "require") return { rejectUnauthorized: false };
  if (sslRootCert === null) return { rejectUnauthorized: true };
  try {
    return { rejectUnauthorized: true, ca: await readFile(sslRootCert) };
  } catch (error) {
    const text = `sink ${name}: the sslrootcert ${sslRootCert} cannot be read (${systemCode(error) ?? "unknown"}); correct the path or its permissions`;
    throw new DumpError("CONFIG_INVALID", text, { cause: error });
  }
}
