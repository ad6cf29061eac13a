import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRulesFile } from "../../dist/config/rules-file.js";
import { resolveExtractConfig } from "../../dist/config.js";
import { extract } from "../../dist/discogs/extract.js";
import { findDumps, toRequest } from "../../dist/discogs/plan.js";
import { silentTelemetry } from "../../dist/telemetry.js";
import { corpusFiles, corpusFolder } from "../support/corpus.ts";

/** The version that the expected reports speak of. */
const VERSION = "20990101";
const golden = join(corpusFolder ?? "", "golden", "fanout-rules");
const FILES = [
  { stem: "20200806-artists-restored", skipped: 11, violations: 860 },
  { stem: "20200806-labels-elpassion", skipped: 1, violations: 152 },
  { stem: "20200806-masters-elpassion", skipped: 0, violations: 6 },
  { stem: "20200806-releases-elpassion", skipped: 0, violations: 0 },
  { stem: "20260401-releases-jgyonzo", skipped: 0, violations: 8 },
];
/** Records that upstream's run kept as files: of a skip and of a warning. */
const SAMPLES: Readonly<Record<string, string>> = { "20200806-artists-restored": "912673", "20260401-releases-jgyonzo": "59" };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deadwax-rules-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe.skipIf(corpusFolder === null)("real excerpts give upstream's bodies and flagged records", () => {
  describe.each([4 * 1024, 64 * 1024, 2 * 1024 * 1024])("in pieces of %i bytes", (chunkBytes) => {
    describe.each([1, 2])("on %i threads", (threads) => {
      test.each(FILES)("$stem", async ({ stem, skipped, violations }) => {
        const excerpt = corpusFiles().find((file) => file.stem === stem);
        if (excerpt === undefined) throw new Error(`${stem} is not in the corpus`);
        const { dataType } = excerpt;
        const root = join(folder, `${stem}-${chunkBytes}-${threads}`);
        await mkdir(root);
        const dump = join(root, `discogs_${VERSION}_${dataType}.xml.gz`);
        await writeFile(dump, await closed(excerpt.path, dataType));
        const report = await extractWith(dump, { threads: String(threads), chunk: String(chunkBytes) });
        const bodies = await readFile(join(root, "out", VERSION, `${dataType}.ndjson`));
        expect(bodies.equals(gunzipSync(await readFile(join(golden, `${stem}.ndjson.gz`))))).toBe(true);
        const flagged = join(root, "flagged", VERSION, dataType);
        const lines = { violations: await logOf(join(flagged, "violations.jsonl")), skipped: await logOf(join(flagged, "skipped.jsonl")) };
        expect(lines).toEqual({ violations: await expectedLog(stem, "violations"), skipped: await expectedLog(stem, "skipped") });
        expect([lines.violations, lines.skipped].map((text) => text.split("\n").length - 1)).toEqual([violations, skipped]);
        expect(report.types[dataType]).toMatchObject({ rejected: 0, empty: 0, skipped });
        expect(report.types[dataType]?.read).toBe((report.types[dataType]?.written ?? 0) + skipped);
        expect(await readFile(join(flagged, "report.txt"), "utf8")).toBe(await readFile(join(golden, `${stem}.report.txt`), "utf8"));
        await expectFiles(flagged, `${lines.violations}${lines.skipped}`);
        const sample = SAMPLES[stem];
        for (const name of sample === undefined ? [] : [`${sample}.xml`, `${sample}.json`]) {
          expect(await readFile(join(flagged, name), "utf8"), name).toBe(await readFile(join(golden, "flagged-sample", name), "utf8"));
        }
      });
    });
  });
});

/** The excerpt with its last record whole and its root closed: one of them ends inside a record. */
async function closed(path: string, dataType: string): Promise<Buffer> {
  const xml = gunzipSync(await readFile(path)).toString();
  const end = `</${dataType.slice(0, -1)}>`;
  return gzipSync(`${xml.slice(0, xml.lastIndexOf(end) + end.length)}\n</${dataType}>\n`, { level: 1 });
}

async function extractWith(dump: string, flags: { threads: string; chunk: string }) {
  const rules = await readRulesFile(join(golden, "rules.yaml"));
  const sink = `file:${join(dirname(dump), "out")}`;
  const config = resolveExtractConfig({ files: [dump], flags: { ...flags, sink, contract: "fanout" }, env: {} });
  const request = toRequest(config, await findDumps(config), rules);
  using telemetry = silentTelemetry();
  const { signal } = new AbortController();
  return extract(request, { stopping: signal, signal, telemetry });
}

/** A log with its times emptied, each of which must be one. */
async function logOf(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.replace(/"timestamp":"([^"]*)"/g, (_, time: string) => {
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\+00:00$/);
    return '"timestamp":""';
  });
}

async function expectedLog(stem: string, kind: "violations" | "skipped"): Promise<string> {
  const packed = await readFile(join(golden, `${stem}.${kind}.ndjson.gz`)).catch(() => null);
  return packed === null ? "" : gunzipSync(packed).toString();
}

/** The files of records are those that skips and more than informations name. */
async function expectFiles(flagged: string, lines: string): Promise<void> {
  const entries = lines.split("\n").filter((line) => line !== "");
  const kept = entries.map((line): { severity?: string; xml_file: string; json_file: string } => JSON.parse(line)).filter((line) => line.severity !== "info");
  const expected = [...new Set(kept.flatMap((line) => [line.xml_file, line.json_file]))].sort();
  const names = await readdir(flagged);
  expect(names.filter((name) => /\.(xml|json)$/.test(name)).sort()).toEqual(expected);
}
