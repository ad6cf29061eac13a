import { dirname, resolve } from "node:path";
import type { RulesFile } from "../config/rules-file.ts";
import type { ServeConfig } from "../config/serve.ts";
import type { Config } from "../config.ts";
import { DumpError } from "../errors.ts";
import { parsePostgresUrl } from "../postgres/config.ts";
import { openSinks } from "../sink/index.ts";
import { describeFiles, findInputs, type Inputs, readStdin } from "../source/inputs.ts";
import type { ExtractLimits, ExtractRequest, IncrementalRequest, IndexPlace } from "./request.ts";

/** Finds the dumps that the settings name. */
export function findDumps({ files, root, type }: Config): Promise<Inputs> | Inputs {
  if (files[0] === "-") return readStdin(type);
  return files.length > 0 || root === null ? describeFiles(files, type) : findInputs(root, type);
}

/** The request of one run, from its settings, the dumps they lead to and the data quality rules they name. */
export function toRequest(config: Config, { version, inputs }: Inputs, rules: RulesFile | null = null): ExtractRequest {
  const stdin = inputs.some((input) => input.path === null);
  const shared = config.sink.includes("-");
  const incremental = config.mode === "normal" ? null : toIncremental(config, stateRoot(config, inputs), config.sink, config.dryRun);
  const keepsState = !stdin && !config.dryRun && config.limit === null && (incremental !== null || openSinks(config.sink).resumable);
  return {
    incremental,
    kept: incremental === null ? keptIndex(config, inputs) : null,
    version,
    inputs,
    contract: config.contract,
    rules: rules === null ? null : { ...rules, flaggedRoot: config.root ?? config.state ?? dirname(resolve(inputs[0]?.path ?? "./-")) },
    sinkUrls: config.dryRun ? ["null:"] : config.sink,
    stateRoot: keepsState ? stateRoot(config, inputs) : null,
    fetched: false,
    force: config.force,
    limit: config.limit,
    verify: stdin ? "stream" : config.verify,
    threads: config.threads,
    // Files that share one output come one after the other, or their records could not be told apart.
    filesAtOnce: shared ? 1 : Math.min(config.threads, inputs.length),
    chunkBytes: config.chunk,
    backend: config.inflate,
    checkpointRecords: config.checkpointRecords,
    checkpointMs: config.checkpointMs,
    limits: toLimits(config),
  };
}

/** The request of one run of the service. */
export function toServeRequest(config: ServeConfig, { version, inputs }: Inputs, rules: RulesFile | null): ExtractRequest {
  const urls = config.sinkUrls.map((url) => url.reveal());
  return {
    incremental: config.mode === "normal" ? null : toIncremental(config, config.root, urls, false),
    kept: config.mode === "normal" ? toPlace(config, config.root, urls) : null,
    rules: rules === null ? null : { ...rules, flaggedRoot: config.root },
    ...{ version, inputs, contract: config.contract, sinkUrls: urls, stateRoot: config.root },
    fetched: true,
    force: false, // the service has told the state
    limit: null,
    verify: config.verify,
    threads: config.threads,
    filesAtOnce: Math.min(config.threads, inputs.length),
    chunkBytes: config.chunk,
    backend: config.inflate,
    checkpointRecords: config.checkpointRecords,
    checkpointMs: config.checkpointMs,
    limits: toLimits(config),
  };
}

type ChangeSettings = Pick<Config, "batchSize" | "maxDeletes" | "maxDeleteShare" | "allowDeletes" | "warnUpdateShare" | "changelogRuns" | "stateUrl">;

function toIncremental(config: ChangeSettings, indexRoot: string, sinkUrls: readonly string[], dryRun: boolean): IncrementalRequest {
  const { batchSize: batchRecords, maxDeletes: deletesMax, maxDeleteShare: deleteShareMax, allowDeletes, warnUpdateShare } = config;
  return { ...toPlace(config, indexRoot, sinkUrls), batchRecords, deletesMax, deleteShareMax, allowDeletes, warnUpdateShare, dryRun };
}

/** Where what is known of sinks is kept. */
export function toPlace({ changelogRuns, stateUrl }: Pick<Config, "changelogRuns" | "stateUrl">, indexRoot: string, sinkUrls: readonly string[]): IndexPlace {
  const database = stateUrl === null ? null : parsePostgresUrl(stateUrl.reveal(), "state");
  return { indexRoot, database, changelogRuns, sinkName: openSinks(sinkUrls).name };
}

/** The index that an incremental run into the same sink would use, as far as the settings say where that is. */
function keptIndex(config: Config, inputs: Inputs["inputs"]): IndexPlace | null {
  const folders = new Set(inputs.map(({ path }) => (path === null ? null : dirname(resolve(path)))));
  const [folder = null] = folders.size === 1 ? folders : [];
  const indexRoot = config.state ?? config.root ?? folder;
  return indexRoot === null ? null : toPlace(config, indexRoot, config.sink);
}

type LimitSettings = Pick<
  Config,
  "maxRecordBytes" | "maxDepth" | "maxAttributes" | "maxNameBytes" | "maxRejects" | "maxRejectRawBytes" | "maxInflatedBytes" | "maxInflateRatio"
>;

/** What a dump may cost, from the settings. */
export function toLimits(config: LimitSettings): ExtractLimits {
  return {
    recordBytesMax: config.maxRecordBytes,
    depthMax: config.maxDepth,
    attributesMax: config.maxAttributes,
    nameBytesMax: config.maxNameBytes,
    rejectsMax: config.maxRejects,
    rejectRawBytesMax: config.maxRejectRawBytes,
    inflatedBytesMax: config.maxInflatedBytes,
    inflateRatioMax: config.maxInflateRatio,
  };
}

function stateRoot({ state, root }: Config, inputs: Inputs["inputs"]): string {
  if (state !== null) return state;
  if (root !== null) return root;
  const folders = new Set(inputs.map((input) => dirname(resolve(input.path ?? "."))));
  const [folder = "."] = folders;
  if (folders.size > 1) throw new DumpError("CONFIG_INVALID", "the files lie in different folders; say with --state DIR where the state is kept");
  return folder;
}
