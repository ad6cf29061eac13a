import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { smallDisk } from "../../sink/small-disk.ts";
import { type Reply, type Responder, type SeenRequest, targets } from "./scripted-server.ts";
import { emptyFolder, LIVE, testSite, VERSION } from "./setup.ts";

const DOWNLOADER = fileURLToPath(new URL("./programs/downloader.mjs", import.meta.url));
const NAME = `discogs_${VERSION}_artists.xml.gz`;
const FILE = { name: NAME, version: VERSION, dataType: "artists", key: `data/2026/${NAME}` } as const;
const BYTES = gzipSync(randomBytes(300_000));
const SHA256 = sha256(BYTES);
const ETAG = '"v1"';
const WHOLE: Reply = { headers: { etag: ETAG, "content-type": "application/gzip" }, body: BYTES };
/** Bytes of a body that is cut. */
const CUT = 131_072;
const PART = `.${NAME}.part`;

/** What a server that honours ranges answers from a byte on. */
function rest(from: number, headers: Record<string, string> = {}): Reply {
  const range = `bytes ${from}-${BYTES.length - 1}/${BYTES.length}`;
  return { status: 206, headers: { etag: ETAG, "content-range": range, ...headers }, body: BYTES.subarray(from) };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A root and a server that answers like this, in turn. */
async function scripted(...replies: readonly Responder[]) {
  const root = await emptyFolder();
  const test = await testSite({ idleTimeoutMs: 300, speedWindowMs: 100, slowestBytesPerSecond: 100_000 });
  test.server.script(targets.file(NAME), ...replies);
  const partSize = async () => (await stat(join(root, PART)).catch(() => null))?.size ?? null;
  return { root, ...test, partSize, download: (sha: string | null = SHA256, signal = LIVE) => test.site.download(FILE, root, sha, signal) };
}

it("downloads a dump under another name until it is whole and verified", async () => {
  const { root, download, events, server } = await scripted(WHOLE);
  expect(await download()).toEqual({ path: join(root, NAME), bytes: BYTES.length, sha256: SHA256 });
  expect(await readdir(root)).toEqual([NAME]);
  expect(BYTES.equals(await readFile(join(root, NAME)))).toBe(true);
  expect(events.said).toEqual([`started ${NAME} ${BYTES.length}`, `finished ${NAME} ${BYTES.length}/${BYTES.length}`]);
  expect(server.requests.map(({ target, headers }) => [target, headers.range])).toEqual([[targets.file(NAME), undefined]]);
});

it("downloads a dump whose length nobody tells", async () => {
  const { download, events } = await scripted({ ...WHOLE, chunked: true });
  expect(await download()).toMatchObject({ bytes: BYTES.length });
  expect(events.said[0]).toBe(`started ${NAME} null`);
});

it.each([
  ["a cut body", { ...WHOLE, cutAfter: CUT }, "closed early"],
  ["a cut body of unknown length", { ...WHOLE, chunked: true, cutAfter: CUT }, "closed early"],
  ["a stalled body", { ...WHOLE, stallAfter: CUT }, "stopped sending"],
  ["a slow drip", { ...WHOLE, drip: { bytes: 100, everyMs: 20 } }, "bytes a second"],
  ["a silent server", { silent: true }, "did not answer"],
  ["500", { status: 500 }, "answers 500"],
  ["a page", { headers: { "content-type": "text/html" }, body: "<title>Busy</title>" }, "something else than a gzip file (text/html)"],
  ["a page that was compressed", { headers: { "content-type": "text/html", "content-encoding": "gzip" }, body: BYTES }, "something else than a gzip file"],
  ["nothing", { body: "" }, "something else than a gzip file"],
  ["one byte", { body: BYTES.subarray(0, 1) }, "something else than a gzip file"],
  ["a part that nobody asked for", rest(10), "although all of it was asked for"],
])("tries again after %s", async (_, reply, reason) => {
  const { download, root, events } = await scripted(reply, WHOLE);
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(events.retries).toEqual([expect.stringContaining(reason)]);
  expect(await readdir(root)).toEqual([NAME]);
});

it("takes a dump that is announced as a page for the dump it is", async () => {
  const { download } = await scripted({ ...WHOLE, headers: { "content-type": "text/html" } });
  expect(await download()).toMatchObject({ sha256: SHA256 });
});

it("fails after three attempts, and leaves nothing that could be taken for a dump", async () => {
  const { download, root, events, environment } = await scripted({ headers: { "content-type": "text/html" }, body: "<html>" });
  await expect(download()).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining(`${NAME}: failed after 3 attempts`) });
  expect(await readdir(root)).toEqual([]);
  expect(events.retries).toHaveLength(2);
  expect(environment.slept.filter((ms) => ms === 2000 || ms === 4000)).toEqual([2000, 4000]);
});

it("waits when told to, without using up an attempt", async () => {
  const busy = { status: 503, headers: { "retry-after": "1" } };
  const { download, events } = await scripted(busy, busy, { status: 500 }, busy, { status: 500 }, WHOLE);
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(events.rateLimits).toEqual([1, 1, 1]);
});

it("asks once for what is not there", async () => {
  const { download, root, server } = await scripted({ status: 404 });
  await expect(download()).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  expect(server.requests).toHaveLength(1);
  expect(await readdir(root)).toEqual([]);
});

it("removes bytes with another SHA-256 than the published one, and does not fetch them again", async () => {
  const flipped = Buffer.from(BYTES);
  flipped[1000] = (flipped[1000] ?? 0) ^ 1;
  const { download, root, server } = await scripted({ ...WHOLE, body: flipped });
  await expect(download()).rejects.toMatchObject({ code: "SOURCE_CORRUPT", message: expect.stringContaining(SHA256) });
  expect(await readdir(root)).toEqual([]);
  expect(server.requests).toHaveLength(1);
});

it("gives the SHA-256 of what came where none is published", async () => {
  const { download } = await scripted(WHOLE);
  expect(await download(null)).toMatchObject({ sha256: SHA256 });
});

it("goes on where it was if the server honours ranges", async () => {
  const { download, server, events, partSize } = await scripted({ ...WHOLE, stallAfter: CUT }, rest(CUT));
  expect(await download()).toMatchObject({ bytes: BYTES.length, sha256: SHA256 });
  expect(await partSize()).toBeNull();
  const [, second] = server.requests;
  expect(second?.headers).toMatchObject({ "if-range": ETAG });
  const from = Number(/^bytes=(\d+)-$/.exec(second?.headers.range ?? "")?.[1]);
  expect(from).toBe(CUT);
  expect(second?.bytesServed).toBe(BYTES.length - CUT);
  expect(events.said).toContain(`resumed ${NAME} ${CUT}/${BYTES.length}`);
  expect(events.said).toContain(`finished ${NAME} ${BYTES.length - CUT}/${BYTES.length}`);
});

it("ends with the published bytes, wherever and however often it is cut", async () => {
  const cuts = fc.array(fc.record({ honoured: fc.boolean(), cutAfter: fc.nat({ max: BYTES.length - 1 }) }), { maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(cuts, fc.boolean(), async (faults, honoured) => {
      const answer = (how: { honoured: boolean; cutAfter?: number }) => (request: SeenRequest) => {
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const reply = how.honoured && from > 0 ? rest(from) : WHOLE;
        return how.cutAfter === undefined ? reply : { ...reply, cutAfter: Math.min(how.cutAfter, (reply.body?.length ?? 1) - 1) };
      };
      const { download, root, partSize } = await scripted(...faults.map(answer), answer({ honoured }));
      expect(await download()).toMatchObject({ bytes: BYTES.length, sha256: SHA256 });
      expect(BYTES.equals(await readFile(join(root, NAME)))).toBe(true);
      expect(await partSize()).toBeNull();
    }),
    { numRuns: 30 },
  );
});

it("goes on by Last-Modified where there is no ETag", async () => {
  const headers = { "last-modified": "Sat, 01 Aug 2026 00:00:00 GMT" };
  const { download, server } = await scripted(
    { headers, body: BYTES, stallAfter: CUT },
    { ...rest(CUT), headers: { ...rest(CUT, headers).headers, etag: "" } },
  );
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests[1]?.headers).toMatchObject({ "if-range": headers["last-modified"], range: `bytes=${CUT}-` });
});

it("starts anew where the rest is of another Last-Modified", async () => {
  const first = { "last-modified": "Sat, 01 Aug 2026 00:00:00 GMT", date: "Sun, 02 Aug 2026 00:00:00 GMT" };
  const second = { ...first, "last-modified": "Sat, 01 Aug 2026 00:00:01 GMT" };
  const { headers } = rest(CUT, second);
  const { download, server } = await scripted(
    { headers: first, body: BYTES, stallAfter: CUT },
    { ...rest(CUT), headers: { ...headers, etag: "" } },
    { headers: second, body: BYTES },
  );
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests.map(({ headers: { range } }) => range)).toEqual([undefined, `bytes=${CUT}-`, undefined]);
});

it("lets a site be slow, as long as it is not too slow", async () => {
  const { download, events } = await scripted({ ...WHOLE, drip: { bytes: 60_000, everyMs: 50 } }); // about 1.2 MB/s, through several windows
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(events.retries).toEqual([]);
});

it.each([
  ["a weak ETag", { etag: 'W/"v1"' }],
  ["a date of this very second", { "last-modified": new Date(Date.now() + 3_600_000).toUTCString() }],
  ["nothing", {}],
])("starts anew where the server says nothing to tell contents apart by but %s", async (_, headers) => {
  const { download, server } = await scripted({ headers, body: BYTES, stallAfter: CUT }, { headers, body: BYTES });
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests.map(({ headers: { range } }) => range)).toEqual([undefined, undefined]);
});

it("starts anew where the range is ignored", async () => {
  const { download, server } = await scripted({ ...WHOLE, stallAfter: CUT }, WHOLE);
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests.map(({ headers: { range } }) => range)).toEqual([undefined, `bytes=${CUT}-`]);
  expect(server.bytesServed()).toBe(CUT + BYTES.length);
});

it.each([
  ["begins elsewhere", rest(CUT, { "content-range": `bytes ${CUT + 1}-${BYTES.length - 1}/${BYTES.length}` })],
  ["ends early", rest(CUT, { "content-range": `bytes ${CUT}-${BYTES.length - 2}/${BYTES.length}` })],
  ["is of another length", rest(CUT, { "content-range": `bytes ${CUT}-${BYTES.length}/${BYTES.length + 1}` })],
  ["has no total", rest(CUT, { "content-range": `bytes ${CUT}-${BYTES.length - 1}/*` })],
  ["is not given", rest(CUT, { "content-range": "" })],
  ["is of another ETag", rest(CUT, { etag: '"v2"' })],
  ["has another length than its body", rest(CUT, { "content-length": String(BYTES.length) })],
  ["is refused as out of reach", { status: 416 }],
  ["is refused as nothing to ask for", { status: 403 }],
])("starts anew where the range that was asked for %s", async (_, reply) => {
  const { download, server, events } = await scripted({ ...WHOLE, stallAfter: CUT }, reply, WHOLE);
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests.map(({ headers: { range } }) => range)).toEqual([undefined, `bytes=${CUT}-`, undefined]);
  expect(events.retries).toHaveLength(2);
});

it("starts anew where the bytes were published again meanwhile", async () => {
  const republished = gzipSync(randomBytes(200_000));
  const { download, root } = await scripted({ ...WHOLE, stallAfter: CUT }, { headers: { etag: '"v2"' }, body: republished });
  expect(await download(sha256(republished))).toMatchObject({ bytes: republished.length });
  expect(republished.equals(await readFile(join(root, NAME)))).toBe(true);
});

it("mends a part whose bytes turn out wrong by starting anew", async () => {
  const { download, root, server } = await scripted({ ...WHOLE, stallAfter: CUT }, { status: 404 }, rest(CUT), WHOLE);
  await expect(download()).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  const part = await readFile(join(root, PART));
  expect(part.length).toBe(CUT);
  part[500] = (part[500] ?? 0) ^ 1;
  await writeFile(join(root, PART), part);
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests.map(({ headers: { range } }) => range)).toEqual([undefined, `bytes=${CUT}-`, `bytes=${CUT}-`, undefined]);
});

it.each([
  ["torn", `{"url":"`],
  ["of another shape", `{"url":1}`],
  ["of another file", JSON.stringify({ url: "http://127.0.0.1:1/x", etag: ETAG, lastModified: null, size: BYTES.length })],
])("starts anew where what is said of the part is %s", async (_, about) => {
  const { download, root, server } = await scripted(WHOLE);
  await writeFile(join(root, PART), BYTES.subarray(0, CUT));
  await writeFile(join(root, `${PART}.json`), about);
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests.map(({ headers: { range } }) => range)).toEqual([undefined]);
});

it("does not resume what could not be verified", async () => {
  const { download, server } = await scripted({ ...WHOLE, stallAfter: CUT }, WHOLE);
  await download(null);
  expect(server.requests.map(({ headers: { range } }) => range)).toEqual([undefined, undefined]);
});

it("asks for nothing where all bytes came before the process ended", async () => {
  const { download, root, server } = await scripted(WHOLE);
  await writeFile(join(root, PART), BYTES);
  const url = new URL(targets.file(NAME), server.baseUrl).href;
  await writeFile(join(root, `${PART}.json`), JSON.stringify({ url, etag: ETAG, lastModified: null, size: BYTES.length }));
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests).toEqual([]);
});

it("resumes after it was killed: the bytes before are not served again", async () => {
  const { root, server, site } = await scripted();
  const bytes = gzipSync(randomBytes(8_000_000));
  const half = 4_000_000;
  const etag = { etag: ETAG };
  server.script(targets.file(NAME), { headers: etag, body: bytes, stallAfter: half }, ({ headers: { range } }) => {
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]);
    return { status: 206, headers: { ...etag, "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }, body: bytes.subarray(from) };
  });
  const child = spawn(process.execPath, [DOWNLOADER, server.baseUrl, root, NAME, sha256(bytes)], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  for await (const line of createInterface({ input: child.stdout })) if (Number(line) === half) child.kill("SIGKILL");
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
  expect((await readdir(root)).sort()).toEqual([PART, `${PART}.json`]);
  expect((await stat(join(root, PART))).size).toBe(half);

  expect(await site.download(FILE, root, sha256(bytes), LIVE)).toMatchObject({ bytes: bytes.length });
  expect(server.requests.map(({ bytesServed }) => bytesServed)).toEqual([half, bytes.length - half]);
  expect(bytes.equals(await readFile(join(root, NAME)))).toBe(true);
  expect(await readdir(root)).toEqual([NAME]);
});

it("stops at once, keeping the part for the next time", async () => {
  const { download, partSize, events, server } = await scripted({ ...WHOLE, stallAfter: CUT }, rest(CUT));
  const stopping = new AbortController();
  events.onProgress = (bytes) => bytes === CUT && stopping.abort(new Error("told to"));
  await expect(download(SHA256, stopping.signal)).rejects.toThrow("told to");
  expect(await partSize()).toBe(CUT);
  expect(await download()).toMatchObject({ sha256: SHA256 });
  expect(server.requests[1]?.headers.range).toBe(`bytes=${CUT}-`);
});

it("refuses a part that is a link", async () => {
  const { download, root } = await scripted(WHOLE);
  const elsewhere = await emptyFolder();
  await writeFile(join(elsewhere, "precious"), "precious");
  await symlink(join(elsewhere, "precious"), join(root, PART));
  await expect(download()).rejects.toMatchObject({ code: "SOURCE_UNWRITABLE", message: expect.stringContaining("symbolic link") });
  expect(await readFile(join(elsewhere, "precious"), "utf8")).toBe("precious");
});

it("does not write through a link that has the dump's name", async () => {
  const { download, root } = await scripted(WHOLE);
  const elsewhere = await emptyFolder();
  await writeFile(join(elsewhere, "precious"), "precious");
  await symlink(join(elsewhere, "precious"), join(root, NAME));
  await download();
  expect(await readFile(join(elsewhere, "precious"), "utf8")).toBe("precious");
  expect((await stat(join(root, NAME))).size).toBe(BYTES.length);
});

it("says what is wrong with a folder that cannot be written", async () => {
  const { download, root } = await scripted(WHOLE);
  await mkdir(join(root, PART));
  await expect(download()).rejects.toMatchObject({ code: "SOURCE_UNWRITABLE", message: expect.stringContaining(PART) });
});

it.each([
  ["announced larger than a dump may be", WHOLE, 0],
  ["longer than a dump may be, which it did not announce", { ...WHOLE, chunked: true }, 1],
])("does not keep what is %s", async (_, answer, started) => {
  const { site, server, events } = await testSite({ dumpBytesMax: BYTES.length - 1 });
  const root = await emptyFolder();
  server.script(targets.file(NAME), answer);
  await expect(site.download(FILE, root, SHA256, LIVE)).rejects.toMatchObject({
    code: "SOURCE_UNAVAILABLE",
    message: expect.stringContaining(`larger than the ${BYTES.length - 1} bytes that a dump may have`),
  });
  expect(await readdir(root)).toEqual([]);
  expect(events.said.filter((line) => line.startsWith("started"))).toHaveLength(started);
  expect(server.requests).toHaveLength(1); // again would be no better
});

it("takes a dump of the largest size", async () => {
  const { site, server } = await testSite({ dumpBytesMax: BYTES.length });
  const root = await emptyFolder();
  server.script(targets.file(NAME), { ...WHOLE, chunked: true });
  expect(await site.download(FILE, root, SHA256, LIVE)).toMatchObject({ bytes: BYTES.length });
});

const disk = await smallDisk(256 * 1024);
if (disk !== null) {
  const root = disk.path;
  afterAll(() => disk[Symbol.asyncDispose]());

  it("looks for room before it downloads, and says how much lacks", async () => {
    const { site, server } = await testSite({ diskReserveBytes: 100_000 });
    server.script(targets.file(NAME), { ...WHOLE, body: BYTES.subarray(0, 200_000) });
    await expect(site.download(FILE, root, null, LIVE)).rejects.toMatchObject({
      code: "SOURCE_DISK_FULL",
      message: expect.stringMatching(/needs 0\.2 MB and 0\.1 MB in reserve, but only 0\.\d MB are free/),
    });
    expect(await readdir(root)).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it("keeps the reserve also where the site does not say how much comes", async () => {
    const reserve = 100_000;
    const { site, server, events } = await testSite({ diskReserveBytes: reserve, spaceCheckBytes: 8_192 });
    let most = 0;
    events.onProgress = (bytes) => {
      most = Math.max(most, bytes);
    };
    server.script(targets.file(NAME), { ...WHOLE, chunked: true });
    await expect(site.download(FILE, root, SHA256, LIVE)).rejects.toMatchObject({
      code: "SOURCE_DISK_FULL",
      message: expect.stringContaining("0.1 MB in reserve"),
    });
    expect(most).toBeGreaterThan(0);
    // Looked at before each chunk that goes beyond 8 KiB: what came since the last look is all that the reserve can lack.
    expect(most).toBeLessThanOrEqual(256 * 1024 - reserve + 8_192);
    expect(await readdir(root)).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it("gives the space back where the disk fills up on the way", async () => {
    const { site, server } = await testSite();
    server.script(targets.file(NAME), { ...WHOLE, chunked: true });
    await expect(site.download(FILE, root, SHA256, LIVE)).rejects.toMatchObject({ code: "SOURCE_DISK_FULL", message: expect.stringContaining("ENOSPC") });
    expect(await readdir(root)).toEqual([]);
  });
}
