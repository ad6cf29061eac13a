import type { Batch, SinkPosition } from "../../src/model.ts";
import type { Sink, SinkWriter } from "../../src/sink/sink.ts";

type Step = "check" | "open" | "write" | "sync" | "finish" | "announce" | "close";

/** A sink that does as a test tells it: each step first does what the test has put in its place, and is written down when it begins and ends. */
export class ScriptedSink implements Sink {
  readonly name: string;
  readonly resumable: boolean;
  readonly told: string[] = [];
  /** Bodies that were accepted, and those that a sync has covered. */
  accepted = 0;
  durable = 0;
  /** Where it was opened last. */
  openedAt: SinkPosition | null | undefined;
  /** Whether a finished target is still there. */
  held = true;
  readonly #steps: { [S in Step]?: (signal: AbortSignal) => Promise<unknown> } = {};

  constructor(name: string, resumable = true) {
    this.name = name;
    this.resumable = resumable;
  }

  /** What a step does from now on. */
  on(step: Step, work: (signal: AbortSignal) => Promise<unknown>): void {
    this.#steps[step] = work;
  }

  check(signal: AbortSignal): Promise<void> {
    return this.#do("check", signal);
  }

  async holds(): Promise<boolean> {
    return this.held;
  }

  announce(_end: unknown, signal: AbortSignal): Promise<void> {
    return this.#do("announce", signal);
  }

  async open(_target: unknown, position: SinkPosition | null, signal: AbortSignal): Promise<SinkWriter> {
    this.openedAt = position;
    await this.#do("open", signal);
    return {
      write: async (batch: Batch, own: AbortSignal) => {
        await this.#do("write", own);
        this.accepted += batch.ends.length;
      },
      sync: async (own: AbortSignal) => {
        const covered = this.accepted;
        await this.#do("sync", own);
        this.durable = covered;
        return { records: covered, name: this.name };
      },
      finish: (_end, own) => this.#do("finish", own),
      [Symbol.asyncDispose]: () => this.#do("close", new AbortController().signal),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.told.push("disposed");
  }

  async #do(step: Step, signal: AbortSignal): Promise<void> {
    this.told.push(step);
    try {
      signal.throwIfAborted();
      await this.#steps[step]?.(signal);
    } catch (error) {
      this.told.push(`${step} failed`);
      throw error;
    }
    this.told.push(`${step} done`);
  }
}

/** Work that ends when the test says so, or with the signal, as a sink's waiting does. */
export class Gate {
  #release = () => {};
  readonly #open = new Promise<void>((resolve) => {
    this.#release = resolve;
  });

  open(): void {
    this.#release();
  }

  readonly wait = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      void this.#open.then(resolve);
    });
}
