import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UpstreamConsumer } from "../service/upstream-consumer.ts";
import { freePort } from "../services/ports.ts";
import { Postgres } from "../services/postgres.ts";
import type { Broker } from "../services/rabbitmq.ts";
import { ScriptedServer } from "../source/discogs/scripted-server.ts";
import { extract } from "../system/support/deadwax.ts";
import { dumpPath, makeDump } from "../system/support/dumps.ts";
import { portOf, startProjectBroker } from "./broker.ts";
import { overlay, type Project, readCompose, serviceOf } from "./compose.ts";
import { ServiceProcess } from "./service-process.ts";

const TYPES = ["artists", "labels", "masters", "releases"] as const;
const RECORDS = 300;
const ARRIVED_WITHIN_MS = 60_000;
const BROKER_WITHIN_MS = 180_000;

const onTopic = overlay(readCompose("test/deploy/projects/topic.compose.yaml"), readCompose("deploy/discogsography-topic.compose.yaml"));
const onFanout = overlay(readCompose("test/deploy/projects/fanout.compose.yaml"), readCompose("deploy/discogsography.compose.yaml"));
/** What is deployed, the service's name, and the contract that its environment leads to. */
const DEPLOYMENTS: readonly (readonly [string, Project, string, "topic" | "fanout"])[] = [
  ["compose.yaml", readCompose("compose.yaml"), "extractor", "topic"],
  ["the overlay of a topic project", onTopic, "extractor", "topic"],
  ["the overlay of a topic project with its Rust profile", onTopic, "rustextractor", "topic"],
  ["the overlay of a fanout project", onFanout, "extractor-discogs", "fanout"],
];

const tablesOf = (project: string) =>
  overlay(readCompose(`test/deploy/projects/${project}.compose.yaml`), readCompose("deploy/discogsography-table.compose.yaml"));

const folder = mkdtempSync(join(tmpdir(), "deadwax-deploy-"));
const published = join(folder, "published");
let site: ScriptedServer;
let broker: Broker;

beforeAll(async () => {
  await makeDump(published, Object.fromEntries(TYPES.map((type) => [type, RECORDS])));
  site = (await ScriptedServer.start()).serveSite(published);
  broker = await startProjectBroker();
}, BROKER_WITHIN_MS);

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await broker?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe("what the files start", () => {
  it.each(DEPLOYMENTS)("%s: becomes healthy, fills the consumers and stops", async (_, project, name, contract) => {
    const place = mkdtempSync(join(folder, "place-"));
    mkdirSync(join(place, "discogs-data"));
    if (contract === "fanout") writeFileSync(join(place, "discogs-data/extraction-rules.yaml"), "rules: {}\n");
    await using consumer = await UpstreamConsumer.start(broker.address.amqp, contract);
    const env = { DEADWAX_SOURCE_URL: site.baseUrl, DEADWAX_ALLOW_PRIVATE_SOURCES: "true", DEADWAX_GAP_MS: "0" };
    const service = new ServiceProcess(serviceOf(project, name), { folder: place, brokerPort: portOf(broker), port: await freePort(), env });
    try {
      await service.healthy();
      const ends = contract === "fanout" ? [...TYPES.map(() => "extraction_complete"), ...TYPES.map(() => "file_complete")] : TYPES.map(() => "file_complete");
      await expect.poll(() => consumer.controls.map(({ type }) => type).sort(), { timeout: ARRIVED_WITHIN_MS, message: service.output }).toEqual(ends);
      await consumer.drained();
    } finally {
      expect(await service.stop(), service.output).toBe(0);
    }
    for (const type of TYPES) expect(consumer.tables.get(type)?.size, type).toBe(RECORDS);
    expect(consumer.duplicates).toBe(0);
  });

  it.each(["topic", "fanout"] as const)(
    "the overlay of a %s project's table writer: makes the tables, becomes healthy, fills them and stops",
    async (contract) => {
      const place = mkdtempSync(join(folder, "place-"));
      await using database = await Postgres.start();
      await database.query("postgres", "CREATE ROLE discogsography LOGIN CREATEDB");
      const places = { folder: place, brokerPort: portOf(broker), postgresPort: database.port, port: await freePort(), env: { STARTUP_DELAY: "0" } };
      const service = new ServiceProcess(serviceOf(tablesOf(contract), "tableinator"), places);
      const stored = (type: string) => database.query<{ n: string }>("discogsography", `SELECT count(*) AS n FROM ${type}`).then(([row]) => Number(row?.n));
      try {
        await service.healthy();
        const files = TYPES.map((type) => dumpPath(published, type));
        await extract([...files, "--contract", contract, "--sink", broker.address.amqp, "--state", join(place, "state")]);
        for (const type of TYPES) await expect.poll(() => stored(type), { timeout: ARRIVED_WITHIN_MS, message: service.output }).toBe(RECORDS);
      } finally {
        expect(await service.stop(), service.output).toBe(0);
      }
    },
  );
});
