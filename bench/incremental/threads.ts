/**
 * What a second thread brings. One file does not go faster, since inflating is serial: so it is two files of a version, of the same number of
 * bytes, found at once on two threads and one behind the other on one.
 */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { runTimed } from "../src/timed-process.ts";

const TYPES = ["artists", "labels"] as const;
const SAMPLE_RECORDS = 2000;
const [MONTH, NEXT] = ["20260801", "20260901"];
const NONE = Object.fromEntries(["artists", "labels", "masters", "releases"].map((type) => [type, 0]));

interface Found {
  readonly digest: string;
  readonly read: number;
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
}
type Report = Readonly<Record<(typeof TYPES)[number], Found>>;

/** Two files, and a state that knows the month before. */
export class TwoFiles {
  readonly #cli: string;
  readonly #folder: string;
  /** Files that hold next to nothing, for what a start costs. */
  readonly #tiny: string;
  #runs = 0;

  private constructor(cli: string, folder: string) {
    this.#cli = cli;
    this.#folder = folder;
    this.#tiny = join(folder, "tiny");
  }

  /** Writes a month of about so many bytes of XML a file, the month after, of which 1 % is updated, and the state between them. */
  static async make(cli: string, folder: string, xmlBytes: number): Promise<TwoFiles> {
    const files = new TwoFiles(cli, folder);
    mkdirSync(folder);
    const sample = await files.#generate(join(folder, "sample"), { artists: SAMPLE_RECORDS, labels: SAMPLE_RECORDS });
    const counts = TYPES.map((type) => [type, Math.ceil((xmlBytes / (sample[type] ?? Number.NaN)) * SAMPLE_RECORDS)]);
    await files.#generate(folder, Object.fromEntries(counts));
    await files.#generate(files.#tiny, { artists: 1, labels: 1 });
    for (const at of [folder, files.#tiny]) {
      await runTimed([process.execPath, cli, "generate", "--out", at, "--evolve", at, "--changes", "updated=1%", "--version", NEXT]);
      await files.#extract(at, MONTH, "2", join(at, "known"));
    }
    return files;
  }

  /** How many times as fast the month is found on two threads; throws unless both find the same. */
  async ratio(): Promise<number> {
    const [one, two] = [await this.#timed("1"), await this.#timed("2")];
    for (const type of TYPES) {
      const [a, b] = [one.types[type], two.types[type]];
      if (a.updated === 0 || a.unchanged === 0) throw new Error(`${type}: there was nothing to find`);
      for (const what of ["digest", "read", "created", "updated", "deleted", "unchanged"] as const)
        if (a[what] !== b[what]) throw new Error(`${type}: ${what} is ${a[what]} on one thread and ${b[what]} on two`);
    }
    return one.seconds / two.seconds;
  }

  /** By the clock, without what the start takes. */
  async #timed(threads: string): Promise<{ seconds: number; types: Report }> {
    const start = await this.#extract(this.#tiny, NEXT, threads, this.#copied(this.#tiny));
    const { seconds, types } = await this.#extract(this.#folder, NEXT, threads, this.#copied(this.#folder));
    return { seconds: seconds - start.seconds, types };
  }

  /** The state behind the first month, again. */
  #copied(folder: string): string {
    this.#runs += 1;
    const state = join(folder, `state-${this.#runs}`);
    cpSync(join(folder, "known"), state, { recursive: true });
    return state;
  }

  async #extract(folder: string, version: string, threads: string, state: string): Promise<{ seconds: number; types: Report }> {
    const files = TYPES.map((type) => join(folder, `discogs_${version}_${type}.xml.gz`));
    const how = ["--mode", "incremental", "--sink", `file:${join(folder, "out")}`, "--state", state, "--threads", threads, "--output", "json"];
    const { stdout, wallSeconds } = await runTimed([process.execPath, this.#cli, "extract", ...files, ...how]);
    return { seconds: wallSeconds, types: (JSON.parse(stdout) as { types: Report }).types };
  }

  /** Bytes of XML by data type. */
  async #generate(out: string, counts: Readonly<Record<string, number>>): Promise<Record<string, number>> {
    const options = Object.entries({ ...NONE, ...counts }).flatMap(([type, count]) => [`--${type}`, String(count)]);
    const { stdout } = await runTimed([process.execPath, this.#cli, "generate", "--out", out, ...options, "--version", MONTH, "--output", "json"]);
    const { types } = JSON.parse(stdout) as { types: Record<string, { xmlBytes: number }> };
    return Object.fromEntries(TYPES.map((type) => [type, types[type]?.xmlBytes ?? 0]));
  }
}
