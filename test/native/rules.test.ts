import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { closeRules, closeSource, compileRules, openSource, pullPiece } from "../../native/index.js";
import type { Rules } from "../../src/config/rules-file.ts";
import { DATA_TYPES, type DataType } from "../../src/model.ts";
import { oddDump, type Sample, wellFormedDump } from "../oracle/arbitrary.ts";
import { DEFAULT_LIMITS, type DocumentItem, readDocument } from "../oracle/document.ts";
import { parsedRecord } from "../oracle/fanout.ts";
import { normalise } from "../oracle/normalise.ts";
import { judge } from "../oracle/rules.ts";
import { toBody } from "../oracle/value.ts";
import { inputFolder, sourceOptions } from "./run.ts";

const RUNS = Number(process.env["DEADWAX_CASES"] ?? 300);
const SEED = process.env["DEADWAX_SEED"];
const TIMEOUT_MS = 20_000 + RUNS * 20;
const PARAMETERS = { numRuns: RUNS, endOnFailure: true, ...(SEED === undefined ? {} : { seed: Number(SEED) }) };

const inputs = inputFolder();
afterAll(() => inputs.remove());

const field = fc.constantFrom(
  ...["id", "@id", "@status", "name", "title", "year", "profile", "notes", "genres.genre", "genres.genre.0", "artists.artist.name", "artists.artist.1.name"],
  ...["sublabels.label", "sublabels.label.#text", "labels.label.@name", "formats.format.@name", "master_id", "master_id.#text", "a.b", "x", "#text", ""],
);
const word = fc.constantFrom("a", "THE", "é", "1", "x", " ", "&", "");
const bound = fc.constantFrom(0, 1, 10, 1000, 100_000);
/** The same to RE2 and to JavaScript. */
const pattern = fc.constantFrom("", "a", "^The", "[0-9]", "^$", "é", "x{2}", "&", "^[0-9]+$");
const condition = fc.oneof(
  fc.constant({ type: "required" }),
  fc.record({ type: fc.constant("range"), min: bound, max: bound }, { requiredKeys: ["type"] }),
  fc.record({ type: fc.constant("length"), min: fc.nat(3), max: fc.nat(12) }, { requiredKeys: ["type"] }),
  fc.record({ type: fc.constant("regex"), pattern }),
  fc.record({ type: fc.constant("enum"), values: fc.array(word, { maxLength: 3 }) }),
);
const severity = fc.constantFrom("error" as const, "warning" as const, "info" as const);
const filter = fc.oneof(
  fc.record({ field, remove_matching: pattern }),
  fc.record({ field, nullify_when: fc.oneof(fc.record({ below: bound }), fc.record({ above: bound })) }),
);
const rule = fc.record({ name: word, field, condition, severity });

function ofTypes<T>(entry: fc.Arbitrary<T>): fc.Arbitrary<Record<DataType, T[]>> {
  const lists = fc.array(entry, { maxLength: 4 });
  return fc.record({ artists: lists, labels: lists, masters: lists, releases: lists });
}

const skip = fc.record({ field, contains: word.filter((text) => text !== ""), reason: word });
const someRules: fc.Arbitrary<Rules> = fc.record({ skip_records: ofTypes(skip), filters: ofTypes(filter), rules: ofTypes(rule) });

interface Found {
  readonly bodies: readonly string[];
  readonly skips: readonly unknown[];
  readonly violations: readonly unknown[];
  readonly skipped: number;
}

function byOracle({ dataType, xml }: Sample, rules: Rules): Found {
  const items: DocumentItem[] = [];
  readDocument(xml, dataType, DEFAULT_LIMITS, items);
  const [bodies, skips, violations]: [string[], unknown[], unknown[]] = [[], [], []];
  for (const item of items) {
    const parsed = item.kind === "reject" ? null : parsedRecord(item.element);
    if (parsed === null) continue;
    const id = parsed.id ?? "unknown";
    const judged = judge(parsed.record, rules, dataType);
    violations.push(...judged.violations.map((violation) => ({ id, ...violation })));
    if (judged.skip !== null) {
      skips.push({ id, ...judged.skip });
      continue;
    }
    normalise(parsed.record, dataType);
    bodies.push(toBody(id, parsed.record).toString());
  }
  return { bodies, skips, violations, skipped: skips.length };
}

function byAddon({ dataType, xml }: Sample, rules: Rules, chunkBytes: number): Found {
  const handle = compileRules(JSON.stringify(rules));
  const source = openSource(sourceOptions(inputs.write(xml), { dataType, contract: "fanout", chunkBytes, rules: handle })).handle;
  closeRules(handle); // a source keeps its rules
  const slot = new Uint8Array(1 << 16);
  let skipped = 0;
  const [bodies, skips, violations]: [string[], unknown[], unknown[]] = [[], [], []];
  try {
    for (;;) {
      const piece = pullPiece(source, slot);
      const bytes = (piece.own ?? slot).slice(0, piece.bytes);
      bodies.push(...linesOf(bytes));
      skipped += piece.skipped;
      for (const line of linesOf(piece.flagged?.skips)) {
        const { record_id: id, field, field_value: value, reason } = JSON.parse(line);
        skips.push({ id, field, value, reason });
      }
      for (const line of linesOf(piece.flagged?.violations)) {
        const { record_id: id, rule, field, field_value: value, severity } = JSON.parse(line);
        violations.push({ id, rule, field, value, severity });
      }
      if (piece.end || piece.fault) return { bodies, skips, violations, skipped };
    }
  } finally {
    closeSource(source);
  }
}

function linesOf(bytes: Uint8Array | undefined): string[] {
  const text = Buffer.from(bytes ?? []).toString();
  return text === "" ? [] : text.slice(0, -1).split("\n");
}

describe("the addon applies rules as the oracle does", () => {
  test.each([
    ["dumps as Discogs writes them", wellFormedDump()],
    ["odd ones", oddDump()],
  ])("to %s", { timeout: TIMEOUT_MS }, (_, arbitrary) => {
    let found = 0;
    fc.assert(
      fc.property(arbitrary, someRules, fc.integer({ min: 1, max: 4096 }), (sample, rules, chunkBytes) => {
        if (sample.xml.length === 0) return;
        const [got, expected] = [byAddon(sample, rules, chunkBytes), byOracle(sample, rules)];
        found += expected.skipped + expected.violations.length;
        if (!isDeepStrictEqual(got, expected)) expect(got, sample.xml.toString("latin1")).toEqual(expected);
      }),
      PARAMETERS,
    );
    expect(found).toBeGreaterThan(0);
  });
});

describe("handles of rules", () => {
  test("are refused where they are closed or have no place", () => {
    const path = inputs.write(Buffer.from("<labels></labels>"));
    const handle = compileRules("{}");
    expect(() => openSource(sourceOptions(path, { contract: "topic", rules: handle }))).toThrow("the topic contract has no rules");
    closeRules(handle);
    expect(() => openSource(sourceOptions(path, { contract: "fanout", rules: handle }))).toThrow("is closed");
  });

  test("are not given for patterns that are wrong, all of which are told", () => {
    const filters = Object.fromEntries(DATA_TYPES.map((type) => [type, [{ field: "f", remove_matching: "(" }]]));
    const problems = (() => {
      try {
        return compileRules(JSON.stringify({ filters }));
      } catch (error) {
        return JSON.parse(error instanceof Error ? error.message : "");
      }
    })();
    expect(problems).toEqual(DATA_TYPES.map((type) => `filters.${type}[0]: remove_matching "(": unclosed group`));
  });
});
