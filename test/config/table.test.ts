import { describe, expect, test } from "vitest";
import { TABLE_ACCEPTED_AND_IGNORED } from "../../src/config/ignored.ts";
import type { TableConfig, TableFlags } from "../../src/config/table.ts";
import { resolveTableConfig } from "../../src/config.ts";
import { DumpError } from "../../src/errors.ts";

type Env = Record<string, string>;
const POSTGRES: Env = { POSTGRES_ADDRESS: "db:5433", POSTGRES_USERNAME: "u", POSTGRES_PASSWORD: "canary/@", POSTGRES_DATABASE: "d" };
const TOPIC: Env = { ...POSTGRES, AMQP_CONNECTION: "amqp://user:canary@broker:5672/%2F" };
const FANOUT: Env = { ...POSTGRES, RABBITMQ_HOST: "broker" };

function resolved(env: Env, flags: TableFlags = {}): TableConfig {
  return resolveTableConfig({ flags, env });
}

function refused(env: Env, flags: TableFlags = {}): { message: string; exit: number } {
  try {
    resolveTableConfig({ flags, env });
  } catch (error) {
    if (!(error instanceof DumpError) || error.code !== "CONFIG_INVALID") throw error;
    expect(error.message).not.toContain("canary");
    return { message: error.message, exit: error.exit };
  }
  throw new Error("nothing was wrong");
}

describe("a variable that is missing", () => {
  test.each([
    ["POSTGRES_ADDRESS", "not set: POSTGRES_HOST or POSTGRES_ADDRESS"],
    ["POSTGRES_USERNAME", "not set: POSTGRES_USERNAME or POSTGRES_USERNAME_FILE"],
    ["POSTGRES_PASSWORD", "not set: POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"],
    ["POSTGRES_DATABASE", "not set: POSTGRES_DATABASE"],
    ["AMQP_CONNECTION", "no broker is named: set AMQP_CONNECTION"],
  ])("%s ends it with 1 and is named", (name, text) => {
    for (const env of [Object.fromEntries(Object.entries(TOPIC).filter(([key]) => key !== name)), { ...TOPIC, [name]: "" }]) {
      expect(refused(env)).toMatchObject({ exit: 1, message: expect.stringContaining(text) });
    }
  });

  test("is named with all others at once", () => {
    const { message, exit } = refused({ POSTGRES_BATCH_SIZE: "0" });
    for (const name of [
      "AMQP_CONNECTION",
      "RABBITMQ_HOST",
      "POSTGRES_HOST",
      "POSTGRES_USERNAME",
      "POSTGRES_PASSWORD",
      "POSTGRES_DATABASE",
      "POSTGRES_BATCH_SIZE",
    ]) {
      expect(message).toContain(name);
    }
    expect(exit).toBe(1);
    expect(message).not.toContain("\n");
  });
});

describe("the contract", () => {
  test("follows from the variables, as for the service", () => {
    expect(resolved(TOPIC)).toMatchObject({ contract: "topic", broker: { role: "broker", host: "broker", queueType: "classic", exchange: null } });
    expect(resolved(FANOUT)).toMatchObject({ contract: "fanout", broker: { host: "broker", username: "discogsography", exchange: null } });
    expect(resolved({ ...FANOUT, DISCOGS_EXCHANGE_PREFIX: "mine" }).broker.exchange).toBe("mine");
    expect(resolved({ ...TOPIC, DEADWAX_QUEUE_TYPE: "quorum" }).broker.queueType).toBe("quorum");
    expect(resolved({ ...TOPIC, DEADWAX_CONTRACT: "fanout" })).toMatchObject({ contract: "fanout", broker: { host: "broker" } });
  });

  test("has to be said where both brokers are set", () => {
    expect(refused({ ...TOPIC, ...FANOUT }).message).toContain("both AMQP_CONNECTION, which means the topic contract, and RABBITMQ_HOST");
    expect(resolved({ ...TOPIC, ...FANOUT }, { contract: "fanout" }).contract).toBe("fanout");
  });
});

test("has upstream's defaults, but for the size of batches and the share of a purge", () => {
  const { batchSize, flushIntervalMs, healthPort, startupDelaySeconds, drainTimeoutMs, postgres } = resolved(TOPIC);
  expect({ batchSize, flushIntervalMs, healthPort, startupDelaySeconds }).toEqual({
    batchSize: 1000,
    flushIntervalMs: 5000,
    healthPort: 8002,
    startupDelaySeconds: 0,
  });
  expect(drainTimeoutMs).toBeLessThan(10_000);
  const told = { host: "db", port: 5433, user: "u", password: "canary/@", database: "d", schema: "public", sslMode: "disable" };
  expect(postgres).toMatchObject({ ...told, derive: true, purge: true, purgeMax: 0.01, reconnectTimeoutMs: 0 });
});

test.each([
  [{ POSTGRES_BATCH_SIZE: "500" }, { batchSize: 500 }],
  [{ POSTGRES_BATCH_SIZE: "500", POSTGRES_BATCH_MODE: "false" }, { batchSize: 1 }],
  [{ POSTGRES_BATCH_MODE: "TRUE" }, { batchSize: 1000 }],
  [{ POSTGRES_BATCH_FLUSH_INTERVAL: "2.0" }, { flushIntervalMs: 2000 }],
  [{ STARTUP_DELAY: "20" }, { startupDelaySeconds: 20 }],
  [{ LOG_LEVEL: "WARNING" }, { logLevel: "warn" }],
  [{ HEALTH_PORT: "9000" }, { healthPort: 9000 }],
  [{ PURGE_MAX_DELETE_FRACTION: "0.9" }, { postgres: expect.objectContaining({ purgeMax: 0.9 }) }],
  [{ DEADWAX_PURGE: "off", DEADWAX_DERIVE: "off" }, { postgres: expect.objectContaining({ purge: false, derive: false }) }],
  [{ DEADWAX_POSTGRES_SCHEMA: 'Odd "one' }, { postgres: expect.objectContaining({ schema: 'Odd "one' }) }],
])("%j is %j", (env: Env, expected) => expect(resolved({ ...TOPIC, ...env })).toMatchObject(expected));

test.each([
  [{ POSTGRES_BATCH_SIZE: "32768" }, "from 1 to 32767"],
  [{ POSTGRES_BATCH_FLUSH_INTERVAL: "0" }, "POSTGRES_BATCH_FLUSH_INTERVAL=0"],
  [{ PURGE_MAX_DELETE_FRACTION: "1.5" }, "give a share from 0 to 1"],
  [{ DEADWAX_PURGE: "maybe" }, "DEADWAX_PURGE=maybe"],
  [{ DEADWAX_CA_FILE: "/ca.pem" }, "the broker is spoken to without TLS"],
  [{ AMQP_CONNECTION: "amqp://user:canary@broker?frobnicate=1" }, "unknown setting"],
  [{ DEADWAX_NONSENSE: "1" }, "DEADWAX_NONSENSE: there is no such variable"],
] as [Env, string][])("%j is refused with 1", (env, text) => {
  expect(refused({ ...TOPIC, ...env })).toMatchObject({ exit: 1, message: expect.stringContaining(text) });
});

test("a flag that is wrong is bad usage", () => {
  expect(refused(TOPIC, { purgeMax: "2" })).toMatchObject({ exit: 2, message: expect.stringContaining("--purge-max 2") });
});

test.each(TABLE_ACCEPTED_AND_IGNORED.map(({ variable }) => String(variable)))("%s has a warning when it is set, and no other effect", (variable) => {
  const { warnings, ...rest } = resolved({ ...TOPIC, [variable]: "7" });
  expect(warnings).toEqual([expect.stringContaining(`${variable} has no effect: `)]);
  expect(rest).toEqual({ ...resolved(TOPIC), warnings: undefined });
});
