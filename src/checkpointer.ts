import { fault } from "#fault";
import type { Destination } from "./destination.ts";
import type { Checkpoint } from "./model.ts";

/** A checkpoint without what only the destination knows. */
export type Milestone = Omit<Checkpoint, "sink" | "rejectBytes" | "flaggedBytes">;

/**
 * Saves checkpoints beside the flow of records, one at a time: the destination makes everything before the milestone durable, then the
 * checkpoint is saved. A milestone that comes meanwhile waits for that, so that what a crash makes come again never exceeds two
 * distances between milestones, however slow the disk or the destination is.
 */
export class Checkpointer {
  readonly #save: ((checkpoint: Checkpoint) => Promise<void>) | null;
  readonly #signal: AbortSignal;
  #running: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;
  /** A stop was asked for and its checkpoint is saved, or none is kept. */
  #stopped = false;

  constructor(save: ((checkpoint: Checkpoint) => Promise<void>) | null, signal: AbortSignal) {
    this.#save = save;
    this.#signal = signal;
  }

  /** Whether nothing would be lost by stopping here. */
  get idle(): boolean {
    return this.#save === null || this.#stopped;
  }

  /** A place where a checkpoint may be taken; all records before it are accepted. With `last`, it is taken and waited for. */
  async offer(destination: Destination, milestone: Milestone, last: boolean): Promise<void> {
    await this.settle();
    if (this.#save === null) return;
    this.#running = this.#take(this.#save, destination, milestone);
    if (!last) return;
    await this.settle();
    this.#stopped = true;
  }

  /** Waits for what is being saved; throws if it, or an earlier one, could not be. */
  async settle(): Promise<void> {
    await this.#running;
    this.#throwFailure();
  }

  /** Waits for what is being saved, whatever comes of it. */
  async drain(): Promise<void> {
    await this.#running;
  }

  async #take(save: (checkpoint: Checkpoint) => Promise<void>, destination: Destination, milestone: Milestone): Promise<void> {
    try {
      const durable = await destination.sync(this.#signal);
      fault("sink-synced");
      await save({ ...milestone, ...durable });
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#running = null;
    }
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
