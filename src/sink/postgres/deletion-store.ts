import { tombstonesOf } from "../../model.ts";
import type { Deleter } from "../../postgres/deletions.ts";
import type { Portion } from "../../postgres/portion.ts";
import type { PortionStore } from "./writer.ts";

/** Deletes the rows that tombstones mean. */
export class DeletionStore implements PortionStore {
  readonly #deleter: Deleter;
  #deleted = 0;
  #kept = 0;
  #absent = 0;

  constructor(deleter: Deleter) {
    this.#deleter = deleter;
  }

  get records(): number {
    return this.#deleter.records;
  }

  async commit(portion: Portion, upTo: number, signal: AbortSignal): Promise<void> {
    const { deleted, kept, absent } = await this.#deleter.commit(tombstonesOf(portion), upTo, signal);
    this.#deleted += deleted;
    this.#kept += kept;
    this.#absent += absent;
  }

  async finish(): Promise<string> {
    return `${this.#deleted} rows deleted, ${this.#kept} kept since they have a later record, ${this.#absent} not there`;
  }
}
