import { createReadStream } from "node:fs";
import { opendir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DataType, Flagged, FlaggedBytes, FlaggedFile } from "../model.ts";
import { diskError } from "./disk-errors.ts";
import { makeFolder } from "./folders.ts";
import { LineLog } from "./line-log.ts";
import { QualityCounts, type ReportedRule } from "./quality-report.ts";
import { osCode } from "./sink-errors.ts";

/** Files that are written side by side. */
const WRITES_AT_ONCE = 16;
/** Ids of skipped records that the log names for each reason; the report names them all. */
const LOGGED_IDS_MAX = 20;

const VIOLATIONS = "violations.jsonl";
const SKIPS = "skipped.jsonl";
const REPORT = "report.txt";

/** Where the flagged records of one target go. */
export interface FlaggedPlace {
  /** `<root>/flagged/<version>/<type>` */
  readonly folder: string;
  readonly version: string;
  readonly dataType: DataType;
  /** The rules that report values, in their order. */
  readonly rules: readonly ReportedRule[];
  /** `flaggedBytes` of the checkpoint, or null to start afresh. */
  readonly bytes: FlaggedBytes | null;
}

/** The end of a target's flagged records. */
export interface QualityReport {
  /** Whether rules have found nothing. */
  readonly isClean: boolean;
  /** The report in short, for the log. */
  readonly text: string;
}

/**
 * What data quality rules have found in one target: `violations.jsonl` and `skipped.jsonl`, the records themselves as `<id>.xml` and
 * `<id>.json`, and at the end `report.txt`. The lines are durable with a checkpoint, each of them once however often a run is resumed;
 * the files of records are written before and not synced.
 */
export class FlaggedLog implements AsyncDisposable {
  readonly #place: FlaggedPlace;
  readonly #violations: LineLog;
  readonly #skips: LineLog;
  readonly #counts: QualityCounts;

  private constructor(place: FlaggedPlace, violations: LineLog, skips: LineLog, counts: QualityCounts) {
    this.#place = place;
    this.#violations = violations;
    this.#skips = skips;
    this.#counts = counts;
  }

  /** Opens the logs behind the checkpoint, counting what lies before it; throws a `PositionLostError` if that is not there. Afresh, it removes what an earlier run left. */
  static async open(place: FlaggedPlace): Promise<FlaggedLog> {
    const { folder, rules, bytes } = place;
    if (bytes === null) await clear(folder);
    const counts = new QualityCounts(rules);
    const violations = await LineLog.open(join(folder, VIOLATIONS), bytes?.violations ?? 0);
    try {
      const skips = await LineLog.open(join(folder, SKIPS), bytes?.skips ?? 0);
      const log = new FlaggedLog(place, violations, skips, counts);
      if (violations.bytes > 0) for await (const line of linesOf(violations.path)) counts.addViolation(line);
      if (skips.bytes > 0) for await (const line of linesOf(skips.path)) counts.addSkip(line);
      return log;
    } catch (error) {
      await violations[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Keeps what rules have found, in order; not to be called again before it is settled. */
  async append(flagged: Flagged): Promise<void> {
    await this.#write(flagged.files);
    await this.#violations.append(flagged.violations);
    await this.#skips.append(flagged.skips);
    this.#counts.add(flagged);
  }

  /** Makes the lines durable that were accepted when it was called, and gives their lengths for the checkpoint. */
  async sync(): Promise<FlaggedBytes> {
    const [violations, skips] = await Promise.all([this.#violations.sync(), this.#skips.sync()]);
    return { violations, skips };
  }

  /** The target is complete, with so many records: makes everything durable and writes the report. */
  async finish(records: number): Promise<QualityReport> {
    const { folder, version, dataType } = this.#place;
    await this.#violations.finish();
    await this.#skips.finish();
    await makeFolder(folder);
    await write(join(folder, REPORT), this.#counts.render(version, dataType, records));
    return { isClean: this.#counts.isClean, text: this.#counts.render(version, dataType, records, LOGGED_IDS_MAX).trimEnd() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#violations[Symbol.asyncDispose]();
    await this.#skips[Symbol.asyncDispose]();
  }

  async #write(files: readonly FlaggedFile[]): Promise<void> {
    if (files.length === 0) return;
    const { folder } = this.#place;
    await makeFolder(folder);
    // The last record of a name stands, as if they came one after the other.
    const last = [...new Map(files.map((file) => [file.name, file])).values()];
    const pending = last.flatMap(({ name, xml, json }) => [[`${name}.xml`, xml] as const, [`${name}.json`, json] as const]);
    const lane = async () => {
      for (let next = pending.pop(); next !== undefined; next = pending.pop()) await write(join(folder, next[0]), next[1]);
    };
    await Promise.all(Array.from({ length: WRITES_AT_ONCE }, lane));
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw diskError(path, error);
  }
}

/** Removes what an earlier run has left of these files, and nothing else. */
async function clear(folder: string): Promise<void> {
  try {
    for await (const { name } of await opendir(folder)) {
      if ([VIOLATIONS, SKIPS, REPORT].includes(name) || /\.(xml|json)$/.test(name)) await unlink(join(folder, name));
    }
  } catch (error) {
    if (osCode(error) !== "ENOENT") throw diskError(folder, error);
  }
}

/** The lines of a log; a line may hold what others take for a line end too. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf("\n"); end !== -1; end = bytes.indexOf("\n", start)) {
      yield bytes.toString("utf8", start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
}
