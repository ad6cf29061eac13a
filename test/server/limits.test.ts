import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../src/server/limits.ts";
import { ask, dial, type Raw, type Served, serve } from "./support/serve.ts";

/** A limit in time is kept if it is met within this much more: the interval of the check, and a busy machine. */
const SLACK_MS = LIMITS.connectionsCheckingIntervalMs + 2_000;
const SECOND_MS = 1_000;
/** More than any buffer between two sockets holds. */
const FLOOD_BYTES = 256 * 2 ** 20;
const HEADERS = "Host: x\r\n";

let served: Served;
let raws: Raw[];
beforeEach(async () => {
  served = await serve();
  raws = [];
});
afterEach(async () => {
  for (const { socket } of raws) socket.destroy();
  await served.server.close();
});

async function open(first = ""): Promise<Raw> {
  const raw = await dial(served.port, first);
  raws.push(raw);
  return raw;
}

/** A connection that has been answered once, and so is idle. */
async function openAnswered(): Promise<Raw> {
  const raw = await open(`GET /ready HTTP/1.1\r\n${HEADERS}\r\n`);
  await expect.poll(() => raw.received, { interval: 2 }).toContain("200 OK");
  return raw;
}

async function millisecondsToClose(raw: Raw): Promise<number> {
  const started = performance.now();
  await raw.closed;
  return performance.now() - started;
}

async function metric(name: string): Promise<number> {
  const [, value] = new RegExp(`^${name} (\\d+)$`, "m").exec(await served.metrics.render()) ?? [];
  return Number(value);
}

describe("sizes", () => {
  it("of headers: one byte too many is refused", async () => {
    const filled = (bytes: number) => `GET /ready HTTP/1.1\r\n${HEADERS}X: ${"x".repeat(bytes)}\r\n\r\n`;
    const inside = await open(filled(LIMITS.headerBytesMax - 200));
    await expect.poll(() => inside.received).toContain("200 OK");
    const beyond = await open(filled(LIMITS.headerBytesMax + 1));
    await beyond.closed;
    expect(beyond.received).toMatch(/^HTTP\/1\.1 431 /);
    const huge = await open(filled(4 * LIMITS.headerBytesMax));
    await huge.closed;
    expect((await ask(served.port, "/health")).status).toBe(200);
  });

  it("of a body, where its length is told: refused before a byte of it is read", async () => {
    const raw = await open(`POST /trigger HTTP/1.1\r\n${HEADERS}Content-Type: application/json\r\nContent-Length: ${LIMITS.bodyBytesMax + 1}\r\n\r\n`);
    await raw.closed;
    expect(raw.received).toMatch(/^HTTP\/1\.1 413 /);
    const body = JSON.stringify({ force_reprocess: true, x: "x".repeat(LIMITS.bodyBytesMax - 40) });
    expect((await ask(served.port, "/trigger", { method: "POST", headers: { "content-type": "application/json" }, body })).status).toBe(202);
  });

  it.each(["/trigger", "/health"])("of a body to %s without an end: cut off", async (path) => {
    const raw = await open(`POST ${path} HTTP/1.1\r\n${HEADERS}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    let sent = 0;
    while (raw.socket.writable && sent < FLOOD_BYTES) {
      await new Promise((resolve) => raw.socket.write(chunk, resolve));
      sent += chunk.length;
    }
    await raw.closed;
    expect(sent).toBeLessThan(FLOOD_BYTES);
    expect(served.view.triggered).toEqual([]);
  });
});

describe.concurrent("times", () => {
  it("for headers: who drips them is cut off", async () => {
    await using slow = await serve();
    const raw = await dial(slow.port, "GET /health HTTP/1.1\r\n");
    const drip = setInterval(() => raw.socket.write("X: y\r\n"), 200);
    const took = await millisecondsToClose(raw);
    clearInterval(drip);
    expect(took).toBeGreaterThan(LIMITS.headersTimeoutMs - SECOND_MS);
    expect(took).toBeLessThan(LIMITS.headersTimeoutMs + SLACK_MS);
    expect(raw.received).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("for headers: who sends nothing is cut off", async () => {
    await using slow = await serve();
    expect(await millisecondsToClose(await dial(slow.port))).toBeLessThan(LIMITS.headersTimeoutMs + SLACK_MS);
  });

  it("for a request: who drips the body is cut off", async () => {
    await using slow = await serve();
    const raw = await dial(slow.port, `POST /trigger HTTP/1.1\r\n${HEADERS}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n`);
    const drip = setInterval(() => raw.socket.write(" "), 200);
    const took = await millisecondsToClose(raw);
    clearInterval(drip);
    expect(took).toBeGreaterThan(LIMITS.requestTimeoutMs - SECOND_MS);
    expect(took).toBeLessThan(LIMITS.requestTimeoutMs + SLACK_MS);
    expect(slow.view.triggered).toEqual([]);
  });

  it("between requests", async () => {
    await using slow = await serve();
    const raw = await dial(slow.port, `GET /ready HTTP/1.1\r\n${HEADERS}\r\n`);
    const took = await millisecondsToClose(raw);
    expect(raw.received).toContain("200 OK");
    expect(took).toBeGreaterThan(LIMITS.keepAliveTimeoutMs - SECOND_MS);
    expect(took).toBeLessThan(LIMITS.keepAliveTimeoutMs + SLACK_MS);
  });

  it("for answers that nobody reads", async () => {
    await using slow = await serve();
    const raw = await dial(slow.port);
    raw.socket.pause();
    raw.socket.write(`GET /metrics HTTP/1.1\r\n${HEADERS}Accept: text/plain\r\n\r\n`.repeat(LIMITS.requestsPerSocketMax));
    const connections = async () => /^deadwax_http_connections (\d+)$/m.exec(await slow.metrics.render())?.[1];
    await expect.poll(connections).toBe("1");
    await expect.poll(connections, { timeout: LIMITS.socketTimeoutMs + LIMITS.requestTimeoutMs + SLACK_MS }).toBe("0");
    raw.socket.destroy();
  });

  it("of a connection that has had all its requests", async () => {
    await using busy = await serve();
    const raw = await dial(busy.port, `GET /ready HTTP/1.1\r\n${HEADERS}\r\n`.repeat(LIMITS.requestsPerSocketMax + 5));
    await raw.closed;
    expect(raw.received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(LIMITS.requestsPerSocketMax);
  });
});

describe("numbers", () => {
  it("of connections: the one that has been idle for longest goes, not the newcomer", async () => {
    for (let index = 0; index < LIMITS.socketsMax; index++) await openAnswered();
    const [first, second, third] = raws;
    expect(await metric("deadwax_http_connections")).toBe(LIMITS.socketsMax);
    first?.socket.write(`GET /ready HTTP/1.1\r\n${HEADERS}\r\n`); // and is the youngest again
    await expect.poll(() => first?.received.match(/200 OK/g)?.length).toBe(2);
    const newcomer = await openAnswered();
    await second?.closed;
    expect([first, third, newcomer].map((raw) => raw?.isClosed)).toEqual([false, false, false]);
    expect(await metric("deadwax_http_connections")).toBe(LIMITS.socketsMax);
    expect(await metric("deadwax_http_connections_evicted_total")).toBe(1);
    expect(served.lines.filter((line) => line.includes("closed 1 idle ones"))).toHaveLength(1);
  });

  it("of connections: one with a request under way stays, and where all have one the oldest goes", async () => {
    const slow = `POST /trigger HTTP/1.1\r\n${HEADERS}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n`;
    const busy = await open(slow);
    for (let index = 1; index < LIMITS.socketsMax; index++) await openAnswered();
    await openAnswered();
    expect(busy.isClosed).toBe(false);
    await raws[1]?.closed;
    busy.socket.write("{}");
    await expect.poll(() => busy.received).toContain("202 Accepted");
    for (const { socket } of raws) socket.destroy();
    await expect.poll(() => metric("deadwax_http_connections")).toBe(0);
    raws = [];
    for (let index = 0; index < LIMITS.socketsMax; index++) await open(slow);
    await expect.poll(() => metric("deadwax_http_connections")).toBe(LIMITS.socketsMax);
    await openAnswered(); // is answered, and then the only idle one
    await raws.at(-1)?.closed;
    let newcomer = await open();
    while (raws[0]?.isClosed === false) newcomer = await open(); // until the slow ones are known to be slow, newcomers make room
    newcomer.socket.write(`GET /ready HTTP/1.1\r\n${HEADERS}\r\n`);
    await expect.poll(() => newcomer.received).toContain("200 OK");
  });
});
