// One JavaScript way to turn a dump into message bodies of the topic contract, the baseline of the bench:
//
//     node run.mjs <node-expat|saxes|sax|fast-xml-parser> <file.xml.gz> <type> topic <out.ndjson|->
//
// Prints {records, xmlBytes, seconds, cpuSeconds, digest} as one JSON line on stderr.

import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { BodyWriter } from "./body.mjs";

/** Measured: 16 and 32 KiB are level for all four, 64 KiB and more are slower by up to a sixth. */
const XML_CHUNK_BYTES = 32 * 1024;
const GZIP_CHUNK_BYTES = 256 * 1024;

const recordNames = new Map([
  ["artists", "artist"],
  ["labels", "label"],
  ["masters", "master"],
  ["releases", "release"],
]);

/** Each module has `open(recordName, onRecord)`, which gives `{ write(chunk), end() }`. */
const peers = new Map([
  ["node-expat", () => import("./parsers/node-expat.mjs")],
  ["saxes", () => import("./parsers/saxes.mjs")],
  ["sax", () => import("./parsers/sax.mjs")],
  ["fast-xml-parser", () => import("./parsers/fast-xml-parser.mjs")],
]);

const [peer = "", file, type = "", contract, output] = process.argv.slice(2);
const load = peers.get(peer);
const recordName = recordNames.get(type);
if (!load || !file || !recordName || contract !== "topic" || !output) {
  console.error(`usage: run.mjs <${[...peers.keys()].join("|")}> <file.xml.gz> <type> topic <out.ndjson|->`);
  process.exit(2);
}

const { open } = await load();
const started = process.hrtime.bigint();
const cpuBefore = process.cpuUsage();
const bodies = new BodyWriter(output, recordName);
const parser = open(recordName, (record) => bodies.write(record));
let xmlBytes = 0;
try {
  await pipeline(createReadStream(file, { highWaterMark: GZIP_CHUNK_BYTES }), createGunzip({ chunkSize: XML_CHUNK_BYTES }), async (xml) => {
    for await (const chunk of xml) {
      xmlBytes += chunk.length;
      parser.write(chunk);
    }
    parser.end();
  });
} catch (error) {
  console.error(`${peer}: ${file}: ${error.message}`);
  process.exitCode = 1;
} finally {
  bodies.close();
}
if (!process.exitCode) {
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const cpu = process.cpuUsage(cpuBefore);
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  const { records, digest } = bodies;
  console.error(JSON.stringify({ records, xmlBytes, seconds, cpuSeconds, digest }));
}
