import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { POSTGRES_VERSIONS, Postgres, type PostgresVersion } from "./postgres.ts";
import { Broker, type BrokerAddress } from "./rabbitmq.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Path of the socket on which test files ask for what they need. */
    readonly services: string;
  }
}

/**
 * The set-up of a run: starts a service when the first test file asks for it, once for all of them, and ends it with the run. Here and
 * not in a test file, since only this process lives as long as the run.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const path = join(tmpdir(), `deadwax-services-${process.pid}-${project.name || "root"}.sock`);
  let broker: Promise<Broker> | null = null;
  const find = async (): Promise<BrokerAddress> => {
    const amqp = process.env["TEST_RABBITMQ_URL"];
    if (amqp !== undefined) return { amqp, api: process.env["TEST_RABBITMQ_API"] ?? amqp.replace(/^amqp:/, "http:").replace(/:5672$/, ":15672") };
    broker ??= Broker.start();
    return (await broker).address;
  };
  const databases = new Map<PostgresVersion, Promise<Postgres>>();
  const findPostgres = async (version: PostgresVersion): Promise<{ url: string }> => {
    const given = process.env[`TEST_POSTGRES_${version}_URL`] ?? process.env["TEST_POSTGRES_URL"];
    if (given !== undefined) return { url: given };
    const starting = databases.get(version) ?? Postgres.start(version);
    databases.set(version, starting);
    return { url: (await starting).url };
  };
  const server = createServer((request, response) => {
    const version = POSTGRES_VERSIONS.find((one) => request.url === `/postgres/${one}`);
    (version === undefined ? find() : findPostgres(version)).then(
      (address) => response.end(JSON.stringify(address)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  project.provide("services", path);
  return async () => {
    await new Promise((resolve) => server.close(resolve));
    await (await broker?.catch(() => null))?.[Symbol.asyncDispose]();
    for (const starting of databases.values()) await (await starting.catch(() => null))?.[Symbol.asyncDispose]();
  };
}
