import { chownSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { portOf, startProjectBroker } from "../deploy/broker.ts";
import { UpstreamConsumer } from "../service/upstream-consumer.ts";
import { freePort } from "../services/ports.ts";
import type { Broker } from "../services/rabbitmq.ts";
import { ScriptedServer } from "../source/discogs/scripted-server.ts";
import { makeDump } from "../system/support/dumps.ts";
import { Contained, openImage } from "./image.ts";

const TYPES = ["artists", "labels", "masters", "releases"] as const;
const COUNTS = { artists: 4_000, labels: 4_000, masters: 4_000, releases: 12_000 };
const UID = 1000;
const HEALTHY_WITHIN_MS = 60_000;
const ARRIVED_WITHIN_MS = 120_000;
/** A stop has to be done well within the 30 s that compose files give it. */
const STOPPED_WITHIN_MS = 10_000;

const image = openImage();
const folder = mkdtempSync(join(tmpdir(), "deadwax-container-"));
const published = join(folder, "published");
let site: ScriptedServer;
let broker: Broker;
let data: string;

beforeAll(async () => {
  await makeDump(published, COUNTS);
  site = (await ScriptedServer.start()).serveSite(published);
  broker = await startProjectBroker();
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await broker?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  data = mkdtempSync(join(folder, "data-"));
  chownSync(data, UID, UID);
});

let running: Contained | null = null;
afterEach(async () => {
  running?.child.kill("SIGKILL");
  await running?.ended;
  running = null;
});

describe("the image as a service", () => {
  it.each([
    ["topic", [], () => ({ AMQP_CONNECTION: `amqp://discogsography:discogsography@127.0.0.1:${portOf(broker)}/%2F` })],
    [
      "fanout",
      ["--source", "discogs"],
      () => ({ RABBITMQ_HOST: "127.0.0.1", RABBITMQ_PORT: String(portOf(broker)), RABBITMQ_USERNAME: "discogsography", RABBITMQ_PASSWORD: "discogsography" }),
    ],
  ] as const)("publishes a dump by the %s contract, is healthy, and stops on SIGTERM", async (contract, args, broking) => {
    await using consumer = await UpstreamConsumer.start(broker.address.amqp, contract);
    const port = await freePort();
    const env = { ...broking(), HEALTH_PORT: String(port), DEADWAX_SOURCE_URL: site.baseUrl, DEADWAX_ALLOW_PRIVATE_SOURCES: "true", DEADWAX_GAP_MS: "0" };
    const service = new Contained(image, data, { args, env });
    running = service;
    await expect.poll(() => passes(port), { timeout: HEALTHY_WITHIN_MS, interval: 200, message: service.output }).toBe(true);

    const ends = [...(contract === "fanout" ? TYPES.map(() => "extraction_complete") : []), ...TYPES.map(() => "file_complete")];
    await expect.poll(() => consumer.controls.map(({ type }) => type).sort(), { timeout: ARRIVED_WITHIN_MS, interval: 200 }).toEqual(ends);
    await consumer.drained();
    expect(sizes(consumer)).toEqual(COUNTS);
    expect({ duplicates: consumer.duplicates, deadLetters: consumer.deadLetters }).toEqual({ duplicates: 0, deadLetters: [] });

    // Others of a project mount the folder and read it.
    for (const name of readdirSync(data)) expect(statSync(join(data, name)), name).toMatchObject({ uid: UID, gid: UID });
    const asked = performance.now();
    service.kill("SIGTERM");
    expect(await service.ended, service.output).toMatchObject({ code: 0 });
    expect(performance.now() - asked).toBeLessThan(STOPPED_WITHIN_MS);
  });

  it("stops inside a file on SIGTERM, and goes on there in a new container", async () => {
    await using consumer = await UpstreamConsumer.start(broker.address.amqp, "topic");
    const env = {
      AMQP_CONNECTION: `amqp://discogsography:discogsography@127.0.0.1:${portOf(broker)}/%2F`,
      HEALTH_PORT: "0",
      MAX_WORKERS: "1", // one file after the other, so that the stop comes long before the last one
      DEADWAX_SOURCE_URL: site.baseUrl,
      DEADWAX_ALLOW_PRIVATE_SOURCES: "true",
      DEADWAX_GAP_MS: "0",
    };
    const first = new Contained(image, data, { env });
    running = first;
    await expect.poll(() => consumer.deliveries.size, { timeout: ARRIVED_WITHIN_MS, interval: 1, message: first.output }).toBeGreaterThan(0);
    first.kill("SIGTERM");
    expect(await first.ended, first.output).toMatchObject({ code: 0 });
    await consumer.drained();
    expect(consumer.controls.length).toBeLessThan(TYPES.length);

    const second = new Contained(image, data, { env });
    running = second;
    await expect.poll(() => consumer.controls.length, { timeout: ARRIVED_WITHIN_MS, interval: 100, message: second.output }).toBe(TYPES.length);
    await consumer.drained();
    expect(sizes(consumer)).toEqual(COUNTS);
    second.kill("SIGTERM");
    expect(await second.ended, second.output).toMatchObject({ code: 0 });
  });
});

function sizes({ tables }: UpstreamConsumer): Record<string, number> {
  return Object.fromEntries([...tables].map(([type, table]) => [type, table.size]));
}

/** Whether the image's own health check passes, asked inside a container of the image. */
async function passes(port: number): Promise<boolean> {
  const [kind, command = ""] = image.config.Healthcheck.Test;
  expect(kind).toBe("CMD-SHELL");
  const { code } = await new Contained(image, data, { argv: ["sh", "-c", command.replace(":8000/", `:${port}/`)] }).ended;
  return code === 0;
}
