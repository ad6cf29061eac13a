import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { brokerUrlFault, withParameters } from "../../src/config/broker-url.ts";
import { folderOfFile } from "../support/folder.ts";
import { FANOUT, refused, serve, setting, TOPIC, urlOf, urlsOf } from "./resolved.ts";

const FOLDER = folderOfFile("contract");

/** The URL of a sink without what was added to it. */
function bare(url: string): string {
  return url.replace(/\?.*/, "");
}

function fileWith(name: string, bytes: string | Buffer): string {
  const path = join(FOLDER, name);
  writeFileSync(path, bytes);
  return path;
}

describe("the contract", () => {
  it.each([
    [TOPIC, "topic", "AMQP_CONNECTION"],
    [FANOUT, "fanout", "RABBITMQ_HOST"],
    [{ RABBITMQ_PORT: "5673" }, "fanout", "RABBITMQ_PORT"],
    [{ RABBITMQ_USERNAME: "u" }, "fanout", "RABBITMQ_USERNAME"],
    [{ RABBITMQ_PASSWORD: "p" }, "fanout", "RABBITMQ_PASSWORD"],
    [{ AMQP_CONNECTION: "", ...FANOUT }, "fanout", "RABBITMQ_HOST"],
    [{ RABBITMQ_HOST: "", ...TOPIC }, "topic", "AMQP_CONNECTION"],
    [{ RABBITMQ_PORT: "tcp://10.0.0.1:5672", ...TOPIC }, "topic", "AMQP_CONNECTION"],
    [{ RABBITMQ_DEFAULT_USER: "the broker's own", ...TOPIC }, "topic", "AMQP_CONNECTION"],
    [{ ...TOPIC, ...FANOUT, DEADWAX_CONTRACT: "fanout" }, "fanout", "DEADWAX_CONTRACT"],
    [{ ...TOPIC, ...FANOUT, DEADWAX_CONTRACT: "topic" }, "topic", "DEADWAX_CONTRACT"],
  ])("of %j is %s, because of %s", (env, contract, name) => {
    const config = serve(env);
    expect(config.contract).toBe(contract);
    expect(setting(config, "contract")).toMatchObject({ value: contract, name });
  });

  it("is taken from the flag first", () => {
    expect(serve({ ...TOPIC, ...FANOUT, DEADWAX_CONTRACT: "topic" }, { contract: "fanout" }).contract).toBe("fanout");
  });

  it.each([
    [{}, /^no broker is named: set AMQP_CONNECTION .* RABBITMQ_HOST/],
    [{ AMQP_CONNECTION: "" }, /^no broker is named/],
    [{ ...TOPIC, ...FANOUT }, /^both AMQP_CONNECTION, .*, and RABBITMQ_HOST, .* are set; .*DEADWAX_CONTRACT/],
    [{ ...TOPIC, RABBITMQ_PASSWORD: "p" }, /^both AMQP_CONNECTION, .*, and RABBITMQ_PASSWORD, /],
    [{ DEADWAX_SINK: "null:" }, /^the contract is not known: .*DEADWAX_CONTRACT/],
    [{ DEADWAX_CONTRACT: "topic" }, /^no broker is named: set AMQP_CONNECTION$/],
  ])("of %j cannot be told: exit 1", (env, message) => {
    expect(refused(env)).toEqual({ exit: 1, message: expect.stringMatching(message) });
  });

  it("does not change where the records go when it alone is said", () => {
    expect(bare(urlOf(serve({ ...TOPIC, DEADWAX_CONTRACT: "fanout" })))).toBe("amqp://user:word@broker:5672/%2F");
    expect(bare(urlOf(serve({ ...FANOUT, DEADWAX_CONTRACT: "topic" })))).toBe("amqp://discogsography:discogsography@broker:5672/%2F");
    expect(bare(urlOf(serve({ RABBITMQ_HOST: "", DEADWAX_CONTRACT: "fanout" })))).toBe("amqp://discogsography:discogsography@rabbitmq:5672/%2F");
  });
});

describe("the sink", () => {
  const COMMON = "window_messages=2000&window_bytes=16777216&confirm_timeout_ms=30000&reconnect_timeout_ms=300000";

  it("of the topic contract has everything in its URL", () => {
    expect(urlOf(serve(TOPIC))).toBe(`amqp://user:word@broker:5672/%2F?queue_type=classic&${COMMON}`);
    const env = { AMQP_CONNECTION: "amqps://h?heartbeat=5", DEADWAX_QUEUE_TYPE: "quorum", DEADWAX_CA_FILE: "/ca.pem", DEADWAX_WINDOW_BYTES: "1MiB" };
    expect(urlOf(serve(env))).toBe(
      "amqps://h/%2F?heartbeat=5&queue_type=quorum&window_messages=2000&window_bytes=1048576&confirm_timeout_ms=30000&reconnect_timeout_ms=300000&cacertfile=%2Fca.pem",
    );
  });

  it("says what consumers hear of changes, where that is not the default", () => {
    const env = { ...TOPIC, CHANGE_NOTIFICATIONS: "off", CHANGE_TYPE_IN_BODY: "true", DEADWAX_SINK: "broker: file:out" };
    expect(urlsOf(serve(env))).toEqual([
      `amqp://user:word@broker:5672/%2F?queue_type=classic&${COMMON}&change_notifications=off&change_type_in_body=true`,
      "file:out",
    ]);
    expect(urlOf(serve({ ...TOPIC, CHANGE_NOTIFICATIONS: "each", CHANGE_TYPE_IN_BODY: "false" }))).toBe(urlOf(serve(TOPIC)));
  });

  it("of the fanout contract is made of upstream's variables", () => {
    const env = { RABBITMQ_USERNAME: "a b", RABBITMQ_PASSWORD: "~p/@:?#!'()*%ü", RABBITMQ_HOST: "h", RABBITMQ_PORT: "1", AMQP_EXCHANGE_PREFIX: "x" };
    expect(urlOf(serve(env))).toBe(`amqp://a%20b:~p%2F%40%3A%3F%23%21%27%28%29%2A%25%C3%BC@h:1/%2F?exchange=x&${COMMON}`);
  });

  it("may be another one; a broker's URL keeps what it says itself", () => {
    expect(urlOf(serve({ DEADWAX_SINK: "file:out", DEADWAX_CONTRACT: "fanout" }))).toBe("file:out");
    expect(urlOf(serve({ ...TOPIC, DEADWAX_SINK: "null:" }))).toBe("null:");
    const url = "amqp://h/?exchange=mine&window_messages=1";
    expect(urlOf(serve({ AMQP_CONNECTION: url }))).toMatch(/^amqp:\/\/h\/%2F\?exchange=mine&window_messages=1&queue_type=classic&/);
  });

  it("may be several, the broker of the variables among them", () => {
    const broker = `amqp://user:word@broker:5672/%2F?queue_type=classic&${COMMON}`;
    const files = { ...TOPIC, DEADWAX_SINK: " file:/a b\tbroker:\n null: " };
    expect(urlsOf(serve(files))).toEqual(["file:/a b", broker, "null:"]);
    expect(urlsOf(serve(TOPIC, { sink: ["broker:", "file:out"] }))).toEqual([broker, "file:out"]);
    expect(urlsOf(serve(TOPIC, { sink: ["broker:"] }))).toEqual([broker]);
    expect(urlsOf(serve({ RABBITMQ_HOST: "h", DEADWAX_CONTRACT: "topic", DEADWAX_SINK: "broker: amqp://other" }))).toEqual([
      `amqp://discogsography:discogsography@h:5672/%2F?queue_type=classic&${COMMON}`,
      `amqp://other/%2F?queue_type=classic&${COMMON}`,
    ]);
    expect(setting(serve({ AMQP_CONNECTION: "amqp://u:canary@h", DEADWAX_SINK: "broker: file:out amqp://u:canary@other" }), "sink")).toMatchObject({
      value: expect.stringMatching(/^amqp:\/\/u:\*\*\*@h\/\S* file:out amqp:\/\/u:\*\*\*@other\/\S*$/),
      name: "DEADWAX_SINK",
    });
  });

  it.each([
    [{ DEADWAX_CONTRACT: "topic", DEADWAX_SINK: "file:out broker:" }, /^no broker is named: set AMQP_CONNECTION$/],
    [{ ...TOPIC, DEADWAX_SINK: "file:/out file:/out/" }, /^sink file:\/out is given twice/],
    [{ ...TOPIC, DEADWAX_SINK: "broker: amqp://other:canary@broker:5672//" }, /^sink amqp:\/\/broker:5672[^ ]* is given twice/],
    [{ ...TOPIC, DEADWAX_SINK: "broker: -" }, /^DEADWAX_SINK -: standard output is where the log goes/],
  ])("%j is refused", (env, message) => {
    expect(refused(env)).toEqual({ exit: 1, message: expect.stringMatching(message) });
    expect(refused(env).message).not.toContain("canary");
  });

  it("that is wrong among several is told alone, once each, without a password", () => {
    const { message } = refused({ ...TOPIC, DEADWAX_SINK: "file:out amqp://u:canary@h?unknown=1 null:x" });
    expect(message).toMatch(/^2 problems: DEADWAX_SINK=amqp:\/\/u:\*\*\*@h\?unknown=1: .*; DEADWAX_SINK=null:x: /);
    expect(message).not.toContain("canary");
  });

  it("is asked whether it can do with its URL", () => {
    expect(refused({ AMQP_CONNECTION: "amqp://u:canary@h/?unknown=1" })).toEqual({
      exit: 1,
      message: expect.stringMatching(/^sink amqp:[^\n]*unknown[^\n]*$/),
    });
    expect(refused({ AMQP_CONNECTION: "amqp://u:canary@h/?unknown=1" }).message).not.toContain("canary");
  });

  it("needs TLS for certificates of its own", () => {
    expect(refused({ ...FANOUT, DEADWAX_CA_FILE: "/ca.pem" })).toEqual({ exit: 1, message: expect.stringMatching(/^DEADWAX_CA_FILE: .*amqps/) });
  });
});

describe("secrets in files", () => {
  it("win over the variable, without the blanks around them", () => {
    const env = { RABBITMQ_PASSWORD_FILE: fileWith("password", " \n p w \n\n"), RABBITMQ_PASSWORD: "other", RABBITMQ_USERNAME_FILE: fileWith("user", "me\n") };
    const config = serve(env);
    expect(bare(urlOf(config))).toBe("amqp://me:p%20w@rabbitmq:5672/%2F");
    expect(setting(config, "rabbitmqPassword")).toMatchObject({ value: "***", from: "env", name: "RABBITMQ_PASSWORD_FILE" });
    expect(serve({ DEADWAX_TRIGGER_TOKEN_FILE: fileWith("token", "0123456789\n") }).triggerToken?.reveal()).toBe("0123456789");
  });

  it.each([
    ["RABBITMQ_PASSWORD_FILE", "/nowhere", "ENOENT"],
    ["RABBITMQ_USERNAME_FILE", "/", "EISDIR"],
    ["RABBITMQ_PASSWORD_FILE", "", "names no file"],
    ["RABBITMQ_PASSWORD_FILE", fileWith("empty", "\n"), "empty"],
    ["RABBITMQ_PASSWORD_FILE", fileWith("large", Buffer.alloc(65_537, "x")), "larger than 65536 bytes"],
    ["RABBITMQ_PASSWORD_FILE", fileWith("binary", Buffer.from([0xff, 0xfe])), "not UTF-8"],
    ["DEADWAX_TRIGGER_TOKEN_FILE", "/nowhere", "ENOENT"],
    ["DEADWAX_TRIGGER_TOKEN_FILE", fileWith("blank", ""), "empty"],
  ])("end the service at once where they cannot be read: %s=%s", (variable, path, why) => {
    const { message, exit } = refused({ ...FANOUT, [variable]: path });
    expect(exit).toBe(1);
    expect(message).toMatch(new RegExp(`^${variable}: [^\\n]*${why}`));
    if (path.length > 1) expect(message).not.toContain(path); // it may be the secret itself
  });
});

describe("a broker's URL", () => {
  it.each([
    ["amqp://h:5672", "%2F"],
    ["amqp://h:5672/", "%2F"],
    ["amqp://h:5672//", "%2F"],
    ["amqp://h:5672/%2F", "%2F"],
    ["amqp://h:5672/%2f", "%2F"],
    ["amqp://h:5672/one", "one"],
    ["amqp://h:5672/one/two", "one%2Ftwo"],
    ["amqp://h:5672/%2Fone", "%2Fone"],
    ["amqps://u:p@[::1]:5671/a%20b", "a%20b"],
  ])("%s has the virtual host %s", (url, host) => {
    expect(brokerUrlFault(url)).toBeNull();
    expect(new URL(withParameters(url, {})).pathname).toBe(`/${host}`);
  });

  it.each([
    ["", "amqp://USER"],
    ["h:5672", "amqp://USER"],
    ["http://h", "amqp://USER"],
    ["amqp:h", "amqp://USER"],
    ["amqp://", "amqp://USER"],
    ["amqp:///", "amqp://USER"],
    ["amqp://h:port", "percent-encode"],
    ["amqp://u:p/w@h", "%2F"],
    ["amqp://u:1?w@h", "%3F"],
    ["amqp://u:1/w@h", "%40"],
    ["amqp://u:p#w@h", "%23"],
    ["amqp://u:%zz@h", "percent-encode"],
    ["amqp://h/%zz", "percent-encode"],
  ])("%s is refused and not repeated", (url, part) => {
    const fault = brokerUrlFault(url);
    expect(fault).toContain(part);
    if (url.length > 8) expect(fault).not.toContain(url);
  });
});
