import type { Logger } from "pino";
import type { DumpError } from "./errors.ts";
import type { DataType, RecordPosition, RejectedRecord } from "./model.ts";
import { type Clock, onSchedule, systemClock } from "./telemetry/clock.ts";
import { formatCount, formatElapsed, formatSpeed } from "./telemetry/format.ts";
import { createLogger, type LogOptions } from "./telemetry/log.ts";
import { type FileProgress, logMomentMs, Progress, progressMessage, renderBar } from "./telemetry/progress.ts";
import { Screen, type TextOutput } from "./telemetry/screen.ts";

const BAR_PERIOD_MS = 200;

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
}

type Totals = { -readonly [K in keyof FileTotals]: FileTotals[K] };

/** One method per event: it logs and counts together, so that the two agree. Files are told apart by name. */
export class Telemetry implements Disposable {
  readonly #log: Logger;
  readonly #screen: Screen;
  readonly #bar: boolean;
  readonly #clock: Clock;
  readonly #progress: Progress;
  readonly #files = new Map<string, Totals>();
  #stopReports = () => {};

  constructor(options: TelemetryOptions) {
    this.#screen = new Screen(options.output);
    this.#log = createLogger(options, this.#screen);
    this.#bar = options.bar;
    this.#clock = options.clock ?? systemClock;
    this.#progress = new Progress(this.#clock);
  }

  /** Counted so far, in the order the files were named. */
  get totals(): readonly FileTotals[] {
    return [...this.#files.values()];
  }

  versionsPassedOver(versions: readonly string[]): void {
    for (const version of versions) this.#log.warn(`⚠️ Passing over version ${version}`);
  }

  runStarted(run: {
    version: string;
    contract: string;
    sink: string;
    threads: number;
    files: readonly { name: string; dataType: DataType | null; size: number | null }[];
  }): void {
    for (const { name, dataType, size } of run.files) this.#files.set(name, emptyTotals(name, dataType, size));
    const { version, contract, sink, threads } = run;
    this.#log.info(
      { version, contract, sink, threads },
      `🚀 Extracting version ${version} (${contract}) into ${sink} with ${threads} ${threads === 1 ? "thread" : "threads"}`,
    );
    const report = () => this.#log.info(progressMessage(this.#view()));
    const draw = () => this.#screen.drawBar(renderBar(this.#view(), this.#screen.columns));
    this.#view(); // the first sample of the speeds
    this.#stopReports = this.#bar ? onSchedule(this.#clock, (index) => (index + 1) * BAR_PERIOD_MS, draw) : onSchedule(this.#clock, logMomentMs, report);
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
    file.records += batch.read;
    file.written += batch.written;
    file.empty += batch.empty;
    file.unknownIds += batch.unknownIds;
    file.rejected += batch.rejects.length;
    file.xmlBytes += batch.xmlBytes;
    file.compressedBytes = batch.compressedBytes;
    for (const { id, offset, kind, message } of batch.rejects) {
      this.#log[rejectsKept ? "debug" : "warn"](
        { file: name, id, offset, kind },
        `⏭️ ${name}: record ${id ?? "without id"} at byte ${offset} rejected (${kind}): ${message}`,
      );
    }
  }

  checkpointSaved(name: string, position: RecordPosition): void {
    this.#file(name).checkpoints += 1;
    this.#log.debug({ file: name, ordinal: position.ordinal }, `💾 Checkpoint of ${name} before record ${position.ordinal}`);
  }

  /** A state marker could not be used; the run starts afresh and the marker is kept as `keptAs`. */
  stateDiscarded(path: string, reason: string, keptAs: string | null): void {
    this.#log.warn({ path, reason, keptAs }, `⚠️ Starting afresh: ${path}: ${reason}${keptAs === null ? "" : `; kept as ${keptAs}`}`);
  }

  fileCompleted(name: string, seconds: number): void {
    const file = this.#file(name);
    file.state = "done";
    file.compressedBytes = file.size ?? file.compressedBytes;
    const { dataType, records, written, rejected, empty, unknownIds, xmlBytes } = file;
    const speed = seconds > 0 ? `, ${formatSpeed(xmlBytes / seconds)}` : "";
    this.#log.info(
      { file: name, dataType, read: records, written, rejected, empty, unknownIds, xmlBytes, seconds },
      `🎉 File processing complete for ${dataType ?? name}! Total records processed: ${records} (${formatElapsed(seconds)}${speed})`,
    );
    if (rejected > 0)
      this.#log.warn({ file: name, rejected }, `⚠️ ${name}: ${formatCount(rejected)} malformed ${rejected === 1 ? "record" : "records"} rejected`);
  }

  fileFailed(name: string, error: DumpError): void {
    this.#file(name).state = "done";
    this.#log.error({ file: name, code: error.code }, `❌ ${name}: ${error.message}`);
  }

  /** What a sink tells while it works: that it has to wait, and that it goes on. */
  readonly sinkEvents = {
    reconnecting: (reason: string, attempt: number, waitMs: number): void => {
      this.#log.warn({ attempt, waitMs }, `🔄 Connecting again in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt}): ${reason}`);
    },
    connected: (): void => {
      this.#log.info("🔗 Connected to the sink");
    },
    blocked: (reason: string): void => {
      this.#log.warn({ reason }, `⏸️ The sink takes nothing for now: ${reason}`);
    },
    unblocked: (): void => {
      this.#log.info("🔄 The sink takes records again");
    },
    resent: (messages: number, reason: string): void => {
      this.#log.warn({ messages, reason }, `🔄 Sending ${formatCount(messages)} messages once more: ${reason}`);
    },
    confirmed: (_messages: number, _bytes: number): void => {},
  };

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

  runEnded(how: "complete" | "incomplete" | "stopped" | "failed"): void {
    this[Symbol.dispose]();
    if (how === "complete") this.#log.info("🏁 Extraction complete");
    else if (how === "stopped") this.#log.warn("🛑 Stopped before the end");
    else if (how === "incomplete") this.#log.warn("⚠️ Extraction incomplete");
    else this.#log.info("❌ Extraction failed"); // whoever called tells why, in one line
  }

  /** Ends the reports of progress; safe to call twice. */
  [Symbol.dispose](): void {
    this.#stopReports();
    this.#stopReports = () => {};
    this.#screen.clearBar();
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
  };
}
