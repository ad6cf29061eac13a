import { DATA_TYPES, type DataType } from "../model.ts";
import type { Clock } from "./clock.ts";
import { formatBytes, formatCount, formatDuration, formatSpeed } from "./format.ts";

/** Speeds are measured over at least this much time. */
const RATE_WINDOW_MS = 10_000;
const BAR_CELLS_MIN = 10;
const BAR_CELLS_MAX = 40;

/** How far one file has come. */
export interface FileProgress {
  readonly name: string;
  dataType: DataType | null;
  /** Compressed bytes, null for a pipe. */
  readonly size: number | null;
  verifiedBytes: number;
  /** Compressed bytes that lay before the point of resuming. */
  skippedBytes: number;
  compressedBytes: number;
  xmlBytes: number;
  records: number;
  state: "waiting" | "verifying" | "extracting" | "done";
}

/** What there is to show at one moment. Parts are by bytes: the number of records is not known beforehand. */
export interface ProgressView {
  readonly label: string;
  readonly verifying: boolean;
  readonly doneBytes: number;
  readonly totalBytes: number | null;
  readonly recordsByType: Readonly<Record<DataType, number>>;
  readonly records: number;
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | null;
}

interface Sample {
  readonly at: number;
  readonly records: number;
  readonly readBytes: number;
  readonly shownBytes: number;
}

/** Turns the state of all files into what is shown, with speeds over the last seconds. */
export class Progress {
  readonly #clock: Clock;
  #samples: Sample[] = [];
  #wasVerifying = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  view(files: readonly FileProgress[]): ProgressView {
    const verifying = files.some((file) => file.state === "verifying") && !files.some((file) => file.state === "extracting");
    if (verifying !== this.#wasVerifying || this.#samples.length === 0) this.#samples = [];
    this.#wasVerifying = verifying;

    const doneBytes = sum(files, (file) => (verifying ? file.verifiedBytes : file.compressedBytes));
    const totalBytes = files.some((file) => file.size === null) ? null : sum(files, (file) => file.size ?? 0);
    const records = sum(files, (file) => file.records);
    const readBytes = doneBytes - (verifying ? 0 : sum(files, (file) => file.skippedBytes));
    const shownBytes = verifying ? doneBytes : sum(files, (file) => file.xmlBytes);
    const { seconds, since } = this.#measure({ at: this.#clock.now(), records, readBytes, shownBytes });
    const perSecond = (now: number, then: number) => (seconds > 0 ? (now - then) / seconds : 0);
    const readPerSecond = perSecond(readBytes, since.readBytes);
    return {
      label: labelOf(files),
      verifying,
      doneBytes,
      totalBytes,
      recordsByType: recordsByType(files),
      records,
      recordsPerSecond: perSecond(records, since.records),
      bytesPerSecond: perSecond(shownBytes, since.shownBytes),
      etaSeconds: totalBytes === null || readPerSecond <= 0 ? null : (totalBytes - doneBytes) / readPerSecond,
    };
  }

  /** Keeps the samples of the window and the newest one before it, whatever the distance between two calls. */
  #measure(sample: Sample): { seconds: number; since: Sample } {
    this.#samples.push(sample);
    while (this.#samples.length > 2 && sample.at - (this.#samples[1]?.at ?? 0) >= RATE_WINDOW_MS) this.#samples.shift();
    const [since = sample] = this.#samples;
    return { seconds: (sample.at - since.at) / 1000, since };
  }
}

/** When the log tells progress: after 10, 20 and 30 seconds, then every 30. */
export function logMomentMs(index: number): number {
  return index < 3 ? (index + 1) * 10_000 : (index - 1) * 30_000;
}

/** Progress as one line of the log. */
export function progressMessage(view: ProgressView): string {
  const part = view.totalBytes === null ? `${formatBytes(view.doneBytes)} read` : `${percent(view)} of ${formatBytes(view.totalBytes)}`;
  const speed = formatSpeed(view.bytesPerSecond);
  if (view.verifying) return `🔐 Verifying: ${part}, ${speed}${eta(view, ", ")}`;
  const types = DATA_TYPES.map((type) => `${type[0]?.toUpperCase()}${type.slice(1)}: ${view.recordsByType[type]}`).join(", ");
  const rate = `${formatCount(view.recordsPerSecond)} records/s`;
  return `📊 Extraction Progress: ${view.records} total records (${types}), ${rate}, ${speed}, ${part}${eta(view, ", ")}`;
}

/** Progress as one line of a terminal that is `columns` wide. */
export function renderBar(view: ProgressView, columns: number): string {
  const label = view.verifying ? `🔐 ${view.label}` : `📊 ${view.label}`;
  const bytes = view.totalBytes === null ? formatBytes(view.doneBytes) : `${percent(view)}  ${formatBytes(view.doneBytes)} of ${formatBytes(view.totalBytes)}`;
  const rate = view.verifying ? "" : `${formatCount(view.recordsPerSecond)} records/s  `;
  const text = `${bytes}  ${rate}${formatSpeed(view.bytesPerSecond)}${eta(view, "  ")}`;
  // The emoji is two columns wide and at most two code units long; the last column stays free, or some terminals wrap.
  const room = columns - 1 - label.length - text.length - 4;
  const cells = view.totalBytes === null || room < BAR_CELLS_MIN ? 0 : Math.min(room, BAR_CELLS_MAX);
  const full = cells === 0 ? 0 : Math.floor(share(view) * cells);
  const bar = cells === 0 ? "" : `  ${"█".repeat(full)}${"░".repeat(cells - full)}`;
  return `${label}${bar}  ${text}`.slice(0, Math.max(0, columns - 1));
}

function share({ doneBytes, totalBytes }: ProgressView): number {
  return totalBytes === null ? 0 : totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
}

/** Rounded down, so that 100 % means done. */
function percent(view: ProgressView): string {
  return `${(Math.floor(share(view) * 1000) / 10).toFixed(1)} %`;
}

function eta({ etaSeconds }: ProgressView, separator: string): string {
  return etaSeconds === null ? "" : `${separator}ETA ${formatDuration(etaSeconds)}`;
}

function labelOf(files: readonly FileProgress[]): string {
  const [only] = files;
  if (files.length === 1 && only !== undefined) return only.dataType ?? only.name;
  return `${files.filter((file) => file.state === "done").length} of ${files.length} files`;
}

/** Records of the run by data type. */
export function recordsByType(files: readonly FileProgress[]): Record<DataType, number> {
  const counts: Record<DataType, number> = { artists: 0, labels: 0, masters: 0, releases: 0 };
  for (const file of files) if (file.dataType !== null) counts[file.dataType] += file.records;
  return counts;
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0);
}
