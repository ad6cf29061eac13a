import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Checkpoint } from "../../src/model.ts";
import { killRun } from "./support/crash.ts";
import { deadwax, extract, lastLine } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { filesIn, fingerprint } from "./support/output.ts";
import { seeded } from "./support/random.ts";
import { cases, timeoutMs } from "./support/scale.ts";

const RELEASES = 8_000;
const INTERVAL = 600;
const CHUNK_BYTES = 256 * 1024;
/** Many records are flagged in every way, and some are skipped and changed. */
const RULES = `
skip_records: { releases: [ {field: title, contains: "qu", reason: "a title with qu"} ] }
filters: { releases: [ {field: genres.genre, remove_matching: "^Rock$"}, {field: released, nullify_when: {type: range, below: 1980}} ] }
rules:
  releases:
    - {name: no-notes, field: notes, condition: {type: required}, severity: info}
    - {name: old, field: released, condition: {type: required}, severity: warning}
    - {name: short, field: title, condition: {type: length, min: 6}, severity: error}
`;

const random = seeded("quality rules");
let folder: Folder;
let dump: string;
let rules: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  dump = join(folder.path, "dump");
  await makeDump(dump, { releases: RELEASES, artists: 300, seed: random.seed });
  rules = join(folder.path, "rules.yaml");
  await writeFile(rules, RULES);
});
afterAll(() => folder[Symbol.asyncDispose]());

/** Where one run keeps everything, and its arguments. */
function place(name: string) {
  const [out, state] = [join(folder.path, name, "out"), join(folder.path, name, "state")];
  const options = ["--checkpoint-records", String(INTERVAL), "--chunk", String(CHUNK_BYTES), "--contract", "fanout", "--data-quality-rules", rules];
  return { out, state, flagged: join(state, "flagged"), args: [dumpPath(dump, "releases"), "--sink", `file:${out}`, "--state", state, ...options] };
}

/** Everything flagged, file by file, times aside. */
async function flaggedIn(path: string): Promise<Map<string, string>> {
  const names = await filesIn(path);
  const texts = names.map(async (name) => {
    const text = await readFile(join(path, name), "utf8");
    return [name, text.replace(/"timestamp":"[^"]*"/g, "")] as const;
  });
  return new Map(await Promise.all(texts));
}

test("killed and resumed, every flagged line is there once", { timeout: timeoutMs(120_000, 600_000) }, async () => {
  const undisturbed = place("undisturbed");
  const { report: reference } = await extract(undisturbed.args);
  const counts = reference.types["releases"];
  const expected = await flaggedIn(undisturbed.flagged);
  const lines = (name: string) => (expected.get(`${VERSION}/releases/${name}`)?.split("\n").length ?? 0) - 1;
  expect(counts?.skipped).toBe(lines("skipped.jsonl"));
  expect(counts?.skipped).toBeGreaterThan(10);
  expect(counts?.read).toBe((counts?.written ?? 0) + (counts?.skipped ?? 0));
  expect(lines("violations.jsonl")).toBeGreaterThan(1_000);
  expect(expected.get(`${VERSION}/releases/report.txt`)).toContain(`(of ${RELEASES} records)`);
  const records = await fingerprint(join(undisturbed.out, VERSION, "releases.ndjson"));

  const victim = { ...place("killed"), file: `discogs_${VERSION}_releases.xml.gz`, output: "releases.ndjson", records: RELEASES, interval: INTERVAL };
  const kills = cases(4, 20);
  let [killed, resumed, attempts] = [0, 0, 0];
  while (killed < kills && attempts++ < 10 * kills) {
    await rm(join(victim.out, ".."), { recursive: true, force: true });
    await mkdir(victim.state, { recursive: true });
    let from: Checkpoint | null = null;
    for (let again = true; again; ) {
      const kill = await killRun(victim, from, random);
      if (kill === null) break;
      killed += 1;
      resumed += kill.checkpoint === null ? 0 : 1;
      from = kill.checkpoint;
      again = random.chance(0.5);
    }
    await extract(victim.args);
    expect(await flaggedIn(victim.flagged)).toEqual(expected);
    expect(await fingerprint(join(victim.out, VERSION, "releases.ndjson"))).toBe(records);
  }
  expect(killed).toBeGreaterThanOrEqual(kills);
  expect(resumed).toBeGreaterThan(0);
});

test("other rules are a fresh extraction, the same ones are none", async () => {
  const { args, out, flagged } = place("changed");
  const first = await extract(args);
  const again = await extract(args);
  expect(again.report.types["releases"]).toMatchObject({ xmlBytes: 0, skipped: first.report.types["releases"]?.skipped });
  const other = join(folder.path, "other.yaml");
  await writeFile(other, "rules: {releases: [{name: x, field: title, condition: {type: regex, pattern: '^Z'}, severity: info}]}");
  const changed = await extract(args.with(-1, other));
  expect(changed.report.types["releases"]).toMatchObject({ read: RELEASES, written: RELEASES, skipped: 0, resumedFrom: null });
  expect((await filesIn(flagged)).filter((name) => name.endsWith(".xml"))).toEqual([]);
  const unruled = await extract(args.slice(0, -2));
  expect(unruled.report.types["releases"]).toMatchObject({ read: RELEASES, written: RELEASES });
  expect(unruled.report.types["releases"]).not.toHaveProperty("skipped");
  const back = await extract(args);
  expect(back.report.types["releases"]).toMatchObject({ ...first.report.types["releases"], seconds: expect.anything() });
  expect(await filesIn(out)).toEqual([`${VERSION}/releases.ndjson`]);
});

test("a limit flags what comes before it", async () => {
  const { args, flagged, state } = place("limited");
  const { report } = await extract([...args, "--limit", "500"]);
  const { read = 0, skipped = 0 } = report.types["releases"] ?? {};
  expect(report.types["releases"]).toMatchObject({ written: 500 });
  expect(skipped).toBeGreaterThan(0);
  expect(read).toBe(500 + skipped);
  const text = await readFile(join(flagged, VERSION, "releases", "skipped.jsonl"), "utf8");
  expect(text.split("\n").length - 1).toBe(skipped);
  expect(await readFile(join(flagged, VERSION, "releases", "report.txt"), "utf8")).toContain(`(of ${read} records)`);
  void state;
});

test("the log tells the report, and the variable names the file", async () => {
  const { out, state } = place("logged");
  const args = [dumpPath(dump, "releases"), "--sink", `file:${out}`, "--state", state, "--contract", "fanout"];
  const { stderr, stdout, code } = await deadwax(["extract", ...args], { env: { DATA_QUALITY_RULES: rules } });
  expect(code).toBe(0);
  expect(stderr).toContain(`📊 Data Quality Report for discogs_${VERSION}:\n  ⏭️ Skipped records:\n    releases: `);
  expect(stdout.toString()).toMatch(/ empty, \d+ skipped in /);
});

interface Refused {
  readonly path?: string;
  readonly contract?: string;
  readonly variable?: string;
}

test.each<[string, Refused, string]>([
  ["an empty variable", { variable: "" }, "DATA_QUALITY_RULES=: give a value that is not empty"],
  ["a file that is not there", { path: "/nowhere/rules.yaml" }, "data quality rules /nowhere/rules.yaml: it cannot be read (ENOENT)"],
  ["the topic contract", { contract: "topic" }, "--data-quality-rules: only for the fanout contract; give --contract fanout, or no rules"],
])("%s is refused before anything is done", async (_, { path = rules, contract = "fanout", variable }, problem) => {
  const { out, state } = place("refused");
  const args = [dumpPath(dump, "artists"), "--sink", `file:${out}`, "--state", state, "--contract", contract];
  const given = variable === undefined ? { args: ["--data-quality-rules", path], env: {} } : { args: [], env: { DATA_QUALITY_RULES: variable } };
  const ended = await deadwax(["extract", ...args, ...given.args], { env: given.env });
  expect([ended.code, lastLine(ended)]).toEqual([2, `deadwax: CONFIG_INVALID: ${problem}`]);
  expect(await filesIn(join(folder.path, "refused"))).toEqual([]);
});
