// A service under load: an HTTP server that shows runs which extract FILE into nothing, one after the other, until standard input ends.
// Usage: loaded-service.mjs [FILE]; prints `{"port":N}`, a line for each run, and no more than that.
import { resolveExtractConfig } from "../../../dist/config.js";
import { extract } from "../../../dist/discogs/extract.js";
import { findDumps, toRequest } from "../../../dist/discogs/plan.js";
import { startServer } from "../../../dist/server/server.js";
import { Metrics } from "../../../dist/telemetry/metrics.js";
import { Telemetry } from "../../../dist/telemetry.js";

const [file] = process.argv.slice(2);
const metrics = new Metrics();
const telemetry = new Telemetry({ level: "warn", format: "json", output: { write: (line) => process.stderr.write(line) }, bar: false, metrics });
const stop = new AbortController();
const fixed = {
  contract: "fanout",
  mode: "normal",
  status: "running",
  version: "20260801",
  currentTask: "Processing releases",
  errorMessage: null,
  unreadyReason: null,
};
const view = new Proxy(fixed, { get: (target, name) => (Object.hasOwn(target, name) ? target[name] : telemetry.snapshot[name]) });

const server = await startServer({ host: "127.0.0.1", port: 0, token: null, metrics: "json" }, view, metrics, telemetry.server);
process.stdin.on("end", () => stop.abort()).resume();
process.stdout.write(`${JSON.stringify({ port: server.port })}\n`);

if (file !== undefined) {
  const config = resolveExtractConfig({ files: [file], flags: { contract: "fanout", sink: "null:", verify: "stream" }, env: {} });
  const request = toRequest(config, await findDumps(config));
  while (!stop.signal.aborted) {
    const { types } = await extract(request, { stopping: stop.signal, signal: new AbortController().signal, telemetry });
    process.stdout.write(`${JSON.stringify({ read: types.releases?.read ?? 0 })}\n`);
  }
}
if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
await server.close();
