/**
 * Downloads one dump in a process of its own: `downloader.mjs BASE_URL ROOT NAME SHA256 [OPTIONS]`, with options of the site as JSON.
 * Says on stdout how many bytes of it there are, a number a line, and at the end what became of it as JSON.
 */
import { SITE_DEFAULTS } from "../../../../dist/source/discogs/options.js";
import { DiscogsSite } from "../../../../dist/source/discogs/site.js";

const [baseUrl, root, name, sha256, more] = process.argv.slice(2);
const said = new Proxy({}, { get: (_, event) => (event === "downloadProgressed" ? (_name, bytes) => process.stdout.write(`${bytes}\n`) : () => {}) });
const options = {
  ...SITE_DEFAULTS,
  baseUrl,
  userAgent: "deadwax/test",
  allowPrivateAddresses: true,
  gapMs: 0,
  diskReserveBytes: 0,
  ...JSON.parse(more ?? "{}"),
};
const site = new DiscogsSite(options, said);
const file = { name, version: "20260801", dataType: "artists", key: `data/2026/${name}` };
const done = await site.download(file, root, sha256, new AbortController().signal).catch(({ code, message }) => ({ code, message }));
process.stdout.write(`${JSON.stringify(done)}\n`);
await site[Symbol.asyncDispose]();
