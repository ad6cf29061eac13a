import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readRulesFile } from "../../dist/config/rules-file.js";
import { type Flags, resolveExtractConfig } from "../../dist/config.js";
import { extract } from "../../dist/discogs/extract.js";
import { findDumps, toRequest } from "../../dist/discogs/plan.js";
import type { TypeReport } from "../../dist/discogs/request.js";
import type { Metrics } from "../../dist/telemetry/metrics.js";
import { Telemetry } from "../../dist/telemetry.js";
import { evolve, generate, sha256 } from "../../native/index.js";
import type { Contract, DataType } from "../../src/model.ts";
import { dumpPath, temporaryFolder } from "../system/support/dumps.ts";
import { filesIn } from "../system/support/output.ts";
import { type ChangeStream, idOf, lastOf, type Records } from "./oracle.ts";

/** Versions in their order. */
export const [A, B, C] = ["20260801", "20260901", "20261001"] as const;

/** Names its holder; nothing of a run depends on it. */
const LOCK = ".deadwax.lock";

/** A run that has come to an end. */
export interface Done {
  readonly reports: Readonly<Partial<Record<DataType, TypeReport>>>;
  readonly complete: boolean;
  readonly warnings: readonly string[];
}

export interface How {
  readonly contract?: Contract;
  readonly version: string;
  readonly types?: readonly DataType[];
  readonly flags?: Flags;
  /** Another folder with dumps than that of all months. */
  readonly from?: string;
  /** Count what a service would. */
  readonly metrics?: Metrics;
}

/** A version as full mode delivers it. */
export interface FullVersion {
  readonly bodies: readonly string[];
  readonly last: Records;
  /** Ids that come more than once. */
  readonly repeated: ReadonlySet<string>;
}

/** Dumps of several months, and places to extract them into; runs go on in this process. */
export class Scene implements AsyncDisposable {
  readonly path: string;
  readonly types: readonly DataType[];
  readonly #folder: AsyncDisposable;
  /** Places of full extractions. */
  readonly #full = new Map<string, Promise<string>>();

  private constructor(path: string, types: readonly DataType[], folder: AsyncDisposable) {
    this.path = path;
    this.types = types;
    this.#folder = folder;
  }

  /** Writes month A with so many records of each data type; those with none are left out of all runs. */
  static async create(sizes: Partial<Record<DataType, number>>, seed: number): Promise<Scene> {
    const folder = await temporaryFolder();
    const types = (["artists", "labels", "masters", "releases"] as const).filter((type) => (sizes[type] ?? 0) > 0);
    const all = { artists: 0, labels: 0, masters: 0, releases: 0, ...sizes };
    const out = join(folder.path, "months");
    await generate({ ...all, seed, out, version: A, form: "2026", threads: 2 });
    return new Scene(folder.path, types, folder);
  }

  /** Without any month yet. */
  static async empty(types: readonly DataType[]): Promise<Scene> {
    const folder = await temporaryFolder();
    await mkdir(join(folder.path, "months"));
    return new Scene(folder.path, types, folder);
  }

  /** The folder of all months, or a part of the scene's. */
  place(name = "months"): string {
    return join(this.path, name);
  }

  /** Writes the month after another one, into a folder of its own if that is named. */
  async next(
    version: string,
    changes: string,
    { from = this.place(), out = this.place(), seed = 1, returnedFrom }: { from?: string; out?: string; seed?: number; returnedFrom?: string } = {},
  ): Promise<void> {
    await evolve({ from, changes, out, version, seed, threads: 2, ...(returnedFrom === undefined ? {} : { returnedFrom }) });
  }

  /** An incremental run into the files of `name`, which has a state of its own. */
  async run(name: string, how: How): Promise<Done> {
    const { version, contract = "topic", flags = {}, types = this.types, from = this.place() } = how;
    const sink = `file:${join(this.place(name), "out")}`;
    const own: Flags = { mode: "incremental", sink, state: join(this.place(name), "state"), contract, threads: "2", ...flags };
    const config = resolveExtractConfig({ files: types.map((type) => dumpPath(from, type, version)), flags: own, env: {} });
    const rules = config.dataQualityRules === null ? null : await readRulesFile(config.dataQualityRules);
    const request = toRequest(config, await findDumps(config), rules);
    const warnings: string[] = [];
    const output = { write: (line: string) => warnings.push(...warningOf(line)) };
    using telemetry = new Telemetry({ level: "warn", format: "json", output, bar: false, ...(how.metrics === undefined ? {} : { metrics: how.metrics }) });
    const { signal } = new AbortController();
    const { types: reports, complete } = await extract(request, { stopping: signal, signal, telemetry });
    return { reports, complete, warnings };
  }

  /** The records of a version by a full extraction in normal mode, made once. */
  async full(
    type: DataType,
    version: string,
    { contract = "topic", flags = {}, from = this.place() }: Partial<Omit<How, "version">> = {},
  ): Promise<FullVersion> {
    const key = JSON.stringify([version, contract, flags, from]);
    const name = this.#full.get(key) ?? this.#extractFull({ version, contract, flags, from }, `full-${this.#full.size}`);
    this.#full.set(key, name);
    const bodies = await this.lines(await name, `${version}/${type}.ndjson`);
    const seen = new Set<string>();
    const repeated = new Set(bodies.map(idOf).filter((id) => seen.size === seen.add(id).size));
    return { bodies, last: lastOf(bodies), repeated };
  }

  async #extractFull(how: How, name: string): Promise<string> {
    await this.run(name, { ...how, flags: { ...how.flags, mode: "normal" } });
    return name;
  }

  /** What the files of a run's place say of a version's changes by now. */
  async stream(name: string, type: DataType, version: string): Promise<ChangeStream> {
    const [records, deleted] = await Promise.all(["", ".deleted"].map((part) => this.lines(name, `${version}/${type}${part}.ndjson`)));
    return { records: records ?? [], deleted: deleted ?? [] };
  }

  /** Lines of an output file; none where it is not there. */
  async lines(name: string, file: string): Promise<string[]> {
    const text = await readFile(join(this.place(name), "out", file), "utf8").catch(() => "");
    return text.split("\n").slice(0, -1);
  }

  /** A hash of every file below a place but for its lock, by path. */
  async hashes(name: string): Promise<Record<string, string>> {
    const names = (await filesIn(this.place(name))).filter((file) => !file.endsWith(LOCK));
    return Object.fromEntries(await Promise.all(names.map(async (file) => [file, sha256(await readFile(join(this.place(name), file)))])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

function warningOf(line: string): string[] {
  const { level, message } = JSON.parse(line) as { level: string; message: string };
  return level === "warn" ? [message] : [];
}
