import type { RulesFile } from "../config/rules-file.ts";
import type { ServeConfig } from "../config/serve.ts";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { openSinks } from "../sink/index.ts";
import { removeOldVersions } from "../source/discogs/retention.ts";
import type { DiscogsSite } from "../source/discogs/site.ts";
import { chooseVersion, type ListedVersion } from "../source/discogs/versions.ts";
import { describeFiles } from "../source/inputs.ts";
import { lockRoot } from "../state/lock.ts";
import type { FileState } from "../state/marker.ts";
import { newerVersion } from "../state/newer.ts";
import { StateStore } from "../state/store.ts";
import { readProcessingState } from "../state/upstream-files.ts";
import type { Telemetry } from "../telemetry.ts";
import { extractLocked } from "./extract.ts";
import { fetchDump } from "./fetch-dump.ts";
import { isForgotten } from "./known-indexes.ts";
import { toPlace, toServeRequest } from "./plan.ts";
import type { ServiceBoard } from "./service-board.ts";
import { openSite } from "./site.ts";

/** What the process lends the service: `stopping` asks to end at the next checkpoint, `signal` breaks off. */
export interface ServiceContext {
  readonly board: ServiceBoard;
  readonly telemetry: Telemetry;
  readonly stopping: AbortSignal;
  readonly signal: AbortSignal;
  /** The product's own version, to name itself to the site. */
  readonly productVersion: string;
  readonly rules: RulesFile | null;
}

/** `incomplete`: everything that could be was delivered, but with rejects, so that consumers are not told that the version is complete. */
export type RunOutcome = "complete" | "incomplete" | "stopped";

/** One look for the newest dump, and its publication; what an earlier run has finished is not done again. Throws a `DumpError`. */
export async function publishNewest(config: ServeConfig, force: boolean, context: ServiceContext): Promise<RunOutcome> {
  const { board, rules, telemetry, stopping, signal } = context;
  const ended = AbortSignal.any([stopping, signal]);
  board.working(null, "Connecting");
  await reachSink(config, telemetry, ended); // before gigabytes are fetched for nobody
  board.sinkReached();
  board.working(null, "Looking for the newest dump");
  await using site = openSite(config, context.productVersion, telemetry.siteEvents);
  const { chosen, passedOver } = chooseVersion(await site.list(ended));
  telemetry.versionsPassedOver(passedOver);
  if (chosen === null) {
    telemetry.service.nothingFound();
    return "complete";
  }
  const { version } = chosen;
  telemetry.siteEvents.versionChosen(version);
  board.working(version, "Reading the state");
  await using _lock = await lockRoot(config.root);
  const newer = force ? null : await newerVersion(config.root, version);
  if (newer !== null) {
    telemetry.warned(
      `${version} is the newest version that the site has now, but ${newer} was begun here already: nothing is published behind it unless forced`,
    );
    return "complete";
  }
  const store = await openStore(config, version, context);
  const decision = store.decide({ force, files: DATA_TYPES.map((type) => chosen.dumps[type].name) });
  const files = new Map(DATA_TYPES.map((type) => [type, store.fileState(chosen.dumps[type].name)]));
  const isToSkip = decision === "skip" && !(await isForgottenBy(config, version, files));
  if (isToSkip && !(await isPublishedAnew(site, chosen, files, telemetry, ended))) {
    telemetry.service.upToDate(version);
    return "complete";
  }
  if (decision === "reprocess") await store.apply({ type: "reprocess" });
  board.working(version, "Downloading");
  const present = await fetchDump(site, chosen, store, config, telemetry, ended);
  board.working(version, "Processing");
  const { inputs } = await describeFiles(
    present.map(({ path }) => path),
    null,
  );
  const report = await extractLocked(toServeRequest(config, { version, inputs, passedOver: [] }, rules), { stopping, signal, telemetry });
  if (stopping.aborted && !report.complete) return "stopped";
  if (config.keepVersions !== null && report.complete) await removeOldVersions(config.root, config.keepVersions, version, telemetry.siteEvents.warned);
  return report.complete ? "complete" : "incomplete";
}

/** Proves that the sink can be reached; `/ready` says so from then on. */
async function reachSink(config: ServeConfig, telemetry: Telemetry, signal: AbortSignal): Promise<void> {
  await using sink = openSinks(urlsOf(config), (name) => telemetry.sinkEvents.of(name));
  await sink.check(signal);
  telemetry.sinkEvents.closed(); // until the dump is there
}

/** Whether an older record index was brought back since the version was delivered. */
async function isForgottenBy(config: ServeConfig, version: string, files: Parameters<typeof isForgotten>[3]): Promise<boolean> {
  if (config.mode !== "incremental") return false;
  const { indexRoot, sinkName, database } = toPlace(config, config.root, urlsOf(config));
  return database === null && (await isForgotten({ indexRoot, sinkName }, config.contract, version, files));
}

/** Whether the site publishes other hashes than those of what was delivered. What it does not tell now is no reason to do anything. */
async function isPublishedAnew(
  site: DiscogsSite,
  { dumps, checksum, version }: ListedVersion,
  files: ReadonlyMap<DataType, FileState | null>,
  telemetry: Telemetry,
  signal: AbortSignal,
): Promise<boolean> {
  const known = [...files].map(([dataType, state]) => [dumps[dataType].name, state?.source?.sha256 ?? null] as const);
  if (known.every(([, sha256]) => sha256 === null)) return false; // another program has delivered it
  const published = await site.checksums(checksum, signal).catch((error: unknown) => {
    if (!(error instanceof DumpError)) throw error;
    telemetry.warned(`the CHECKSUM of ${version}, which is complete, cannot be had, so that nobody can tell whether it was published anew: ${error.message}`);
    return null;
  });
  return known.some(([name, sha256]) => sha256 !== null && (published?.byName.get(name) ?? sha256) !== sha256);
}

function urlsOf({ sinkUrls }: ServeConfig): string[] {
  return sinkUrls.map((url) => url.reveal());
}

async function openStore(config: ServeConfig, version: string, { telemetry, rules }: ServiceContext): Promise<StateStore> {
  const { root, contract } = config;
  const onWarning = (text: string) => telemetry.warned(text);
  const key = { mode: config.mode, sink: openSinks(urlsOf(config)).name, contract, rulesDigest: rules?.digest ?? null };
  // Its writers knew the topic contract only: the fanout contract's consumers have got nothing of what it calls finished.
  const finished = contract === "topic" ? await readProcessingState(root, onWarning) : [];
  return StateStore.open(root, version, key, { onWarning, finished });
}
