import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
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
  const server = createServer((_request, response) => {
    find().then(
      (address) => response.end(JSON.stringify(address)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  project.provide("services", path);
  return async () => {
    await new Promise((resolve) => server.close(resolve));
    await (await broker?.catch(() => null))?.[Symbol.asyncDispose]();
  };
}
