import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditedDatabase, leftovers, writes, writtenTwice } from "../postgres/scene.ts";
import { freePort } from "../services/ports.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { CLI, deadwax, extract, lastLine, Running } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { assertSound, fileState, readMarker, untilSaved } from "./support/marker.ts";
import { filesIn } from "./support/output.ts";
import { seeded } from "./support/random.ts";
import { cases, figure, timeoutMs } from "./support/scale.ts";

const RELEASES = 12_000;
const INTERVAL = 400;
const WINDOW = 100;
const FILE = `discogs_${VERSION}_releases.xml.gz`;
const OUTPUT = join(VERSION, "releases.ndjson");
const QUEUE = "discogsography-tableinator-releases";
const SMALL = ["--checkpoint-records", String(INTERVAL), "--chunk", "128KiB", "--output", "json"];

const random = seeded("sinks");
let folder: Folder;
let dump: string;
let whole: string;
let host: VirtualHost;
beforeAll(async () => {
  host = await VirtualHost.create(await sharedBroker());
  folder = await temporaryFolder();
  await makeDump(join(folder.path, "dump"), { releases: RELEASES, seed: random.seed });
  dump = dumpPath(join(folder.path, "dump"), "releases");
  await extract([dump, "--sink", `file:${folder.path}/whole`, "--state", `${folder.path}/whole-state`]);
  whole = await readFile(join(folder.path, "whole", OUTPUT), "utf8");
}, 300_000);
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

function place(name: string) {
  const out = join(folder.path, name);
  const state = `${out}-state`;
  const amqp = host.url({ window_messages: WINDOW });
  return { out, state, amqp, args: [dump, "--state", state, ...SMALL], env: { DEADWAX_SINK: `file:${out} ${amqp}` } };
}

/** Takes what came to the queue: the bodies of records, each once and in the order it first came, how often one came again, and the control messages. */
async function delivered(queue = QUEUE) {
  const bodies = new Map<string, string>();
  const controls: string[] = [];
  let again = 0;
  for (const { messageId = "", body } of await host.drain(queue)) {
    if (messageId.endsWith("_complete")) {
      controls.push(messageId);
      continue;
    }
    const text = `${body}\n`;
    const before = bodies.get(messageId);
    if (before !== undefined && before !== text) throw new Error(`${messageId} came with two bodies`);
    if (before !== undefined) again += 1;
    bodies.set(messageId, text);
  }
  return { text: [...bodies.values()].join(""), again, controls };
}

test("a run brings the same bodies into a folder and a broker; with other sinks it is another run", async () => {
  const { out, state, args, env } = place("both");
  expect((await extract([...args, "--sink", `file:${out}`])).code).toBe(0);
  const both = await extract(args, { env });
  expect({ code: both.code, complete: both.report.complete }).toEqual({ code: 0, complete: true });
  // What one of them had before is extracted into both.
  expect(both.report.types["releases"]).toMatchObject({ written: RELEASES, resumedFrom: null });
  expect((await readFile(join(out, OUTPUT), "utf8")) === whole).toBe(true);
  const sent = await delivered();
  expect(sent.text === whole).toBe(true);
  expect(sent).toMatchObject({ again: 0, controls: [`${VERSION}/releases/file_complete`] });
  const { runs } = (await readMarker(state)).deadwax;
  expect(Object.values(runs).map(({ sink }) => sink)).toEqual(expect.arrayContaining([`file:${out}`, expect.stringMatching(/^amqp:\S+ \+ file:\S+$/)]));
  // The order of the sinks does not matter, and what is done in both is not done again.
  const { DEADWAX_SINK } = env;
  const again = await extract(args, { env: { DEADWAX_SINK: DEADWAX_SINK.split(" ").reverse().join(" ") } });
  expect(again.stderr).toContain(`Already processed: ${FILE}`);
  expect(await delivered()).toEqual({ text: "", again: 0, controls: [] });
});

test("four files at once go into several sinks side by side, each record once, and without a complaint of Node", async () => {
  const { out, state, env } = place("four");
  await host.empty();
  const sizes = { artists: 2_000, labels: 2_000, masters: 2_000, releases: 2_000 };
  await makeDump(join(folder.path, "four-dump"), { ...sizes, seed: random.seed });
  const ended = await extract(["--root", join(folder.path, "four-dump"), "--state", state, "--threads", "4", ...SMALL], { env });
  expect({ code: ended.code, complete: ended.report.complete }).toEqual({ code: 0, complete: true });
  expect(ended.stderr).not.toContain("Warning");
  for (const [type, size] of Object.entries(sizes)) {
    const written = await readFile(join(out, VERSION, `${type}.ndjson`), "utf8");
    expect(written.split("\n")).toHaveLength(size + 1);
    const sent = await delivered(`discogsography-tableinator-${type}`);
    expect(sent.text === written).toBe(true);
    expect(sent).toMatchObject({ again: 0, controls: [`${VERSION}/${type}/file_complete`] });
  }
});

test("killed again and again, a folder, a broker and a database have every record, the first and the last of them once", {
  timeout: timeoutMs(180_000, 900_000),
}, async () => {
  const { out, state, args, env: both } = place("killed");
  await using database = await auditedDatabase();
  const env = { DEADWAX_SINK: `${both.DEADWAX_SINK} ${database.url}` };
  await mkdir(state);
  await host.empty();
  const kills = cases(4, 20);
  let killed = 0;
  for (let attempt = 0; killed < kills && attempt < 10 * kills; attempt += 1) {
    const running = new Running(["extract", ...args, ...(attempt > 0 && killed === 0 ? ["--force"] : [])], { env });
    await untilSaved(running, state, 4 + random.between(0, 4));
    await Promise.race([sleep(random.between(0, 60)), running.ended]);
    running.kill("SIGKILL");
    if ((await running.ended).signal !== "SIGKILL") break; // it was done before
    await assertSound(state);
    const checkpoint = (await fileState(state, FILE))?.checkpoint ?? null;
    if (checkpoint === null) continue;
    killed += 1;
    // The checkpoint never runs ahead of either: what it vouches for is in the file, and was confirmed.
    const { sink, counts } = checkpoint;
    expect(Object.keys(sink).sort()).toEqual(["0.messages", "1.bytes", "1.tail", "2.records"]);
    expect(sink["0.messages"]).toBeGreaterThanOrEqual(counts.written);
    expect(sink["2.records"]).toBeGreaterThanOrEqual(counts.written);
    const [stored] = await database.query<{ rows: string }>("SELECT count(*) AS rows FROM releases");
    expect(Number(stored?.rows)).toBeGreaterThanOrEqual(counts.written);
    const lines = whole.split("\n", counts.written);
    expect(sink["1.bytes"]).toBe(Buffer.byteLength(lines.join("\n")) + 1);
    expect((await stat(join(out, `${OUTPUT}.partial`))).size).toBeGreaterThanOrEqual(Number(sink["1.bytes"]));
    expect(await host.depth(QUEUE)).toBeGreaterThanOrEqual(counts.written);
  }
  const { code, report } = await extract(args, { env });
  expect({ code, complete: report.complete, killed: killed > 0 }).toEqual({ code: 0, complete: true, killed: true });
  expect(report.types["releases"]).toMatchObject({ read: RELEASES, written: RELEASES });
  expect(await filesIn(out)).toEqual([OUTPUT]);
  expect((await readFile(join(out, OUTPUT), "utf8")) === whole).toBe(true);
  expect([await writes(database), await writtenTwice(database), await leftovers(database)]).toEqual([{ INSERT: RELEASES }, [], []]);
  const { text, again, controls } = await delivered();
  expect(text === whole).toBe(true);
  expect(controls).toContain(`${VERSION}/releases/file_complete`);
  figure("several sinks killed", { seed: random.seed, kills: killed, messagesAgain: again });
});

test("nothing is written into a folder if the broker beside it cannot be reached, and both are told that are wrong", async () => {
  const out = join(folder.path, "unreached");
  const sinks = `file:${out} amqp://u:canary@127.0.0.1:${await freePort()}`;
  const ended = await deadwax(["extract", dump, "--state", `${out}-state`], { env: { DEADWAX_SINK: sinks } });
  expect(ended.code).toBe(5);
  expect(lastLine(ended)).toContain("SINK_UNAVAILABLE");
  expect(ended.stderr).not.toContain("canary");
  expect(existsSync(out)).toBe(false);
  const two = await deadwax(["extract", dump, "--state", `${out}-state`], { env: { DEADWAX_SINK: `${sinks} file:${dump}/x` } });
  expect(lastLine(two)).toMatch(/SINK_UNAVAILABLE: sink amqp:.*; .*releases\.xml\.gz/);
});

test("records on standard output are those of the folder beside it; a reader that leaves early fails the run", async () => {
  const out = join(folder.path, "beside");
  const ended = await deadwax(["extract", dump, "--sink", "-", "--sink", `file:${out}`, "--output", "json"]);
  expect(ended.code).toBe(0);
  expect(ended.stdout.toString() === whole).toBe(true);
  expect((await readFile(join(out, OUTPUT), "utf8")) === whole).toBe(true);
  const script = `set -o pipefail; "$1" "$2" extract "$3" --sink - --sink "file:$4" -q | head -n 3; echo "\${PIPESTATUS[0]}" >&2`;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DEADWAX_")));
  const shell = spawn("bash", ["-c", script, "bash", process.execPath, CLI, dump, `${out}-left`], { stdio: ["ignore", "pipe", "pipe"], env });
  let stderr = "";
  shell.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  shell.stdout.resume();
  await once(shell, "close");
  expect(stderr).toMatch(/SINK_UNAVAILABLE: standard output: its reader has gone.*\n5\n$/);
  expect(existsSync(join(`${out}-left`, OUTPUT))).toBe(false);
});
