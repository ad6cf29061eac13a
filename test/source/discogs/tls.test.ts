import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { ended } from "../../sink/programs.ts";
import { temporaryFolder } from "../../sink/temporary-folder.ts";
import { ScriptedServer, targets } from "./scripted-server.ts";
import { emptyFolder, VERSION } from "./setup.ts";

const DOWNLOADER = fileURLToPath(new URL("./programs/downloader.mjs", import.meta.url));
const NAME = `discogs_${VERSION}_artists.xml.gz`;
const BYTES = gzipSync("<artists/>");
const SHA256 = createHash("sha256").update(BYTES).digest("hex");

let tls: { key: Buffer; cert: Buffer; path: string };
beforeAll(async () => {
  const folder = await temporaryFolder();
  const [key, cert] = [join(folder.path, "key.pem"), join(folder.path, "cert.pem")];
  const args = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
  await promisify(execFile)("openssl", ["req", "-x509", ...args, "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert]);
  tls = { key: await readFile(key), cert: await readFile(cert), path: cert };
  return () => folder[Symbol.asyncDispose]();
});

/** Downloads by https from a server of that certificate, in a process that trusts it or not. */
async function downloadByTls(trusting: boolean, options: (proxyUrl: string) => object) {
  const server = await ScriptedServer.start(undefined, tls);
  const proxy = await ScriptedServer.start();
  proxy.tunnels = true;
  onTestFinished(() => server[Symbol.asyncDispose]());
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  server.script(targets.file(NAME), { body: BYTES });
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const args = [DOWNLOADER, `https://localhost:${server.port}/`, await emptyFolder(), NAME, SHA256, JSON.stringify(options(proxy.baseUrl))];
  const child = spawn(process.execPath, args, { env: { ...env, ...(trusting ? { NODE_EXTRA_CA_CERTS: tls.path } : {}) } });
  const { stdout } = await ended(child);
  return { server, proxy, said: JSON.parse(stdout.trim().split("\n").at(-1) ?? "null") as unknown };
}

it("downloads by https", async () => {
  const { server, said } = await downloadByTls(true, () => ({}));
  expect(said).toMatchObject({ sha256: SHA256 });
  expect(server.requests).toHaveLength(1);
});

it("downloads by https through a proxy", async () => {
  const { server, proxy, said } = await downloadByTls(true, (httpsProxy) => ({ proxy: { httpProxy: null, httpsProxy, noProxy: null } }));
  expect(said).toMatchObject({ sha256: SHA256 });
  expect(server.requests).toHaveLength(1);
  expect(proxy.requests.map(({ method, target }) => [method, target])).toEqual([["CONNECT", `localhost:${server.port}`]]);
});

it("does not send a request to whom nobody vouches for", async () => {
  const { server, said } = await downloadByTls(false, () => ({ retryWaitsMs: [] }));
  expect(said).toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("certificate") });
  expect(server.requests).toEqual([]);
});

it("does not connect by https to a name that leads to a private address", async () => {
  const { server, said } = await downloadByTls(true, () => ({ allowPrivateAddresses: false }));
  expect(said).toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("localhost leads to") });
  expect(server.requests).toEqual([]);
});
