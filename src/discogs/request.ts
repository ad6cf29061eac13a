import type { BrakeLimits } from "../change/brake.ts";
import type { FoundChanges } from "../change/pointer.ts";
import type { RulesFile } from "../config/rules-file.ts";
import type { Backend, Contract, DataType, VerifyMode } from "../model.ts";
import type { PostgresConfig } from "../postgres/config.ts";
import type { InputFile } from "../source/inputs.ts";

/** What a hostile or broken dump may cost. */
export interface ExtractLimits {
  readonly recordBytesMax: number;
  readonly depthMax: number;
  readonly attributesMax: number;
  readonly nameBytesMax: number;
  /** Malformed records of one file; one more fails it. */
  readonly rejectsMax: number;
  readonly rejectRawBytesMax: number;
  readonly inflatedBytesMax: number;
  /** Inflated bytes per compressed byte. */
  readonly inflateRatioMax: number;
}

/** Data quality rules of a run. */
export interface RulesRequest extends RulesFile {
  /** What they find goes to `flagged/<version>/<type>` below. */
  readonly flaggedRoot: string;
}

/** Where what is known of a sink is kept. */
export interface IndexPlace {
  /** Folder of the state, in which the record index is kept. */
  readonly indexRoot: string;
  /** The sinks that it knows, by one name. */
  readonly sinkName: string;
  /** The database that has the last word on it; null: the folder has. */
  readonly database: PostgresConfig | null;
  /** Runs of which a database keeps the changelog. */
  readonly changelogRuns: number;
}

/** What a run that looks for changes needs to know. */
export interface IncrementalRequest extends BrakeLimits, IndexPlace {
  /** Changed records that a sink gets together. */
  readonly batchRecords: number;
  /** Updates beyond this share of the known records are warned of. */
  readonly warnUpdateShare: number;
  /** Read, compare and report; nothing is delivered or kept. */
  readonly dryRun: boolean;
}

/** Everything one run needs to know, resolved: nothing in it has a default any more. */
export interface ExtractRequest {
  readonly version: string;
  readonly inputs: readonly InputFile[];
  readonly contract: Contract;
  /** Null: every record is delivered. */
  readonly incremental: IncrementalRequest | null;
  /** Where every record is delivered: the record index that has to know of it, if there is one; null: there can be none. */
  readonly kept: IndexPlace | null;
  /** Null: records are taken as they are. Only the fanout contract has rules. */
  readonly rules: RulesRequest | null;
  /** Every record goes into each of them. */
  readonly sinkUrls: readonly string[];
  /** Folder of the state marker, or null if this run keeps no state. */
  readonly stateRoot: string | null;
  /** The download phase was told to the state by whoever fetched the files. */
  readonly fetched: boolean;
  /** Start afresh whatever the state marker says. */
  readonly force: boolean;
  /** Stop each file after so many records. */
  readonly limit: number | null;
  readonly verify: VerifyMode;
  /** Threads of the pool. */
  readonly threads: number;
  readonly filesAtOnce: number;
  readonly chunkBytes: number;
  readonly backend: Backend;
  readonly checkpointRecords: number;
  readonly checkpointMs: number;
  readonly limits: ExtractLimits;
}

/** What changes were found among the ids of one file, deletions that the sinks were told of among them; only in incremental mode. */
export interface ChangeReport extends FoundChanges {
  /** Records that are gone and whose deletion is held back. */
  readonly pending: number;
}

/**
 * What became of one file. Conservation: `read` = `written` + `rejected` + `empty` + `skipped`, in incremental mode of what was changed; then
 * `read` = `created` + `updated` + `unchanged` + `repeated` + `rejected` + `empty` + `skipped` too.
 */
export interface TypeReport extends Partial<ChangeReport> {
  readonly read: number;
  readonly written: number;
  readonly rejected: number;
  readonly empty: number;
  /** Records that data quality rules kept back; only in a run with rules. */
  readonly skipped?: number;
  /** Bytes of XML that this run parsed. */
  readonly xmlBytes: number;
  /** Bytes that this run inflated, those before the point of resuming included. */
  readonly inflatedBytes: number;
  readonly seconds: number;
  readonly threads: number;
  /** Order-free digest of what was written, 64 hex digits. */
  readonly digest: string;
  readonly resumedFrom: { readonly ordinal: number; readonly offset: number } | null;
}

/** What became of a run: the object that `--output json` ends with. */
export interface ExtractReport {
  readonly version: string;
  readonly contract: Contract;
  /** Every file was read to its sound end and delivered. */
  readonly complete: boolean;
  readonly types: Readonly<Partial<Record<DataType, TypeReport>>>;
  /** Only in incremental mode. */
  readonly mode?: "incremental";
}
