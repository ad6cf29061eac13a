/** `npm run bench:publish`: confirmed messages a second into RabbitMQ, beside the client alone and beside one confirm at a time. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Broker } from "../../test/services/rabbitmq.ts";
import { benchOptions } from "../src/options.ts";
import { spread } from "../src/statistics.ts";
import { runTimed } from "../src/timed-process.ts";
import { type Content, ContentSum, Queues } from "./queues.ts";

const USAGE = `usage: npm run bench:publish -- [options]
  --records <N>   releases that are generated and published (default: 60000)
  --singly <N>    of them, those that are published one confirm at a time (default: 2000)
  --rounds <N>    how often each way runs (default: 3)
  --json <FILE>   keep the figures there
  --quick         3000 releases, 200 singly, one round: for whether the results are right, not for speeds
TEST_RABBITMQ_URL names a broker to use; without it one is started.`;

const CLI = join(dirname(createRequire(import.meta.url).resolve("deadwax")), "cli.js");
const CLIENT = fileURLToPath(new URL("client.js", import.meta.url));
const FANOUT = "discogsography-discogs-releases";
const TOPIC = "discogsography-exchange";
const TOPIC_QUEUES = ["discogsography-graphinator-releases", "discogsography-tableinator-releases"];
const QUEUE = "bench-releases";
const VERSION = "20260801";
/** The sink's default. */
const WINDOW = 2000;

/** One way of publishing, once. */
interface Figures {
  readonly messages: number;
  /** From the first message to the last confirm, as the program itself says; of deadwax, reading and parsing are in it. */
  readonly seconds: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

interface Setting {
  readonly url: string;
  readonly queues: Queues;
  readonly dump: string;
  /** The bodies in the fanout contract, one a line. */
  readonly bodies: string;
  readonly folder: string;
  /** What a queue must hold of a contract's first so many bodies. */
  readonly expected: (contract: "fanout" | "topic", records: number) => Omit<Content, "controls">;
}

async function extractInto(setting: Setting, contract: "fanout" | "topic"): Promise<Figures> {
  const queues = contract === "fanout" ? [QUEUE] : TOPIC_QUEUES;
  await setting.queues.make(contract === "fanout" ? FANOUT : TOPIC, contract, contract === "fanout" ? "quorum" : "classic", queues);
  const state = mkdtempSync(join(setting.folder, "state-"));
  const command = [process.execPath, CLI, "extract", setting.dump, "--sink", setting.url, "--contract", contract, "--state", state, "--output", "json"];
  const { stdout, wallSeconds, cpuSeconds } = await runTimed(command);
  const report = JSON.parse(stdout) as { types: { releases: { written: number; seconds: number } } };
  const { written, seconds } = report.types.releases;
  for (const queue of queues) await assertContent(setting.queues, queue, { ...setting.expected(contract, written), controls: 1 });
  return { messages: written, seconds, wallSeconds, cpuSeconds };
}

async function publishWith(setting: Setting, window: number, count: number): Promise<Figures> {
  await setting.queues.make(FANOUT, "fanout", "quorum", [QUEUE]);
  const { stdout, wallSeconds, cpuSeconds } = await runTimed([process.execPath, CLIENT, setting.url, FANOUT, setting.bodies, String(window), String(count)]);
  const { seconds, messages } = JSON.parse(stdout) as { seconds: number; messages: number };
  await assertContent(setting.queues, QUEUE, { ...setting.expected("fanout", count), controls: 0 });
  return { messages, seconds, wallSeconds, cpuSeconds };
}

async function assertContent(queues: Queues, queue: string, { records, controls, digest }: Content): Promise<void> {
  const [content, right] = [await queues.read(queue), { records, controls, digest }].map((one) => JSON.stringify(one));
  if (content !== right) throw new Error(`${queue} holds ${content} instead of ${right}`);
}

function median(figures: readonly Figures[], of: (one: Figures) => number): number {
  return spread(figures.map(of)).median;
}

async function main(): Promise<void> {
  const options = benchOptions(USAGE, { records: { usual: 60_000, quick: 3000 }, singly: { usual: 2000, quick: 200 }, rounds: { usual: 3, quick: 1 } });
  if (options === null) return;
  const { records, singly, rounds, json } = options;

  const folder = mkdtempSync(join(tmpdir(), "deadwax-publish-"));
  const broker = process.env["TEST_RABBITMQ_URL"] === undefined ? await Broker.start() : null;
  try {
    const url = process.env["TEST_RABBITMQ_URL"] ?? broker?.address.amqp ?? "";
    await using queues = new Queues(url);
    const setting = await prepare(url, queues, folder, records);
    const ways: readonly (readonly [string, () => Promise<Figures>])[] = [
      ["deadwax, one quorum queue (fanout)", () => extractInto(setting, "fanout")],
      ["client alone, one quorum queue", () => publishWith(setting, WINDOW, records)],
      ["deadwax, two classic queues (topic)", () => extractInto(setting, "topic")],
      ["one confirm at a time, one quorum queue", () => publishWith(setting, 1, singly)],
    ];
    const figures = ways.map((): Figures[] => []);
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, [name, run]] of ways.entries()) {
        const one = await run();
        figures[index]?.push(one);
        console.error(`round ${round + 1}: ${name}: ${Math.round(one.messages / one.seconds)} messages/s`);
      }
    }
    console.log(`\n${records} releases, ${(setting.bodyBytes / records / 1024).toFixed(1)} KiB a body; medians of ${rounds} rounds\n`);
    console.log("| | confirmed messages/s | least to most | CPU s per 100,000 | process, s |\n|---|---|---|---|---|");
    const results = ways.map(([name], index) => {
      const own = figures[index] ?? [];
      const messagesPerSecond = Math.round(median(own, (one) => one.messages / one.seconds));
      const all = own.map((one) => Math.round(one.messages / one.seconds)).sort((a, b) => a - b);
      const cpuSeconds = Number(median(own, (one) => (one.cpuSeconds / one.messages) * 100_000).toFixed(1));
      const wallSeconds = Number(median(own, (one) => one.wallSeconds).toFixed(1));
      console.log(`| ${name} | ${messagesPerSecond} | ${all[0]} to ${all.at(-1)} | ${cpuSeconds} | ${wallSeconds} |`);
      return { name, messagesPerSecond, rounds: all, cpuSecondsPer100000: cpuSeconds, wallSeconds };
    });
    const speed = results[0]?.messagesPerSecond ?? 0;
    // Round by round: what slows the machine down for a while slows down both.
    const speedIn = (way: number, round: number) => (figures[way]?.[round]?.messages ?? 0) / (figures[way]?.[round]?.seconds ?? 1);
    const ratioTo = (way: number) => spread(Array.from({ length: rounds }, (_, round) => speedIn(0, round) / speedIn(way, round))).median;
    const [toClient, toOne] = [ratioTo(1), ratioTo(3)];
    const judge = (what: string, value: string, reached: boolean) => console.log(`${reached ? "reached" : "MISSED "} ${what}: ${value}`);
    console.log("");
    judge("20 times one confirm at a time", `${toOne.toFixed(1)} times`, toOne >= 20);
    judge("within 15 % of the client alone", `${(toClient * 100).toFixed(0)} %`, toClient >= 0.85);
    judge("10,000 messages/s", String(speed), speed > 10_000);
    console.log("\nEvery queue held every message once, byte for byte.");
    const kept = {
      records,
      bodyBytes: setting.bodyBytes,
      results,
      timesOneConfirmAtATime: Number(toOne.toFixed(1)),
      shareOfClient: Number(toClient.toFixed(2)),
    };
    if (json !== undefined) writeFileSync(json, JSON.stringify(kept));
  } finally {
    await broker?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A dump, and its bodies in both contracts as the file sink writes them. */
async function prepare(url: string, queues: Queues, folder: string, records: number): Promise<Setting & { readonly bodyBytes: number }> {
  const others = ["--artists", "1", "--labels", "1", "--masters", "1"];
  await runTimed([
    process.execPath,
    CLI,
    "generate",
    "--releases",
    String(records),
    ...others,
    "--seed",
    "20260801",
    "--version",
    VERSION,
    "--out",
    join(folder, "dump"),
  ]);
  const name = readdirSync(join(folder, "dump"), { recursive: true, encoding: "utf8" }).find((path) => path.endsWith("_releases.xml.gz"));
  if (name === undefined) throw new Error("no releases were generated");
  const dump = join(folder, "dump", name);
  const texts = { fanout: Buffer.alloc(0), topic: Buffer.alloc(0) };
  for (const contract of ["fanout", "topic"] as const) {
    const out = join(folder, contract);
    await runTimed([process.execPath, CLI, "extract", dump, "--sink", `file:${out}`, "--contract", contract, "--state", out]);
    texts[contract] = readFileSync(join(out, VERSION, "releases.ndjson"));
  }
  const expected = (contract: "fanout" | "topic", count: number) => {
    const sum = new ContentSum();
    const text = texts[contract];
    let start = 0;
    for (let line = 0; line < count; line += 1) {
      const end = text.indexOf("\n", start);
      sum.add(text.subarray(start, end));
      start = end + 1;
    }
    return sum.content;
  };
  return { url, queues, dump, bodies: join(folder, "fanout", VERSION, "releases.ndjson"), folder, expected, bodyBytes: texts.fanout.length };
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
