import { dirname, resolve } from "node:path";
import { type Config, type Flags, resolveConfig } from "../config.ts";
import { DumpError } from "../errors.ts";
import { type Contract, type DataType, type RejectedRecord, sameIdentity } from "../model.ts";
import { type LookedUp, lookUpRecords } from "../parse/look-up.ts";
import { findDump } from "../source/find-dump.ts";
import { identify } from "../source/identity.ts";
import { AccessDamaged, type AccessIndex } from "../state/access/access-index.ts";
import { candidates } from "../state/access/span.ts";
import type { LookEvents } from "../telemetry/look-events.ts";
import { silentTelemetry } from "../telemetry.ts";
import { type AccessRequest, openAccess } from "./access.ts";
import { type DumpRecord, parseRecord } from "./dump-record.ts";
import { sourceOptions } from "./extract-file.ts";
import { mapBounded } from "./map-bounded.ts";
import { toLimits } from "./plan.ts";

/** Spans that are read at once; Node has four threads for all that waits. */
const SPANS_AT_ONCE = 3;

/** How a dump is opened; what is left out has the command line's default. Environment variables play no part. */
export interface OpenDumpOptions {
  /** Needed for a folder, and where the file's name does not tell. */
  readonly type?: DataType;
  /** Of a folder: the version; default: the newest. */
  readonly version?: string;
  readonly contract?: Contract;
  /** Folder below which the access index is kept; default: that of the dump. */
  readonly state?: string;
  /** Worker threads that build the access index; default: the CPU count. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** A record as the dump holds it. */
export interface RecordInDump {
  readonly id: string;
  /** Byte offset of its `<` in the inflated XML. */
  readonly offset: number;
  /** How often the dump has a record of this id; this is the last one, which is what consumers end up with. */
  readonly occurrences: number;
  /** The exact bytes of its message body; null if a data quality rule keeps it back. */
  readonly body: Uint8Array | null;
  /** Its raw XML. */
  readonly xml: Uint8Array;
  /** The body, parsed; throws if there is none. */
  parse(): DumpRecord;
}

/** What became of ids that were looked for. */
export interface Findings {
  readonly records: ReadonlyMap<string, RecordInDump>;
  /** Malformed records by their ids, which no message is made of. */
  readonly rejects: ReadonlyMap<string, RejectedRecord>;
}

/** What opening a dump takes, resolved. */
interface Opening {
  readonly access: AccessRequest;
  readonly version: string;
  readonly contract: Contract;
  /** Handle of compiled data quality rules. */
  readonly rules: number | null;
}

/**
 * Opens a dump file, or the dump of a data type in a folder, to look at single records. The first time on a file its access index is
 * built: the file is read once. From then on a record costs the reading of a few megabytes.
 */
export async function openDump(path: string, options: OpenDumpOptions = {}): Promise<Dump> {
  const { type, version, contract, state, threads, signal } = options;
  const given = { contract, state, threads };
  const flags = Object.fromEntries(Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]))) as Flags;
  const config = resolveConfig({ flags, env: {} });
  const what = { place: path, type: type ?? null, version: version ?? null };
  return await openDumpOf(config, what, { rules: null, events: silentTelemetry().look, signal: signal ?? new AbortController().signal });
}

/** {@link openDump} with resolved settings. */
export async function openDumpOf(
  config: Config,
  { place, type, version }: { readonly place: string; readonly type: DataType | null; readonly version: string | null },
  { rules, events, signal }: { readonly rules: number | null; readonly events: LookEvents; readonly signal: AbortSignal },
): Promise<Dump> {
  const found = await findDump(place, type, version);
  const source = sourceOptions({
    ...{ contract: config.contract, backend: config.inflate, limits: { ...toLimits(config), rejectRawBytesMax: 0 } },
    ...{ checkpointRecords: 0, checkpointMs: 0, stateRoot: null },
  });
  const stateRoot = config.state ?? dirname(resolve(found.path));
  const access = { ...found, stateRoot, source, threads: config.threads, events, signal };
  return await Dump.open({ access, version: found.version, contract: config.contract, rules });
}

/** An open dump: gives single records. Holds the access index open until it is disposed of. */
export class Dump implements AsyncDisposable {
  readonly path: string;
  readonly version: string;
  readonly dataType: DataType;
  readonly contract: Contract;
  readonly #opening: Opening;
  #index: AccessIndex;

  private constructor(opening: Opening, index: AccessIndex) {
    this.path = opening.access.path;
    this.version = opening.version;
    this.dataType = opening.access.dataType;
    this.contract = opening.contract;
    this.#opening = opening;
    this.#index = index;
  }

  /** @internal */
  static async open(opening: Opening): Promise<Dump> {
    return new Dump(opening, await openAccess(opening.access));
  }

  /** The record of an id, the last one if there are several; null if there is none. */
  async getRecord(id: string): Promise<RecordInDump | null> {
    return (await this.find([id])).records.get(id) ?? null;
  }

  /** The records of several ids, by their ids; those that are not there are left out. Parts of the dump that hold several are read once. */
  async getRecords(ids: Iterable<string>): Promise<ReadonlyMap<string, RecordInDump>> {
    return (await this.find(ids)).records;
  }

  /** Looks for ids, among the malformed records too. */
  async find(ids: Iterable<string>): Promise<Findings> {
    const all = [...ids];
    try {
      return await this.#find(all);
    } catch (error) {
      if (!(error instanceof AccessDamaged)) throw error;
      const index = await openAccess(this.#opening.access, error.message);
      await this.#index[Symbol.asyncDispose]();
      this.#index = index;
      return await this.#find(all);
    }
  }

  async #find(ids: readonly string[]): Promise<Findings> {
    const { spans } = this.#index;
    const answers: LookedUp[] = [];
    await mapBounded([...candidates(spans, ids)], SPANS_AT_ONCE, async ([index, here]) => {
      answers[index] = await this.#look(index, here);
    });
    const records = new Map<string, RecordInDump>();
    const rejects = new Map<string, RejectedRecord>();
    // By span, which is file order: the last of an id stays.
    for (const answer of answers) {
      for (const { id, offset, xml, body = null } of answer?.records ?? []) {
        const parse = () => {
          if (body === null) throw new DumpError("RECORD_NOT_FOUND", `${this.path}: a data quality rule keeps ${id} back; there is no message of it`);
          return parseRecord(body);
        };
        records.set(id, { id, offset, xml, body, occurrences: (records.get(id)?.occurrences ?? 0) + 1, parse });
      }
      for (const reject of answer?.rejects ?? []) if (reject.id !== null) rejects.set(reject.id, reject);
    }
    return { records, rejects };
  }

  /** Reads one span. */
  async #look(index: number, ids: readonly string[]): Promise<LookedUp> {
    const { access, rules } = this.#opening;
    const { name, path, dataType, source, signal } = access;
    signal.throwIfAborted();
    const resume = await this.#index.resumeAt(index);
    const to = this.#index.spans[index + 1]?.offset ?? Number.POSITIVE_INFINITY;
    const answer = await lookUpRecords(name, { ...source, path, dataType, ids, resume, to, rules }).catch(async (error: unknown) => {
      // In another file the points lead anywhere.
      if (sameIdentity(await identify(path), this.#index.facts.identity)) throw error;
      return null;
    });
    if (answer !== null && sameIdentity(answer.identity, this.#index.facts.identity)) return answer;
    throw new DumpError("SOURCE_CHANGED", `${path}: is another file than when it was opened; open it again`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#index[Symbol.asyncDispose]();
  }
}
