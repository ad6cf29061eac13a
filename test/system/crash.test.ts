import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/model.ts";
import { killRun, type Victim } from "./support/crash.ts";
import { extract, type Report, type TypeReport } from "./support/deadwax.ts";
import "./support/slow.ts";
import { breakEvery, dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { assertSound, fileState } from "./support/marker.ts";
import { filesIn, fingerprint } from "./support/output.ts";
import { seeded } from "./support/random.ts";
import { cases, FULL, figure, timeoutMs } from "./support/scale.ts";

/** 550 MB of XML in a proof, with the default interval; 60 MB otherwise, with a shorter one so that there are as many checkpoints. */
const RELEASES = FULL ? 140_000 : 15_000;
const INTERVAL = FULL ? 5_000 : 600;
const CHUNK_BYTES = FULL ? 2 * 1024 * 1024 : 256 * 1024;
/** A piece closes behind the record that fills it, so each half of an interval is rounded up by at most one; one more is being made ready. */
const PIECES_OVER = 3;
/** What the reader holds of the compressed file beyond the pieces. */
const READ_AHEAD_BYTES = 1024 * 1024;
const PIECES_IN_FLIGHT = 4;

const random = seeded("crash");
let folder: Folder;

beforeAll(async () => {
  folder = await temporaryFolder();
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

interface Variant {
  readonly name: string;
  readonly compress: "" | "?compress=gzip";
  readonly broken: boolean;
  readonly kills: number;
}

const VARIANTS: readonly Variant[] = [
  { name: "plain", compress: "", broken: false, kills: cases(6, 50) },
  { name: "gzip", compress: "?compress=gzip", broken: false, kills: cases(6, 50) },
  { name: "with rejects", compress: "", broken: true, kills: cases(4, 20) },
];

describe.each(VARIANTS)("killed at random moments: $name", ({ name, compress, broken, kills }) => {
  test(`${kills} kills: the output is that of an undisturbed run`, { timeout: timeoutMs(120_000, 1_800_000) }, async () => {
    const dump = join(folder.path, name);
    const manifest = await makeDump(dump, { releases: RELEASES, seed: random.seed });
    const brokenRecords = broken ? await breakEvery(Math.ceil(RELEASES / 90), dump) : 0;
    const { file, xmlBytes, gzBytes } = manifest.types.releases;
    const output = `releases.ndjson${compress === "" ? "" : ".gz"}`;
    const place = (run: string): Victim & { sink: string } => {
      const out = join(folder.path, `${name}-${run}`, "out");
      const state = join(folder.path, `${name}-${run}`, "state");
      const options = ["--checkpoint-records", String(INTERVAL), "--chunk", String(CHUNK_BYTES)];
      const sink = `file:${out}${compress}`;
      return {
        args: [dumpPath(dump, "releases"), "--sink", sink, "--state", state, ...options],
        state,
        out,
        file,
        output,
        records: RELEASES,
        interval: INTERVAL,
        sink,
      };
    };

    const undisturbed = place("undisturbed");
    const { report: reference, code } = await extract(undisturbed.args);
    expect(code).toBe(broken ? 3 : 0);
    expect(typeOf(reference)).toMatchObject({ read: RELEASES, rejected: brokenRecords, written: RELEASES - brokenRecords, resumedFrom: null });
    const names = await filesIn(undisturbed.out);
    const prints = await fingerprints(undisturbed.out, names);

    const victim = place("killed");
    const worst = { beforeRecord: 0, recordsLost: 0, compressedBeyond: 0 };
    let killed = 0;
    let early = 0;
    let attempts = 0;
    while (killed < kills && attempts++ < 10 * kills) {
      await rm(join(victim.out, ".."), { recursive: true, force: true });
      await mkdir(victim.state, { recursive: true });
      let from: Checkpoint | null = null;
      let done = false;
      do {
        const kill = await killRun(victim, from, random);
        if (kill === null) {
          done = true;
          break;
        }
        if (kill.checkpoint === null) early += 1;
        else {
          killed += 1;
          worst.compressedBeyond = Math.max(worst.compressedBeyond, kill.compressedBeyond);
          if (compress === "") worst.recordsLost = Math.max(worst.recordsLost, await linesBeyond(victim, kill.checkpoint));
        }
        from = kill.checkpoint;
      } while (killed < kills && random.chance(0.5));
      if (!done) {
        const { report, code } = await extract(victim.args);
        const type = typeOf(report);
        expect(code).toBe(broken ? 3 : 0);
        expect(type.resumedFrom).toEqual(from === null ? null : { ordinal: from.ordinal, offset: from.resume.recordOffset });
        expect({ ...type, ...VARYING }).toEqual({ ...typeOf(reference), ...VARYING });
        worst.beforeRecord = Math.max(worst.beforeRecord, type.inflatedBytes - (typeOf(reference).inflatedBytes - (from?.resume.recordOffset ?? 0)));
      }
      await assertSound(victim.state);
      expect((await fileState(victim.state, file))?.status).toBe("completed");
      expect(await filesIn(victim.out)).toEqual(names); // no .partial among them
      expect(await fingerprints(victim.out, names)).toEqual(prints);
    }
    expect(killed).toBe(kills);

    const recordBytes = xmlBytes / RELEASES;
    const again = worst.compressedBeyond * (xmlBytes / gzBytes);
    const bound = INTERVAL * recordBytes + PIECES_OVER * CHUNK_BYTES;
    figure(`crash ${name}`, {
      seed: random.seed,
      kills: killed,
      killsBeforeCheckpoint: early,
      xmlBytes,
      intervalBytes: Math.round(INTERVAL * recordBytes),
      boundBytes: Math.round(bound),
      worstInflatedBeforeRecordBytes: worst.beforeRecord,
      worstRecordsWrittenAgain: worst.recordsLost,
      worstReadAgainBytes: Math.round(again),
    });
    // What resuming inflates in front of its record: from the last deflate block on, not from the beginning.
    expect(worst.beforeRecord).toBeLessThanOrEqual(2 * CHUNK_BYTES);
    // What was written and is written again, and what was read and is read again, pieces that waited for their turn included: never more
    // than an interval, since what comes due while a checkpoint is being saved waits for it.
    expect(worst.recordsLost * recordBytes).toBeLessThanOrEqual(bound);
    expect(again).toBeLessThanOrEqual(bound + PIECES_IN_FLIGHT * CHUNK_BYTES + READ_AHEAD_BYTES * (xmlBytes / gzBytes));
  });
});

/** What differs from run to run. */
const VARYING = { seconds: 0, xmlBytes: 0, inflatedBytes: 0, resumedFrom: null };

function typeOf(report: Report): TypeReport {
  const type = report.types["releases"];
  if (type === undefined) throw new Error("the report has no releases");
  return type;
}

async function fingerprints(folder: string, names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map((name) => fingerprint(join(folder, name))));
}

/** Records in the output behind a checkpoint; it has its final name already if the run was killed before that was recorded. */
async function linesBeyond({ out, output }: Victim, checkpoint: Checkpoint): Promise<number> {
  const path = join(out, VERSION, output);
  const bytes = await readFile(`${path}.partial`).catch(() => readFile(path));
  let lines = 0;
  for (let at = Number(checkpoint.sink["bytes"]); at < bytes.length; at += 1) if (bytes[at] === 10) lines += 1;
  return lines;
}
