import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { extract } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder } from "./support/dumps.ts";
import { FULL, figure, timeoutMs } from "./support/scale.ts";

const SIZES = FULL
  ? { releases: 80_000, artists: 300_000, labels: 300_000, masters: 80_000 }
  : { releases: 8_000, artists: 30_000, labels: 30_000, masters: 8_000 };
const TYPES = ["artists", "labels", "masters", "releases"] as const;
/** The best of so many counts, where a speed is held to a bound at all. */
const ROUNDS = FULL ? 5 : 2;
/** What is aimed at, of the speed without rules; it is told, since a busy machine can miss it. */
const SHARE_TARGET = 0.6;
/** What is no longer noise, where a proof measures long enough. */
const SHARE_MIN = 0.4;

/** As many rules, of the kinds, as installations have: most look at a few fields and find little. */
const RULES = `
skip_records:
  artists: [{ field: profile, contains: "do not use this entry", reason: "junk" }]
  labels: [{ field: profile, contains: "do not use this entry", reason: "junk" }]
filters:
  releases:
    - { field: genres.genre, remove_matching: '^\\d+$', reason: "a number is no genre" }
    - { field: styles.style, remove_matching: '^\\d+$', reason: "a number is no style" }
    - { field: released, nullify_when: { type: range, below: 1860, above: 2099 }, reason: "no year" }
  masters:
    - { field: genres.genre, remove_matching: '^\\d+$', reason: "a number is no genre" }
    - { field: styles.style, remove_matching: '^\\d+$', reason: "a number is no style" }
    - { field: year, nullify_when: { type: range, below: -1, above: 2099 }, reason: "no year" }
rules:
  artists:
    - { name: name, field: name, condition: { type: required }, severity: error }
    - { name: name-length, field: name, condition: { type: length, min: 1, max: 500 }, severity: warning }
    - { name: name-markup, field: name, condition: { type: regex, pattern: '<[a-z]+>' }, severity: warning }
    - { name: quality, field: data_quality, condition: { type: length, max: 60 }, severity: info }
    - { name: urls, field: urls.url, condition: { type: length, max: 4000 }, severity: info }
    - { name: profile, field: profile, condition: { type: length, max: 200000 }, severity: info }
  labels:
    - { name: name, field: name, condition: { type: required }, severity: error }
    - { name: name-length, field: name, condition: { type: length, min: 1, max: 500 }, severity: warning }
    - { name: name-markup, field: name, condition: { type: regex, pattern: '<[a-z]+>' }, severity: warning }
    - { name: quality, field: data_quality, condition: { type: length, max: 60 }, severity: info }
    - { name: contact, field: contactinfo, condition: { type: length, max: 100000 }, severity: info }
    - { name: parent, field: parentLabel.#text, condition: { type: length, max: 500 }, severity: info }
  masters:
    - { name: title, field: title, condition: { type: required }, severity: error }
    - { name: title-length, field: title, condition: { type: length, max: 1000 }, severity: warning }
    - { name: artist, field: artists.artist.name, condition: { type: required }, severity: warning }
    - { name: year, field: year, condition: { type: range, min: 0, max: 2099 }, severity: warning }
    - { name: quality, field: data_quality, condition: { type: length, max: 60 }, severity: info }
  releases:
    - { name: title, field: title, condition: { type: required }, severity: error }
    - { name: title-length, field: title, condition: { type: length, max: 1000 }, severity: warning }
    - { name: artist, field: artists.artist.name, condition: { type: required }, severity: warning }
    - { name: country, field: country, condition: { type: length, max: 100 }, severity: info }
    - { name: label, field: labels.label.@name, condition: { type: length, max: 500 }, severity: info }
    - { name: catno, field: labels.label.@catno, condition: { type: regex, pattern: '<[a-z]+>' }, severity: info }
    - { name: format, field: formats.format.@name, condition: { type: length, max: 100 }, severity: info }
    - { name: track, field: tracklist.track.title, condition: { type: length, max: 5000 }, severity: info }
`;

let folder: Folder;
beforeAll(async () => {
  folder = await temporaryFolder();
  await makeDump(join(folder.path, "dump"), SIZES);
  await writeFile(join(folder.path, "rules.yaml"), RULES);
}, 120_000);
afterAll(() => folder[Symbol.asyncDispose]());

async function seconds(type: string, rules: readonly string[], round: string): Promise<number> {
  const args = [dumpPath(join(folder.path, "dump"), type as "releases"), "--contract", "fanout", "--sink", "null:", "--threads", "1", ...rules];
  const { report, code, stderr } = await extract(args, { cwd: folder.path });
  expect([round, code, code === 0 ? "" : stderr]).toEqual([round, 0, ""]);
  expect(report.types[type]?.read).toBe(SIZES[type as keyof typeof SIZES]);
  return report.types[type]?.seconds ?? 0;
}

test.each(TYPES)("%s: as many rules as installations have leave most of the speed", { timeout: timeoutMs(120_000, 600_000) }, async (type) => {
  let without = Number.POSITIVE_INFINITY;
  let withRules = Number.POSITIVE_INFINITY;
  for (let round = 1; round <= ROUNDS; round += 1) {
    without = Math.min(without, await seconds(type, [], `${type} ${round}`));
    withRules = Math.min(withRules, await seconds(type, ["--data-quality-rules", join(folder.path, "rules.yaml")], `${type} ${round} with rules`));
  }
  const share = without / withRules;
  figure(`rules, ${type}`, {
    secondsWithout: without,
    secondsWith: withRules,
    share: Number(share.toFixed(2)),
    target: SHARE_TARGET,
    isReached: share >= SHARE_TARGET,
  });
  if (FULL) expect(share).toBeGreaterThanOrEqual(SHARE_MIN);
});
