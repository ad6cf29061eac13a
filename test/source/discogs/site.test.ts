import { expect, it, onTestFinished } from "vitest";
import { SiteClient } from "../../../src/source/discogs/client.ts";
import { DiscogsSite } from "../../../src/source/discogs/site.ts";
import { ScriptedServer, targets, yearPage, yearsPage } from "./scripted-server.ts";
import { EventLog, emptyFolder, fill, LIVE, optionsFor, TestEnvironment, testSite, VERSION, versionFiles } from "./setup.ts";

const NAME = `discogs_${VERSION}_artists.xml.gz`;
const YEARS = { body: yearsPage(["2026"]) };
const YEAR = { body: yearPage("2026", [NAME]) };

it("lists what the site's pages link, by name and with a gap between requests", async () => {
  const { server, site, events } = await testSite();
  const folder = await emptyFolder();
  await fill(folder, { ...versionFiles("20251201"), ...versionFiles("20260101"), ...versionFiles("20200101") });
  server.serveSite(folder);
  const files = await site.list(LIVE);
  expect(files).toHaveLength(10);
  expect(events.said).toEqual(["listed 10 of 2"]);
  expect(server.requests.map(({ target }) => target)).toEqual(["/", targets.year("2026"), targets.year("2025")]);
  for (const { headers, method } of server.requests) {
    expect(method).toBe("GET");
    expect(headers["user-agent"]).toBe("deadwax/0.0.0-test (+https://example.org/)");
    expect(headers["accept-encoding"]).toBe("identity");
  }
});

/** Least time between the starts of two requests, in milliseconds. */
function leastGap(server: ScriptedServer): number {
  return Math.min(...server.requests.slice(1).map(({ at }, index) => at - (server.requests[index]?.at ?? 0)));
}

it("never starts two requests within the gap: not for redirects, retries or waits", async () => {
  const { server, site } = await testSite();
  server.script("/", { status: 500 }, { hangUp: true }, { status: 302, headers: { location: "/years" } });
  server.script("/years", { status: 429, headers: { "retry-after": "0" } }, YEARS);
  server.script(targets.year("2026"), YEAR);
  await site.list(LIVE);
  expect(server.requests).toHaveLength(7);
  // The server sees a request a little after it started, which may be less late for the one than for the other.
  expect(leastGap(server)).toBeGreaterThan(4_000);
});

it("keeps the gap between requests that are made at the same time", async () => {
  const { server } = await testSite();
  const site = new DiscogsSite(optionsFor(server.baseUrl, { gapMs: 200 }), new EventLog()); // on the real clock
  onTestFinished(() => site[Symbol.asyncDispose]());
  server.script("/", YEARS).script(targets.year("2026"), YEAR);
  await Promise.all([site.list(LIVE), site.list(LIVE)]);
  expect(server.requests).toHaveLength(4);
  expect(leastGap(server)).toBeGreaterThan(100);
});

it.each([429, 503])("waits as long as a %s asks, in seconds, as a date, and by itself", async (status) => {
  const { server, site, events } = await testSite();
  const limited = (retryAfter?: string) => ({
    status,
    headers: { date: "Sun, 06 Nov 1994 08:49:37 GMT", ...(retryAfter === undefined ? {} : { "retry-after": retryAfter }) },
  });
  server.script("/", limited("7"), limited("Sun, 06 Nov 1994 08:51:07 GMT"), limited(), limited("86400"), limited("soon"), YEARS);
  server.script(targets.year("2026"), YEAR);
  expect(await site.list(LIVE)).toHaveLength(1);
  expect(events.rateLimits).toEqual([7, 90, 120, 7200, 480]);
  expect(events.retries).toEqual([]);
  const waits = server.requests.slice(1, 6).map(({ at }, index) => at - (server.requests[index]?.at ?? 0));
  for (const [index, seconds] of [7, 90, 120, 7200, 480].entries()) expect(waits[index]).toBeGreaterThanOrEqual(seconds * 1000);
});

it("gives up after five waits, for good", async () => {
  const { server, site, events } = await testSite();
  server.script("/", { status: 429, body: yearsPage(["2026"]) });
  await expect(site.list(LIVE)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("still answers 429 after 5 waits") });
  expect(events.rateLimits).toEqual([30, 60, 120, 240, 480]);
  expect(server.requests).toHaveLength(6);
});

it("stops waiting when it is told to", async () => {
  const { server } = await testSite();
  server.script("/", { status: 429, headers: { "retry-after": "3600" } });
  const stopping = new AbortController();
  const events = Object.assign(new EventLog(), { waiting: () => queueMicrotask(() => stopping.abort(new Error("told to"))) });
  const site = new DiscogsSite(optionsFor(server.baseUrl), events); // on the real clock
  onTestFinished(() => site[Symbol.asyncDispose]());
  await expect(site.list(stopping.signal)).rejects.toThrow("told to");
});

it.each([
  ["500", { status: 500 }, "answers 500"],
  ["a connection that is closed", { hangUp: true }, "closed"],
  ["a body that is cut", { body: yearsPage(["2026"]), cutAfter: 10 }, "closed"],
  ["silence", { silent: true }, "did not answer"],
  ["a body that stalls", { body: yearsPage(["2026"]), stallAfter: 10 }, "stopped sending"],
  ["a body that drips", { body: yearsPage(["2026"]), drip: { bytes: 1, everyMs: 20 } }, "bytes a second"],
])("asks again after %s", async (_, reply, reason) => {
  const { server, site, events } = await testSite({ idleTimeoutMs: 300, speedWindowMs: 100, slowestBytesPerSecond: 10_000 });
  server.script("/", reply, YEARS).script(targets.year("2026"), YEAR);
  expect(await site.list(LIVE)).toHaveLength(1);
  expect(events.retries).toEqual([expect.stringContaining(reason)]);
});

it("tries three times, waiting 2 s and 4 s, and says why it failed", async () => {
  const { server, site, events } = await testSite({ gapMs: 0 });
  server.script("/", { status: 502 });
  await expect(site.list(LIVE)).rejects.toMatchObject({
    code: "SOURCE_UNAVAILABLE",
    message: expect.stringMatching(/failed after 3 attempts: http:\/\/127\.0\.0\.1:\d+\/: answers 502/),
  });
  expect(events.retries.map((line) => / in (\d) s/.exec(line)?.[1])).toEqual(["2", "4"]);
});

it.each([
  [404, "SOURCE_MISSING"],
  [403, "SOURCE_UNAVAILABLE"],
  [400, "SOURCE_UNAVAILABLE"],
])("asks once only where the answer is %s", async (status, code) => {
  const { server, site } = await testSite();
  server.script("/", { status });
  await expect(site.list(LIVE)).rejects.toMatchObject({ code, message: expect.stringContaining(String(status)) });
  expect(server.requests).toHaveLength(1);
});

it("leaves out a year that cannot be read, with a warning, but not all of them", async () => {
  const { server, site, events } = await testSite();
  const old = "discogs_20251201_artists.xml.gz";
  server.script("/", { body: yearsPage(["2026", "2025"]) });
  server.script(targets.year("2026"), { status: 404 }).script(targets.year("2025"), { body: yearPage("2025", [old]) });
  expect((await site.list(LIVE)).map((file) => file.name)).toEqual([old]);
  expect(events.warnings).toEqual([expect.stringContaining("2026")]);
  server.script(targets.year("2025"), { status: 404 });
  await expect(site.list(LIVE)).rejects.toMatchObject({ code: "SOURCE_MISSING" });
});

it("does not take a page without links for a listing", async () => {
  const { server, site } = await testSite();
  server.script("/", { body: "<title>Just a moment...</title>" });
  await expect(site.list(LIVE)).rejects.toMatchObject({ code: "SOURCE_MISSING", message: expect.stringContaining("links no year") });
});

it("says which links it leaves alone", async () => {
  const { server, site, events } = await testSite();
  server.script("/", YEARS).script(targets.year("2026"), { body: yearPage("2026", [NAME, "discogs_20260801_../../etc/passwd", "discogs_20260801_notes.txt"]) });
  expect((await site.list(LIVE)).map((file) => file.name)).toEqual([NAME]);
  expect(events.warnings).toEqual([expect.stringContaining("2 files that are no part of a dump")]);
});

it("reads no more of a listing than is allowed", async () => {
  const { server, site } = await testSite({ listingBytesMax: 100_000 });
  server.script("/", { body: "x".repeat(50_000_000), chunked: true });
  await expect(site.list(LIVE)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("more than the 100000 bytes") });
  expect(server.requests).toHaveLength(1);
  expect(server.bytesServed()).toBeLessThan(20_000_000);
});

it("follows five redirects, and no more", async () => {
  const { server, site } = await testSite();
  const to = (location: string) => ({ status: 302, headers: { location } });
  for (const hop of [1, 2, 3, 4]) server.script(`/${hop}`, to(`/${hop + 1}`));
  server.script("/", to("/1")).script("/5", YEARS).script(targets.year("2026"), YEAR);
  expect(await site.list(LIVE)).toHaveLength(1);
  server.script("/5", to("/"));
  await expect(site.list(LIVE)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("more than 5 redirects") });
});

it.each([
  ["nowhere", undefined, "redirects to nowhere"],
  ["no URL", "http://", "redirects to nowhere"],
  ["a file", "file:///etc/passwd", "is not https"],
  ["somewhere with a password", "http://me:secret@127.0.0.1/", "comes with a user name or password"],
])("does not follow a redirect to %s", async (_, location, reason) => {
  const { server, site } = await testSite();
  server.script("/", { status: 302, headers: location === undefined ? {} : { location } });
  const failure = await site.list(LIVE).catch((error: Error) => error);
  expect(failure).toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining(reason) });
  expect(JSON.stringify(failure)).not.toContain("secret");
  expect(server.requests).toHaveLength(1);
});

it("does not follow a redirect to a private address", async () => {
  // Through a proxy, so that the first host is a public one without anybody leaving this machine.
  const server = await ScriptedServer.start();
  const proxy = { httpProxy: `http://127.0.0.1:${server.port}`, httpsProxy: null, noProxy: null };
  const site = new DiscogsSite(optionsFor("http://dumps.example/", { allowPrivateAddresses: false, proxy }), new EventLog(), new TestEnvironment());
  onTestFinished(() => site[Symbol.asyncDispose]());
  onTestFinished(() => server[Symbol.asyncDispose]());
  for (const location of ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:80/", "http://[fd00:ec2::254]/", "//10.0.0.1/"]) {
    server.script("http://dumps.example/", { status: 302, headers: { location } });
    await expect(site.list(LIVE)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("not of the public Internet") });
  }
  expect(new Set(server.requests.map(({ target }) => target))).toEqual(new Set(["http://dumps.example/"]));
});

it("connects to a private address only if it may, by number and by name", async () => {
  const { server, environment } = await testSite();
  server.script("/", YEARS).script(targets.year("2026"), YEAR);
  let lookups = 0;
  environment.resolve = async () => {
    lookups += 1;
    return [{ address: "127.0.0.1", family: 4 }];
  };
  for (const baseUrl of [server.baseUrl, `http://dumps.example:${server.port}/`, `http://localhost:${server.port}/`]) {
    const careful = new DiscogsSite(optionsFor(baseUrl, { allowPrivateAddresses: false }), new EventLog(), environment);
    onTestFinished(() => careful[Symbol.asyncDispose]());
    await expect(careful.list(LIVE)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("127.0.0.1") });
  }
  expect(server.requests).toEqual([]);
  expect(lookups).toBe(2);
  const allowed = new DiscogsSite(optionsFor(`http://localhost:${server.port}/`), new EventLog(), environment);
  onTestFinished(() => allowed[Symbol.asyncDispose]());
  expect(await allowed.list(LIVE)).toHaveLength(1);
});

it("does not fall from https to http", async () => {
  await using client = new SiteClient(optionsFor("https://dumps.example/"), new EventLog(), new TestEnvironment());
  await expect(client.get(new URL("http://127.0.0.1:1/"), {}, LIVE)).rejects.toMatchObject({ message: expect.stringContaining("is not https") });
});

it("asks a proxy for whole URLs, tunnels for https, and leaves out hosts that are exempt", async () => {
  const { server, environment } = await testSite();
  const proxy = { httpProxy: `http://me:pa%20ss@127.0.0.1:${server.port}`, httpsProxy: `http://127.0.0.1:${server.port}`, noProxy: "127.0.0.1" };
  const through = (baseUrl: string) => {
    const site = new DiscogsSite(optionsFor(baseUrl, { proxy, allowPrivateAddresses: false }), new EventLog(), environment);
    onTestFinished(() => site[Symbol.asyncDispose]());
    return site;
  };
  server.script("http://dumps.example/", YEARS).script("http://dumps.example/?prefix=data%2F2026%2F", YEAR);
  expect(await through("http://dumps.example/").list(LIVE)).toHaveLength(1);
  expect(server.requests[0]?.headers).toMatchObject({
    host: "dumps.example",
    "user-agent": expect.stringContaining("deadwax"),
    "proxy-authorization": `Basic ${Buffer.from("me:pa ss").toString("base64")}`,
  });
  server.requests.length = 0;
  await expect(through("https://dumps.example/").list(LIVE)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("403") });
  expect(server.requests.map(({ method, target }) => [method, target])).toEqual(Array.from({ length: 3 }, () => ["CONNECT", "dumps.example:443"]));
  await expect(through(server.baseUrl).list(LIVE)).rejects.toMatchObject({ message: expect.stringContaining("not of the public Internet") });
});

it.each([
  "ftp://data.discogs.com/",
  "data.discogs.com",
  "https://me:secret@data.discogs.com/",
  "https://data.discogs.com/dumps",
  "https://data.discogs.com/?prefix=data",
])("refuses the base URL %s", (baseUrl) => {
  const open = () => new DiscogsSite(optionsFor(baseUrl), new EventLog());
  expect(open).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  expect(open).not.toThrow(/secret/);
});
