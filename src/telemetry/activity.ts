import { DATA_TYPES, type DataType } from "../model.ts";
import type { Clock } from "./clock.ts";

/**
 * When each data type last had a record in this run, and which stand still. A type is open from its first record until its file ends; an
 * open one that has had none for the time to stall is stalled until the next one.
 */
export class Activity {
  readonly #clock: Clock;
  readonly #stallAfterMs: number;
  readonly #lastAt = new Map<DataType, number>();
  readonly #open = new Set<DataType>();
  readonly #stalled = new Set<DataType>();

  constructor(clock: Clock, stallAfterMs: number) {
    this.#clock = clock;
    this.#stallAfterMs = stallAfterMs;
  }

  /** A new run: nothing is known of any type. */
  reset(): void {
    this.#lastAt.clear();
    this.close();
  }

  /** Nothing is extracted any more. */
  close(): void {
    this.#open.clear();
    this.#stalled.clear();
  }

  /** Records came; gives the seconds that the type stood still if it did, else null. */
  records(dataType: DataType): number | null {
    const since = this.secondsSince(dataType);
    this.#lastAt.set(dataType, this.#clock.now());
    this.#open.add(dataType);
    return this.#stalled.delete(dataType) ? since : null;
  }

  /** The type's file has ended. */
  ended(dataType: DataType): void {
    this.#open.delete(dataType);
    this.#stalled.delete(dataType);
  }

  /** The types that stand still since the last time this was asked. */
  newlyStalled(): DataType[] {
    const found = DATA_TYPES.filter((type) => this.#open.has(type) && !this.#stalled.has(type) && this.#silentMs(type) >= this.#stallAfterMs);
    for (const type of found) this.#stalled.add(type);
    return found;
  }

  isStalled(dataType: DataType): boolean {
    return this.#stalled.has(dataType);
  }

  /** Seconds since the last record of the type in this run, null if there was none. */
  secondsSince(dataType: DataType): number | null {
    return this.#lastAt.has(dataType) ? this.#silentMs(dataType) / 1000 : null;
  }

  #silentMs(dataType: DataType): number {
    return this.#clock.now() - (this.#lastAt.get(dataType) ?? this.#clock.now());
  }
}
