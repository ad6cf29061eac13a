import type { Logger } from "pino";
import { type Clock, onSchedule } from "./clock.ts";
import { formatBytes, formatCount, formatElapsed, formatSpeed } from "./format.ts";
import { logMomentMs } from "./progress.ts";
import type { Screen } from "./screen.ts";

const BAR_PERIOD_MS = 200;

/** What an access index has become. */
export interface BuiltIndex {
  readonly records: number;
  readonly spans: number;
  readonly bytes: number;
}

/** What is told while single records are looked for. */
export class LookEvents {
  readonly #log: Logger;
  readonly #screen: Screen;
  readonly #hasBar: boolean;
  readonly #clock: Clock;
  #stopReports = () => {};

  constructor(log: Logger, screen: Screen, hasBar: boolean, clock: Clock) {
    this.#log = log;
    this.#screen = screen;
    this.#hasBar = hasBar;
    this.#clock = clock;
  }

  /** A dump has no access index, or, with a reason, none that can be used; `done` gives the compressed bytes that were read so far. */
  building(name: string, size: number, reason: string | null, done: () => number): void {
    if (reason !== null) this.#log.warn({ file: name }, `⚠️ The access index of ${name} cannot be used: ${reason}; building it anew`);
    this.#log.info({ file: name, size }, `📇 Building the access index of ${name}: its ${formatBytes(size)} are read once`);
    const started = this.#clock.now();
    const text = () => {
      const seconds = (this.#clock.now() - started) / 1000;
      const percent = size === 0 ? 100 : Math.floor((done() / size) * 1000) / 10;
      return `📇 ${name}: ${percent.toFixed(1)} % of ${formatBytes(size)}, ${formatSpeed(seconds > 0 ? done() / seconds : 0)}`;
    };
    this.#stopReports = this.#hasBar
      ? onSchedule(
          this.#clock,
          (index) => (index + 1) * BAR_PERIOD_MS,
          () => this.#screen.drawBar(text().slice(0, Math.max(0, this.#screen.columns - 2))),
        )
      : onSchedule(this.#clock, logMomentMs, () => this.#log.info({ file: name }, text()));
  }

  /** The building of an index has come to its end; null: it has failed, as whoever called is told. */
  built(name: string, index: BuiltIndex | null, seconds: number): void {
    this.#stopReports();
    this.#screen.clearBar();
    if (index === null) return;
    const { records, spans, bytes } = index;
    const text = `${formatCount(records)} records in ${formatCount(spans)} spans, ${formatBytes(bytes)}, in ${formatElapsed(seconds)}`;
    this.#log.info({ file: name, ...index, seconds }, `✅ Access index of ${name}: ${text}`);
  }

  /** Something about what was found that people should look at. */
  warned(text: string): void {
    this.#log.warn(`⚠️ ${text}`);
  }
}
