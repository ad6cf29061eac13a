import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLI, deadwax, extract, reportOf } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { digestOf, filesIn } from "./support/output.ts";

const LABELS = 20_000;

let folder: Folder;
let dump: string;
let whole: Buffer;
let digest: string | undefined;
beforeAll(async () => {
  folder = await temporaryFolder();
  await makeDump(join(folder.path, "dump"), { labels: LABELS });
  dump = dumpPath(join(folder.path, "dump"), "labels");
  const { report } = await extract([dump, "--sink", `file:${folder.path}/out`, "--state", `${folder.path}/state`]);
  digest = report.types["labels"]?.digest;
  whole = await readFile(join(folder.path, "out", VERSION, "labels.ndjson"));
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

test("the digest of a run is that of the output read back", async () => {
  expect(await digestOf(join(folder.path, "out", VERSION, "labels.ndjson"))).toEqual({ records: LABELS, digest });
});

test("a pipe into head ends quietly", async () => {
  const script = `set -o pipefail; cat "$1" | "$2" "$3" extract - --type labels --sink - -q | head -n 3; echo "\${PIPESTATUS[@]}" >&2`;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DEADWAX_")));
  const shell = spawn("bash", ["-c", script, "bash", dump, process.execPath, CLI], { stdio: ["ignore", "pipe", "pipe"], env });
  let stdout = "";
  let stderr = "";
  shell.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  shell.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  await once(shell, "close");
  expect(stdout).toBe(`${whole.toString().split("\n").slice(0, 3).join("\n")}\n`);
  const [, exit] = stderr.trim().split(" "); // that of cat may be its own broken pipe
  expect({ exit, lines: stderr.trim().split("\n").length }).toEqual({ exit: "0", lines: 1 });
});

test("records on standard output are those of a file, and the summary goes to standard error", async () => {
  const ended = await deadwax(["extract", dump, "--sink", "-", "--output", "json"]);
  expect(ended.code).toBe(0);
  expect(ended.stdout.equals(whole)).toBe(true);
  expect(reportOf({ ...ended, stdout: Buffer.alloc(0) }).types["labels"]).toMatchObject({ written: LABELS, digest });
});

test.each(["gzip", "plain XML"])("standard input, %s: the same records, and nothing is called complete", async (form) => {
  const path = join(folder.path, `input-${form.length}`);
  await writeFile(path, form === "gzip" ? await readFile(dump) : gunzipSync(await readFile(dump)));
  await using file = await open(path);
  const ended = await deadwax(["extract", "-", "--type", "labels", "--sink", `file:${path}-out`, "--output", "json"], { stdin: file.fd, cwd: folder.path });
  expect({ code: ended.code, stderr: ended.code === 0 ? "" : ended.stderr }).toEqual({ code: 0, stderr: "" });
  expect(reportOf(ended)).toMatchObject({ version: "unknown", complete: false, types: { labels: { written: LABELS, digest } } });
  expect(await filesIn(`${path}-out`)).toEqual(["unknown/labels.ndjson"]);
  expect((await readFile(join(`${path}-out`, "unknown", "labels.ndjson"))).equals(whole)).toBe(true);
  expect((await filesIn(folder.path)).filter((name) => name.includes("unknown.json"))).toEqual([]); // no state
});

test("a type that nobody named comes from the root element", async () => {
  await using file = await open(dump);
  const ended = await deadwax(["extract", "-", "--sink", "null:", "--output", "json"], { stdin: file.fd });
  expect({ code: ended.code, stderr: ended.code === 0 ? "" : ended.stderr }).toEqual({ code: 0, stderr: "" });
  expect(reportOf(ended).types["labels"]).toMatchObject({ written: LABELS, digest });
});

test("--limit stops after so many records and keeps no state", async () => {
  const place = join(folder.path, "limited");
  const { report, code } = await extract([dump, "--sink", `file:${place}`, "--state", `${place}-state`, "--limit", "777"]);
  expect({ code, complete: report.complete }).toEqual({ code: 0, complete: false });
  expect(report.types["labels"]?.written).toBe(777);
  const path = join(place, VERSION, "labels.ndjson");
  const bytes = await readFile(path);
  expect(bytes.equals(whole.subarray(0, bytes.length))).toBe(true);
  expect(await digestOf(path)).toEqual({ records: 777, digest: report.types["labels"]?.digest });
  expect(await filesIn(`${place}-state`)).toEqual([]);
});
