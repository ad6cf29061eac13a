import { describe, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { parseAmqpUrl } from "../../src/rabbitmq/config.ts";
import { openSink } from "../../src/sink/index.ts";

function refusal(url: string): string {
  try {
    openSink(url);
  } catch (error) {
    if (error instanceof DumpError && error.code === "CONFIG_INVALID") return error.message;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("an amqp URL", () => {
  test.each([
    ["amqp://h", "/"],
    ["amqp://h/", "/"],
    ["amqp://h//", "/"],
    ["amqp://h:5672//", "/"],
    ["amqp://h/%2F", "/"],
    ["amqp://h/%2f", "/"],
    ["amqp://h/music", "music"],
    ["amqp://h/a%2Fb%20c", "a/b c"],
    ["amqp://h/a/b", "a/b"],
  ])("%s means the virtual host %j", (url, vhost) => {
    expect(parseAmqpUrl(url).vhost).toBe(vhost);
  });

  test.each([
    ["amqp://user:pass@h/%2F", "amqp://h:5672/%2F"],
    ["amqps://user:pass@h:1/x?cacertfile=/ca&window_messages=5&keyfile=/secret", "amqps://h:1/x"],
    ["amqp://[::1]/x?exchange=a%2Fb", "amqp://[::1]:5672/x?exchange=a%2Fb"],
    ["amqp://Rabbit.Example/v?queue_type=classic", "amqp://rabbit.example:5672/v"],
    ["amqp://h/v?exchange=Discogsography-Exchange", "amqp://h:5672/v?exchange=Discogsography-Exchange"],
  ])("%s has a name without user, password and settings", (url, name) => {
    expect(openSink(url).name).toBe(name);
  });

  test("has upstream's and RabbitMQ's defaults", () => {
    expect(parseAmqpUrl("amqps://h")).toEqual({
      role: "sink",
      name: "amqps://h:5671/%2F",
      host: "h",
      port: 5671,
      tls: { cacertfile: null, certfile: null, keyfile: null, verifyPeer: true },
      username: "guest",
      password: "guest",
      vhost: "/",
      exchange: null,
      queueType: "classic",
      declare: true,
      heartbeatSeconds: 60,
      connectionTimeoutMs: 10_000,
      windowMessages: 2000,
      windowBytes: 16 * 2 ** 20,
      confirmTimeoutMs: 30_000,
      reconnectTimeoutMs: 300_000,
      changeNotifications: "each",
      changeTypeInBody: false,
    });
  });

  test("takes every setting, percent-decoded", () => {
    const settings =
      "heartbeat=5&connection_timeout=7&exchange=e%26&queue_type=quorum&declare=none&window_messages=1&window_bytes=2&confirm_timeout_ms=3&reconnect_timeout_ms=0&change_notifications=summary&change_type_in_body=true";
    const tls = "cacertfile=%2Fca&certfile=c&keyfile=k&verify=verify_none";
    expect(parseAmqpUrl(`amqps://u%40:p%2F%3A@[::1]:1/v?${settings}&${tls}`)).toMatchObject({
      host: "::1",
      port: 1,
      username: "u@",
      password: "p/:",
      tls: { cacertfile: "/ca", certfile: "c", keyfile: "k", verifyPeer: false },
      exchange: "e&",
      queueType: "quorum",
      declare: false,
      heartbeatSeconds: 5,
      connectionTimeoutMs: 7,
      windowMessages: 1,
      windowBytes: 2,
      confirmTimeoutMs: 3,
      reconnectTimeoutMs: 0,
      changeNotifications: "summary",
      changeTypeInBody: true,
    });
  });

  test("takes the settings of RabbitMQ that mean nothing here", () => {
    const ignored = "frame_max=131072&channel_max=x&auth_mechanism=plain&auth_mechanism=amqplain";
    expect(parseAmqpUrl(`amqp://h?heartbeat=5&${ignored}`)).toEqual(parseAmqpUrl("amqp://h?heartbeat=5"));
  });

  test.each([
    ["amqp://h?windows=1", '"windows"'],
    ["amqp://h?verify=verify_none", "needs amqps:"],
    ["amqp://h?heartbeat=1&heartbeat=2", "twice"],
    ["amqp://h?heartbeat=x", "heartbeat=x"],
    ["amqp://h?window_messages=0", "from 1 to"],
    ["amqp://h?change_notifications=some", "each, summary, off"],
    ["amqp://h?queue_type=stream", "classic, quorum"],
    ["amqp://h?exchange=", "exchange is empty"],
    ["amqp://h:0", "port"],
    ["amqp://h/%E0", "percent-encoded"],
    ["amqp:h", "amqp://USER"],
    ["amqp://", "amqp://USER"],
  ])("%s is refused and says why", (url, part) => {
    expect(refusal(url)).toContain(part);
  });

  test.each([
    "amqp://user:canary/1@host/v",
    "amqp://user:12/canary@host/v",
    "amqp://user:12?canary@host/v",
    "amqp://user:12#canary@host/v",
    "amqp://user:%E0canary@host/v?x=1",
    "amqp://user:canary@host:99999/v",
    "amqp://user:canary@/v",
  ])("%s is refused without a word of its password", (url) => {
    expect(refusal(url)).not.toContain("canary");
  });

  test("has all its problems told at once", () => {
    const message = refusal("amqp://h?heartbeat=x&queue_type=y&z=1");
    for (const part of ["heartbeat=x", "queue_type=y", '"z"']) expect(message).toContain(part);
  });
});
