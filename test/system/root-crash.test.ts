import { mkdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DATA_TYPES } from "../../src/model.ts";
import { extract, Running } from "./support/deadwax.ts";
import "./support/slow.ts";
import { type Folder, type Manifest, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { assertSound, readMarker, untilSaved } from "./support/marker.ts";
import { filesIn, fingerprint } from "./support/output.ts";
import { seeded } from "./support/random.ts";
import { cases, FULL, figure, timeoutMs } from "./support/scale.ts";

const SCALE = FULL ? 8 : 1;
const KILLS = cases(3, 15);
const SAVES_OF_A_RUN = 40;
/** A file that was written again would get a newer time than this. */
const LONG_AGO = new Date("2020-01-01T00:00:00Z");

const random = seeded("root-crash");
let folder: Folder;
let manifest: Manifest;

beforeAll(async () => {
  folder = await temporaryFolder();
  manifest = await makeDump(join(folder.path, "dump"), {
    releases: 8_000 * SCALE,
    artists: 30_000 * SCALE,
    masters: 10_000 * SCALE,
    labels: 30_000 * SCALE,
    seed: random.seed,
  });
}, 120_000);
afterAll(() => folder[Symbol.asyncDispose]());

test(`all four types in parallel, killed ${KILLS} times: nothing is lost and what is done is left alone`, { timeout: timeoutMs(90_000, 600_000) }, async () => {
  const args = (name: string) => [
    "--root",
    join(folder.path, "dump"),
    "--sink",
    `file:${join(folder.path, name)}`,
    "--state",
    join(folder.path, `${name}-state`),
    "--checkpoint-records",
    "2000",
  ];
  const { report: reference } = await extract(args("undisturbed"));
  expect(reference.complete).toBe(true);
  for (const type of DATA_TYPES) expect(reference.types[type]).toMatchObject({ read: manifest.types[type].records, written: manifest.types[type].records });
  const names = DATA_TYPES.map((type) => `${VERSION}/${type}.ndjson`);
  expect(await filesIn(join(folder.path, "undisturbed"))).toEqual(names);

  let killed = 0;
  let doneWhenKilled = 0;
  for (let round = 0; killed < KILLS && round < 10 * KILLS; round += 1) {
    const name = `killed-${round}`;
    const state = join(folder.path, `${name}-state`);
    const out = join(folder.path, name);
    await mkdir(state);
    const running = new Running(["extract", ...args(name), "-q"]);
    await untilSaved(running, state, random.between(8, SAVES_OF_A_RUN));
    running.kill("SIGKILL");
    if ((await running.ended).signal !== "SIGKILL") continue;
    killed += 1;
    await assertSound(state);
    const done = await doneFiles(state);
    doneWhenKilled += done.length;
    for (const type of done) await utimes(join(out, VERSION, `${type}.ndjson`), LONG_AGO, LONG_AGO);

    const { report, code, stderr } = await extract(args(name));
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(report.complete).toBe(true);
    for (const type of DATA_TYPES) {
      const { read, written, digest } = reference.types[type] ?? {};
      expect(report.types[type]).toMatchObject({ read, written, digest });
      const isOld = (await stat(join(out, VERSION, `${type}.ndjson`))).mtime.getTime() === LONG_AGO.getTime();
      expect({ type, isOld }).toEqual({ type, isOld: done.includes(type) });
      expect(await fingerprint(join(out, VERSION, `${type}.ndjson`))).toBe(await fingerprint(join(folder.path, "undisturbed", VERSION, `${type}.ndjson`)));
    }
    expect(await filesIn(out)).toEqual(names);
  }
  expect(killed).toBe(KILLS);
  figure("crash of all four types", { seed: random.seed, kills: killed, filesDoneWhenKilled: doneWhenKilled });
});

/** Data types that are already completed according to the state marker. */
async function doneFiles(state: string): Promise<string[]> {
  const { summary } = await readMarker(state);
  return DATA_TYPES.filter((type) => summary.files_by_type[type] === "completed");
}
