import type { Logger } from "pino";
import type { DataType } from "../model.ts";
import { formatCount } from "./format.ts";
import type { Metrics } from "./metrics.ts";

/** What became of the records of a data type. */
export interface ChangesFound {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
  readonly pending: number;
}

/** What is found between two versions. */
export class ChangeEvents {
  readonly #log: Logger;
  readonly #metrics: Metrics | null;

  constructor(log: Logger, metrics: Metrics | null) {
    this.#log = log;
    this.#metrics = metrics;
  }

  found(dataType: DataType, changes: ChangesFound): void {
    const { created, updated, deleted, unchanged, pending } = changes;
    this.#metrics?.count("changes", { type: dataType, change: "created" }, created);
    this.#metrics?.count("changes", { type: dataType, change: "updated" }, updated);
    this.#metrics?.count("changes", { type: dataType, change: "deleted" }, deleted);
    this.#metrics?.count("changes", { type: dataType, change: "unchanged" }, unchanged);
    this.#metrics?.set("deletionsHeld", { type: dataType }, pending);
    const counts = `${formatCount(created)} created, ${formatCount(updated)} updated, ${formatCount(deleted)} deleted, ${formatCount(unchanged)} unchanged`;
    this.#log.info({ type: dataType, ...changes }, `🔎 ${dataType}: ${counts}`);
  }

  /** Records are gone, and it is not believed. */
  held(dataType: DataType, count: number, reason: string): void {
    const records = count === 1 ? "1 record is gone, and its deletion is" : `${formatCount(count)} records are gone, and their deletions are`;
    this.#log.warn({ type: dataType, count }, `⚠️ ${dataType}: ${records} held back: ${reason}`);
  }

  /** So much of a data type has changed that the dump, and not the records, may be different. */
  updates(dataType: DataType, { updated, unchanged }: Pick<ChangesFound, "updated" | "unchanged">, isUnusual: boolean): void {
    this.#metrics?.set("unusualUpdates", { type: dataType }, isUnusual ? 1 : 0);
    if (!isUnusual) return;
    const share = Math.round((updated / (updated + unchanged)) * 100);
    this.#log.warn(
      { type: dataType, updated, unchanged },
      `⚠️ ${dataType}: ${share} % of the known records were updated, which is unusual; look at some of them`,
    );
  }
}
