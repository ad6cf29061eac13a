import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { metricsForm } from "../../src/server/accept.ts";
import { FakeView } from "./support/fake-view.ts";
import { ask, dial, type Served, serve } from "./support/serve.ts";

const CANARY = "canary-4fd1c6";

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.server.close());

describe("paths and methods", () => {
  it.each(["/", "/health/", "/metrics2", "/__proto__", "/constructor", "//", "/%00", "*"])("%s is not found", async (path) => {
    expect(await ask(served.port, path)).toMatchObject({ status: 404, body: expect.stringContaining("there is no such path") });
  });

  it("take a query, and are told apart by case", async () => {
    expect((await ask(served.port, "/health?x=1")).status).toBe(200);
    expect((await ask(served.port, "/HEALTH")).status).toBe(404);
  });

  it.each([
    ["/health", "POST", "GET, HEAD, OPTIONS"],
    ["/ready", "DELETE", "GET, HEAD, OPTIONS"],
    ["/metrics", "PUT", "GET, HEAD, OPTIONS"],
    ["/trigger", "GET", "POST, OPTIONS"],
  ])("%s refuses %s and says what it takes", async (path, method, allow) => {
    expect(await ask(served.port, path, { method })).toMatchObject({ status: 405, headers: { allow } });
    expect(served.view.triggered).toEqual([]);
  });

  it("answer HEAD as GET without the body", async () => {
    const head = await ask(served.port, "/health", { method: "HEAD" });
    const get = await ask(served.port, "/health");
    expect(head).toMatchObject({ status: 200, body: "", headers: { "content-type": "application/json" } });
    expect(head.headers["content-length"]).toBe(String(Buffer.byteLength(get.body)));
  });

  it("serve several requests on one connection", async () => {
    const raw = await dial(served.port, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3));
    await expect.poll(() => raw.received.match(/HTTP\/1\.1 200 OK/g)?.length).toBe(3);
    raw.socket.destroy();
  });

  it("let every page read what is shown, and none start a run", async () => {
    const foreign = { origin: "https://elsewhere.example" };
    for (const path of ["/health", "/ready", "/metrics"]) {
      expect((await ask(served.port, path, { headers: foreign })).headers["access-control-allow-origin"]).toBe("*");
      expect(await ask(served.port, path, { method: "OPTIONS" })).toMatchObject({ status: 204, headers: { "access-control-allow-origin": "*" } });
    }
    const preflight = await ask(served.port, "/trigger", { method: "OPTIONS", headers: { ...foreign, "access-control-request-method": "POST" } });
    expect(preflight.headers["access-control-allow-origin"]).toBeUndefined();
    const post = await ask(served.port, "/trigger", { method: "POST", headers: foreign });
    expect(post).toMatchObject({ status: 403 });
    expect(post.headers["access-control-allow-origin"]).toBeUndefined();
    expect((await ask(served.port, "/trigger", { method: "POST", headers: { "sec-fetch-site": "cross-site" } })).status).toBe(403);
    expect((await ask(served.port, "/trigger", { method: "POST", headers: { origin: "null" } })).status).toBe(403);
    expect(served.view.triggered).toEqual([]);
    const own = { origin: `http://127.0.0.1:${served.port}`, "sec-fetch-site": "same-origin" };
    expect((await ask(served.port, "/trigger", { method: "POST", headers: own })).status).toBe(202);
  });
});

describe("POST /trigger", () => {
  const json = { "content-type": "application/json" };
  const post = (headers: Record<string, string> = {}, body?: string) =>
    ask(served.port, "/trigger", { method: "POST", headers, ...(body === undefined ? {} : { body }) });

  it("starts a run, or says that one is under way", async () => {
    expect(await post()).toMatchObject({ status: 202, body: '{"force_reprocess":false,"status":"started"}', headers: { "content-type": "application/json" } });
    expect(await post(json, '{"force_reprocess": true}')).toMatchObject({ status: 202, body: '{"force_reprocess":true,"status":"started"}' });
    served.view.status = "running";
    expect(await post(json, "{}")).toMatchObject({ status: 409, body: '{"status":"already_running"}' });
    expect(served.view.triggered).toEqual([false, true]);
    expect(await served.metrics.render()).toMatch(/^deadwax_triggers_total\{result="started"\} 2$/m);
    expect(served.lines.filter((line) => line.startsWith("📥 Trigger received"))).toHaveLength(2);
  });

  it.each([
    ["without a type, whatever the body is", {}, "not json", 202],
    ["of a type with a suffix and a parameter", { "content-type": "application/vnd.api+json; charset=utf-8" }, "{}", 202],
    ["with members that nobody knows", json, '{"force_reprocess":false,"x":1}', 202],
    ["of another type", { "content-type": "text/plain" }, "{}", 415],
    ["of a form", { "content-type": "application/x-www-form-urlencoded" }, "force_reprocess=true", 415],
    ["that is not JSON", json, "{", 400],
    ["that is empty but typed", json, "", 400],
    ["that is not an object", json, "[true]", 422],
    ["that is null", json, "null", 422],
    ["with a field of another type", json, '{"force_reprocess":"true"}', 422],
    ["with a field that is null", json, '{"force_reprocess":null}', 422],
  ])("takes or refuses a body %s", async (_, headers, body, status) => {
    expect((await post(headers, body)).status).toBe(status);
    expect(served.view.triggered).toEqual(status === 202 ? [false] : []);
  });

  it("refuses bytes that are not UTF-8", async () => {
    const raw = await dial(served.port, 'POST /trigger HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n"\xff\xfe"');
    await expect.poll(() => raw.received).toMatch(/^HTTP\/1\.1 400 /);
    raw.socket.destroy();
    expect(served.view.triggered).toEqual([]);
  });

  it("is open without a token, and the log warns of it", () => {
    expect(served.lines).toEqual([
      `🏥 Health server listening on 127.0.0.1:${served.port}\n`,
      `⚠️ POST /trigger takes requests from whoever reaches port ${served.port}: set a token to close it\n`,
    ]);
  });

  it("asks for the token where there is one, and shows it nowhere", async () => {
    await using guarded = await serve({ token: CANARY }, new FakeView({ errorMessage: "failed" }));
    const replies = [];
    for (const authorization of ["", "Bearer", "Bearer ", "Bearer wrong", `Basic ${CANARY}`, `Bearer ${CANARY}x`, `Bearer ${CANARY.slice(1)}`, CANARY]) {
      const reply = await ask(guarded.port, "/trigger", { method: "POST", headers: authorization === "" ? {} : { authorization } });
      expect(reply, authorization).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
      replies.push(reply);
    }
    expect(guarded.view.triggered).toEqual([]);
    replies.push(await ask(guarded.port, "/trigger", { method: "POST", headers: { authorization: `Bearer ${CANARY}` } }));
    replies.push(await ask(guarded.port, "/trigger", { method: "POST", headers: { authorization: `bearer ${CANARY}` } }));
    expect(replies.slice(-2).map(({ status }) => status)).toEqual([202, 202]);
    for (const path of ["/health", "/ready", "/metrics", "/nothing"]) replies.push(await ask(guarded.port, path, { headers: { accept: "text/plain" } }));
    expect(JSON.stringify(replies) + guarded.lines.join("")).not.toContain(CANARY);
    expect(guarded.lines.join("")).not.toContain("⚠️");
  });
});

describe("/metrics", () => {
  const PROMETHEUS = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  const rows: readonly [string | undefined, "json" | "prometheus" | "preferred"][] = [
    [undefined, "preferred"],
    ["*/*", "preferred"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "preferred"],
    ["application/json, text/plain, */*", "preferred"],
    ["text/plain", "prometheus"],
    ["TEXT/PLAIN; version=0.0.4", "prometheus"],
    ["text/*", "prometheus"],
    [PROMETHEUS, "prometheus"],
    ["application/json", "json"],
    ["application/json;q=0.9, text/plain;q=0.1", "json"],
    ["text/plain;q=0", "preferred"],
    [";;,,q=", "preferred"],
  ];

  it.each(rows)("to %s sends what is asked for", (accept, form) => {
    expect(metricsForm(accept, "json")).toBe(form === "preferred" ? "json" : form);
    expect(metricsForm(accept, "prometheus")).toBe(form === "preferred" ? "prometheus" : form);
  });

  it("comes in either form over the wire, the other way round by option", async () => {
    const text = { status: 200, headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", vary: "Accept" } };
    expect(await ask(served.port, "/metrics", { headers: { accept: PROMETHEUS } })).toMatchObject({
      ...text,
      body: expect.stringContaining("\ndeadwax_records_read_total"),
    });
    expect((await ask(served.port, "/metrics")).headers["content-type"]).toBe("application/json");
    await using turned = await serve({ metrics: "prometheus" });
    expect(await ask(turned.port, "/metrics")).toMatchObject(text);
    expect((await ask(turned.port, "/metrics", { headers: { accept: "application/json" } })).headers["content-type"]).toBe("application/json");
  });

  it("counts requests by path and answer", async () => {
    await ask(served.port, "/health");
    await ask(served.port, "/health");
    await ask(served.port, "/elsewhere");
    await ask(served.port, "/trigger");
    const text = await served.metrics.render();
    expect(text).toContain('deadwax_http_requests_total{path="/health",answer="2xx"} 2\n');
    expect(text).toContain('deadwax_http_requests_total{path="other",answer="4xx"} 1\n');
    expect(text).toContain('deadwax_http_requests_total{path="/trigger",answer="4xx"} 1\n');
  });
});

describe("the port", () => {
  it("that is taken is told in the log, and the rest goes on", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const address = other.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    await using failed = await serve({ port });
    expect(failed.server.port).toBeNull();
    expect(failed.lines).toEqual([`❌ Health server cannot listen on 127.0.0.1:${port} (EADDRINUSE); going on without it\n`]);
    other.close();
  });

  it("is given back at once when nothing is under way, and closing twice is closing once", async () => {
    const idle = await dial(served.port, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    await expect.poll(() => idle.received).toContain("200 OK");
    const started = performance.now();
    await Promise.all([served.server.close(), served.server.close()]);
    await served.server.close();
    expect(performance.now() - started).toBeLessThan(900);
    await idle.closed;
    await expect(ask(served.port, "/health")).rejects.toThrow("ECONNREFUSED");
  });

  it("is given back soon though a request hangs", async () => {
    const slow = await dial(served.port, "POST /trigger HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
    await expect.poll(async () => /^deadwax_http_connections 1$/m.test(await served.metrics.render())).toBe(true);
    const started = performance.now();
    await served.server.close();
    expect(performance.now() - started).toBeLessThan(3_000);
    await slow.closed;
  });
});

it("a defect in the view is a 500 that tells the client nothing", async () => {
  Object.defineProperty(served.view, "progress", {
    get: () => {
      throw new Error("inner words");
    },
  });
  expect(await ask(served.port, "/health")).toMatchObject({ status: 500, body: '{"error":"internal error"}' });
  expect(served.lines.join("")).toContain("❌ /health: Error: inner words");
  expect((await ask(served.port, "/ready")).status).toBe(200);
});
