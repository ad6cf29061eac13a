import type { Logger } from "pino";
import type { DumpError } from "./errors.ts";
import { DATA_TYPES, type DataType, type RecordPosition, type RejectedRecord } from "./model.ts";
import { Activity } from "./telemetry/activity.ts";
import { ChangeEvents } from "./telemetry/change-events.ts";
import { type Clock, onSchedule, systemClock } from "./telemetry/clock.ts";
import { ConsumerEvents } from "./telemetry/consumer-events.ts";
import { Failures } from "./telemetry/failures.ts";
import { formatCount, formatElapsed, formatSpeed } from "./telemetry/format.ts";
import { createLogger, type LogOptions } from "./telemetry/log.ts";
import { LookEvents } from "./telemetry/look-events.ts";
import type { LabelValue } from "./telemetry/metric-names.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import { type FileProgress, logMomentMs, Progress, progressMessage, recordsByType, renderBar } from "./telemetry/progress.ts";
import { Screen, type TextOutput } from "./telemetry/screen.ts";
import { ServerEvents } from "./telemetry/server-events.ts";
import { ServiceEvents } from "./telemetry/service-events.ts";
import { SinkConnections } from "./telemetry/sink-events.ts";
import { createSiteEvents } from "./telemetry/site-events.ts";

const BAR_PERIOD_MS = 200;
const STALL_AFTER_MS = 120_000;
const STALL_CHECK_PERIOD_MS = 1_000;

/** What was counted of one file in this run. */
export interface FileTotals extends Readonly<FileProgress> {
  readonly written: number;
  readonly rejected: number;
  readonly empty: number;
  readonly unknownIds: number;
  readonly checkpoints: number;
}

/** What a sink has just accepted of one file. */
export interface WrittenBatch {
  readonly dataType: DataType;
  readonly read: number;
  readonly written: number;
  readonly empty: number;
  readonly unknownIds: number;
  /** Records that a data quality rule has left out. */
  readonly skipped?: number;
  readonly rejects: readonly RejectedRecord[];
  readonly xmlBytes: number;
  /** Compressed bytes of the file consumed so far. */
  readonly compressedBytes: number;
}

/** Where telemetry goes and how progress is shown. */
export interface TelemetryOptions extends LogOptions {
  readonly output: TextOutput;
  /** Draw a bar; otherwise progress is logged. */
  readonly bar: boolean;
  readonly clock?: Clock;
  /** Of a service: what is logged is counted there too, and types that stand still are told of. */
  readonly metrics?: Metrics;
  /** A type without a record for so long stands still; two minutes if not given. */
  readonly stallAfterMs?: number;
}

/** How a run stands, for whoever asks from outside; null: not in this run. */
export interface RunSnapshot {
  readonly progress: Readonly<Record<DataType, number>>;
  readonly secondsSinceRecord: Readonly<Record<DataType, number | null>>;
  /** Types that are being extracted. */
  readonly active: readonly DataType[];
  /** Types that have had no record for too long. */
  readonly stalled: readonly DataType[];
  /** The connection of a sink was lost and is not back. */
  readonly isSinkLost: boolean;
  /** Share of the compressed bytes that is done, 0 to 1; 0 where a size is not known. */
  readonly fraction: number;
  readonly completedFiles: number;
  /** Failures that were told since the run began. */
  readonly errors: number;
}

type Totals = { -readonly [K in keyof FileTotals]: FileTotals[K] } & { failed: boolean };

/** One method per event: it logs and counts together, so that the two agree. Files are told apart by name. */
export class Telemetry implements Disposable {
  readonly #log: Logger;
  readonly #screen: Screen;
  readonly #bar: boolean;
  readonly #clock: Clock;
  readonly #progress: Progress;
  readonly #metrics: Metrics | null;
  readonly #activity: Activity;
  readonly #failures: Failures;
  readonly #files = new Map<string, Totals>();
  #stopReports = () => {};
  #stopStallWatch = () => {};

  /** What a sink, the site of the dumps, the service around the runs and its HTTP port tell. */
  readonly sinkEvents: SinkConnections;
  readonly siteEvents: ReturnType<typeof createSiteEvents>;
  readonly service: ServiceEvents;
  readonly server: ServerEvents;
  /** What a run finds between two versions. */
  readonly changes: ChangeEvents;
  /** What a consumer behind the broker tells. */
  readonly consumer: ConsumerEvents;
  /** What is told while single records are looked for. */
  readonly look: LookEvents;

  constructor(options: TelemetryOptions) {
    this.#screen = new Screen(options.output);
    this.#bar = options.bar;
    this.#clock = options.clock ?? systemClock;
    this.#log = createLogger(options, this.#screen, this.#clock);
    this.#metrics = options.metrics ?? null;
    this.#progress = new Progress(this.#clock);
    this.#activity = new Activity(this.#clock, options.stallAfterMs ?? STALL_AFTER_MS);
    this.#failures = new Failures(this.#log, this.#metrics);
    this.sinkEvents = new SinkConnections(this.#log, this.#metrics);
    this.siteEvents = createSiteEvents(this.#log, this.#metrics, this.#clock);
    this.service = new ServiceEvents(this.#log, this.#metrics, this.#clock, this.#failures, () => this.#forgetRun());
    this.changes = new ChangeEvents(this.#log, this.#metrics);
    this.server = new ServerEvents(this.#log, this.#metrics, this.#clock);
    this.consumer = new ConsumerEvents(this.#log, this.#metrics, this.#clock, options.stallAfterMs ?? STALL_AFTER_MS);
    this.look = new LookEvents(this.#log, this.#screen, this.#bar, this.#clock);
    this.#metrics?.onRender(() => this.#showActivity());
  }

  /** Counted so far, in the order the files were named. */
  get totals(): readonly FileTotals[] {
    return [...this.#files.values()];
  }

  /** How the run stands now; costs next to nothing. */
  get snapshot(): RunSnapshot {
    const files = [...this.#files.values()];
    const isSized = files.every((file) => file.size !== null);
    const size = files.reduce((sum, file) => sum + (file.size ?? 0), 0);
    const done = files.reduce((sum, file) => sum + file.compressedBytes, 0);
    return {
      progress: recordsByType(files),
      secondsSinceRecord: Object.fromEntries(DATA_TYPES.map((type) => [type, this.#activity.secondsSince(type)])) as Record<DataType, number | null>,
      active: DATA_TYPES.filter((type) => files.some((file) => file.state === "extracting" && file.dataType === type)),
      isSinkLost: this.sinkEvents.isLost,
      stalled: DATA_TYPES.filter((type) => this.#activity.isStalled(type)),
      fraction: isSized && size > 0 ? Math.min(1, done / size) : 0,
      completedFiles: files.filter((file) => file.state === "done" && !file.failed).length,
      errors: this.#failures.count,
    };
  }

  versionsPassedOver(versions: readonly string[]): void {
    for (const version of versions) this.#log.warn(`⚠️ Passing over version ${version}`);
  }

  runStarted(run: {
    version: string;
    mode: string;
    contract: string;
    sink: string;
    threads: number;
    files: readonly { name: string; dataType: DataType | null; size: number | null }[];
  }): void {
    this.#forgetRun();
    this[Symbol.dispose]();
    for (const { name, dataType, size } of run.files) this.#files.set(name, emptyTotals(name, dataType, size));
    const { version, mode, contract, sink, threads } = run;
    const form = mode === "normal" ? contract : `${contract}, ${mode}`;
    this.#log.info(
      { version, mode, contract, sink, threads },
      `🚀 Extracting version ${version} (${form}) into ${sink} with ${threads} ${threads === 1 ? "thread" : "threads"}`,
    );
    const report = () => this.#log.info(progressMessage(this.#view()));
    const draw = () => this.#screen.drawBar(renderBar(this.#view(), this.#screen.columns));
    this.#view(); // the first sample of the speeds
    this.#stopReports = this.#bar ? onSchedule(this.#clock, (index) => (index + 1) * BAR_PERIOD_MS, draw) : onSchedule(this.#clock, logMomentMs, report);
    if (this.#metrics !== null)
      this.#stopStallWatch = onSchedule(
        this.#clock,
        (index) => (index + 1) * STALL_CHECK_PERIOD_MS,
        () => this.#watchStalls(),
      );
  }

  /** `how`: what is looked at, as the verification describes itself. */
  verifyStarted(name: string, how: string): void {
    this.#file(name).state = "verifying";
    this.#log.info({ file: name }, `🔐 Verifying ${name}: ${how}`);
  }

  verifyProgressed(name: string, compressedBytes: number): void {
    this.#file(name).verifiedBytes = compressedBytes;
  }

  verified(name: string, seconds: number): void {
    const file = this.#file(name);
    file.state = "waiting";
    file.verifiedBytes = file.size ?? file.verifiedBytes;
    this.#log.info({ file: name, seconds }, `✅ Verified ${name} in ${formatElapsed(seconds)}`);
  }

  verifySkipped(name: string): void {
    this.#log.info({ file: name }, `✅ ${name} is the file that was verified before`);
  }

  fileSkipped(name: string): void {
    this.#files.delete(name);
    this.#log.info({ file: name }, `✅ Already processed: ${name}`);
  }

  /** `from`: the point of resuming, with the compressed bytes that lie before it. */
  fileStarted(name: string, dataType: DataType | null, from: (RecordPosition & { readonly compressedBytes: number }) | null): void {
    const file = this.#file(name);
    file.dataType = dataType ?? file.dataType;
    file.state = "extracting";
    file.compressedBytes = file.skippedBytes = from?.compressedBytes ?? 0;
    if (from === null) this.#log.info({ file: name }, `🚀 Starting extraction of ${file.dataType ?? "records"} from ${name}`);
    else
      this.#log.info(
        { file: name, ordinal: from.ordinal, offset: from.offset },
        `🔄 Resuming ${name} at record ${from.ordinal} (byte ${from.offset} of the XML)`,
      );
  }

  /** `rejectsKept`: the rejects stand in a file; else the log is the only place that says which they are. */
  batchWritten(name: string, batch: WrittenBatch, rejectsKept = true): void {
    const file = this.#file(name);
    file.dataType = batch.dataType;
    this.#countBatch(file, batch);
    file.records += batch.read;
    file.written += batch.written;
    file.empty += batch.empty;
    file.unknownIds += batch.unknownIds;
    file.rejected += batch.rejects.length;
    file.xmlBytes += batch.xmlBytes;
    file.compressedBytes = batch.compressedBytes;
    if (batch.skipped !== undefined && batch.skipped > 0) this.#skipped(name, batch.skipped);
    for (const { id, offset, kind, message } of batch.rejects) {
      this.#log[rejectsKept ? "debug" : "warn"](
        { file: name, id, offset, kind },
        `⏭️ ${name}: record ${id ?? "without id"} at byte ${offset} rejected (${kind}): ${message}`,
      );
    }
  }

  /** Which ones stands in a file, and in the report of the data quality rules. */
  #skipped(name: string, records: number): void {
    this.#log.debug({ file: name, skipped: records }, `⏭️ ${name}: data quality rules skip ${formatCount(records)} ${records === 1 ? "record" : "records"}`);
  }

  checkpointSaved(name: string, position: RecordPosition): void {
    const file = this.#file(name);
    file.checkpoints += 1;
    if (file.dataType !== null) this.#metrics?.count("checkpoints", { type: file.dataType });
    this.#log.debug({ file: name, ordinal: position.ordinal }, `💾 Checkpoint of ${name} before record ${position.ordinal}`);
  }

  /** A state marker could not be used; the run starts afresh and the marker is kept as `keptAs`. */
  stateDiscarded(path: string, reason: string, keptAs: string | null): void {
    this.#log.warn({ path, reason, keptAs }, `⚠️ Starting afresh: ${path}: ${reason}${keptAs === null ? "" : `; kept as ${keptAs}`}`);
  }

  fileCompleted(name: string, seconds: number): void {
    const file = this.#file(name);
    file.state = "done";
    const behindLastBatch = (file.size ?? file.compressedBytes) - file.compressedBytes;
    file.compressedBytes += behindLastBatch;
    if (file.dataType !== null) {
      this.#activity.ended(file.dataType);
      this.#metrics?.count("filesCompleted", { type: file.dataType });
      this.#metrics?.count("compressedBytes", { type: file.dataType }, behindLastBatch);
    }
    const { dataType, records, written, rejected, empty, unknownIds, xmlBytes } = file;
    const speed = seconds > 0 ? `, ${formatSpeed(xmlBytes / seconds)}` : "";
    this.#log.info(
      { file: name, dataType, read: records, written, rejected, empty, unknownIds, xmlBytes, seconds },
      `🎉 File processing complete for ${dataType ?? name}! Total records processed: ${records} (${formatElapsed(seconds)}${speed})`,
    );
    if (rejected > 0)
      this.#log.warn({ file: name, rejected }, `⚠️ ${name}: ${formatCount(rejected)} malformed ${rejected === 1 ? "record" : "records"} rejected`);
  }

  /** What data quality rules have found in a file. */
  qualityReported(text: string): void {
    this.#log.info(text.trimEnd());
  }

  fileFailed(name: string, error: DumpError): void {
    const file = this.#file(name);
    file.state = "done";
    file.failed = true;
    if (file.dataType !== null) this.#activity.ended(file.dataType);
    this.#failures.tell(name, error, { file: name });
  }

  stopRequested(signalName: string): void {
    this.#log.warn({ signal: signalName }, `🛑 ${signalName}: stopping at the next checkpoint; once more breaks off`);
  }

  stopForced(reason: string): void {
    this.#log.warn(`🛑 ${reason}: breaking off`);
  }

  /** Something was recovered from that has no event of its own. */
  warned(message: string): void {
    this.#log.warn(`⚠️ ${message}`);
  }

  runEnded(how: LabelValue<"outcome">): void {
    this[Symbol.dispose]();
    this.#activity.close();
    for (const file of this.#files.values()) if (file.state !== "done") file.state = "waiting"; // nothing is extracted any more
    this.sinkEvents.closed(); // with the run
    if (how === "complete") this.#log.info("🏁 Extraction complete");
    else if (how === "stopped") this.#log.warn("🛑 Stopped before the end");
    else if (how === "incomplete") this.#log.warn("⚠️ Extraction incomplete");
    else this.#log.info("❌ Extraction failed"); // whoever called tells why, in one line
  }

  /** Ends the reports of progress; safe to call twice. */
  [Symbol.dispose](): void {
    this.#stopReports();
    this.#stopReports = () => {};
    this.#stopStallWatch();
    this.#stopStallWatch = () => {};
    this.#screen.clearBar();
  }

  /** A run of a service begins with the listing: from then on nothing may look like progress of it that is not. */
  #forgetRun(): void {
    this.#files.clear();
    this.#activity.reset();
  }

  #countBatch(file: Totals, batch: WrittenBatch): void {
    const { dataType: type, read, written, empty, unknownIds, skipped = 0, rejects, xmlBytes, compressedBytes } = batch;
    const silentSeconds = read > 0 ? this.#activity.records(type) : null;
    if (silentSeconds !== null) this.#log.info({ dataType: type, silentSeconds }, `🔄 Records of ${type} come again after ${formatElapsed(silentSeconds)}`);
    const metrics = this.#metrics;
    if (metrics === null) return;
    metrics.count("recordsRead", { type }, read);
    metrics.count("recordsWritten", { type }, written);
    metrics.count("recordsEmpty", { type }, empty);
    metrics.count("recordsSkipped", { type }, skipped);
    metrics.count("recordsRejected", { type }, rejects.length);
    metrics.count("unknownIds", { type }, unknownIds);
    metrics.count("xmlBytes", { type }, xmlBytes);
    metrics.count("compressedBytes", { type }, Math.max(0, compressedBytes - file.compressedBytes));
  }

  #watchStalls(): void {
    const types = this.#activity.newlyStalled();
    if (types.length > 0) this.#log.warn({ types }, `⚠️ Stalled extractors detected: ${JSON.stringify(types)}`);
  }

  #showActivity(): void {
    for (const type of DATA_TYPES) {
      const seconds = this.#activity.secondsSince(type);
      if (seconds === null) this.#metrics?.unset("sinceRecord", { type });
      else this.#metrics?.set("sinceRecord", { type }, seconds);
      this.#metrics?.set("stalled", { type }, this.#activity.isStalled(type) ? 1 : 0);
    }
    this.#metrics?.set("runProgress", {}, this.snapshot.fraction);
  }

  #view() {
    return this.#progress.view(this.totals);
  }

  #file(name: string): Totals {
    const file = this.#files.get(name) ?? emptyTotals(name, null, null);
    this.#files.set(name, file);
    return file;
  }
}

/** Telemetry that counts and says nothing. */
export function silentTelemetry(): Telemetry {
  return new Telemetry({ level: "silent", format: "json", output: { write: () => {} }, bar: false });
}

function emptyTotals(name: string, dataType: DataType | null, size: number | null): Totals {
  return {
    name,
    dataType,
    size,
    verifiedBytes: 0,
    skippedBytes: 0,
    compressedBytes: 0,
    xmlBytes: 0,
    records: 0,
    state: "waiting",
    written: 0,
    rejected: 0,
    empty: 0,
    unknownIds: 0,
    checkpoints: 0,
    failed: false,
  };
}
