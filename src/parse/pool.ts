import { setTimeout } from "node:timers/promises";
import { Piscina } from "piscina";
import { closeSource, closeVerify, type Detect, openSource, openVerify, type Piece, type SourceOptions, type VerifyStep } from "../../native/index.js";
import { DumpError } from "../errors.ts";
import type { DataType, ResumePoint } from "../model.ts";
import { openingError, toDumpError } from "./fault.ts";
import { PieceStream } from "./piece-stream.ts";
import { Slots } from "./slots.ts";
import type { WorkerData, WorkerTask } from "./task.ts";

/** A slot holds twice the XML of a piece, and this many bytes more for tables and odd pieces. */
const SLOT_EXTRA_BYTES = 512 * 1024;
/** Pieces in flight for each thread: one in work, one behind it. */
const PIECES_PER_THREAD = 2;
/** A thread that has not loaded by then has failed to, and the first task will tell why. */
const START_TIMEOUT_MS = 30_000;
const START_POLL_MS = 2;
/** Compressed bytes of one step of verification, so that stopping does not take long. */
const VERIFY_STEP_BYTES = 16 * 1024 * 1024;

export interface PoolOptions {
  readonly threads: number;
  /** Inflated bytes that a piece aims at. */
  readonly chunkBytes: number;
}

/** A file to pull, from its beginning or from a point in it. */
export interface PullRequest extends Omit<SourceOptions, "chunkBytes" | "path" | "dataType" | "resume" | "rules" | "detect" | "only"> {
  /** Null reads standard input. */
  readonly path: string | null;
  /** Null takes it from the root element. */
  readonly dataType: DataType | null;
  readonly resume: ResumePoint | null;
  /** Handle of compiled data quality rules. */
  readonly rules?: number | null;
  /** Hold each record against a record index. */
  readonly detect?: Detect | null;
  /** Only the records with one of these xxh3, ascending. */
  readonly only?: BigUint64Array | null;
}

/** The addon takes no null: what is null is left out. */
function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null)) as Partial<T>;
}

/** What a verification computes. */
export interface VerifyRequest {
  readonly path: string;
  readonly sha256: boolean;
  readonly inflate: boolean;
  readonly backend: SourceOptions["backend"];
  readonly inflatedBytesMax: number;
  readonly inflateRatioMax: number;
}

/**
 * The worker threads. They pull: a task carries only a file's handle and a slot, the thread inflates, parses and hashes the next piece
 * by itself, and what comes back is a few numbers. No XML crosses a thread, and bodies lie in shared memory.
 */
export class ParsePool implements AsyncDisposable {
  readonly threads: number;
  readonly #chunkBytes: number;
  readonly #slotBytes: number;
  readonly #memory: SharedArrayBuffer;
  readonly #slots: Slots;
  readonly #slotCount: number;
  readonly #ready: Int32Array<SharedArrayBuffer>;
  readonly #piscina: Piscina<WorkerTask, unknown>;
  readonly #loaded: Promise<void>;
  /** What a thread said that failed outside a task. */
  #failure: unknown = null;

  constructor({ threads, chunkBytes }: PoolOptions) {
    this.threads = threads;
    this.#chunkBytes = chunkBytes;
    this.#slotBytes = Math.ceil((2 * chunkBytes + SLOT_EXTRA_BYTES) / 8) * 8;
    this.#slotCount = PIECES_PER_THREAD * threads;
    this.#memory = new SharedArrayBuffer(this.#slotCount * this.#slotBytes);
    this.#slots = new Slots(this.#slotCount);
    this.#ready = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const workerData: WorkerData = { memory: this.#memory, slotBytes: this.#slotBytes, slots: this.#slotCount, ready: this.#ready };
    this.#piscina = new Piscina({
      filename: new URL("./worker.js", import.meta.url).href,
      workerData,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: PIECES_PER_THREAD,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: "disabled",
      recordTiming: false,
    });
    this.#piscina.on("error", (error: unknown) => {
      this.#failure ??= error;
    });
    this.#loaded = this.#everyThreadLoaded();
  }

  /** Opens a file and pulls its pieces, in file order. */
  pull(name: string, { path, dataType, resume, rules = null, detect = null, only = null, ...options }: PullRequest): PieceStream {
    let handle: number;
    try {
      const where = given({ path, dataType, rules, detect, only, resume: resume === null ? null : given(resume) });
      handle = openSource({ ...options, ...where, chunkBytes: this.#chunkBytes } as SourceOptions).handle;
    } catch (error) {
      throw openingError(name, error);
    }
    return new PieceStream({
      name,
      handle,
      lanes: this.#slotCount,
      slots: this.#slots,
      pull: (slot) => this.#run({ kind: "pull", handle, slot }) as Promise<Piece>,
      view: (slot) => new Uint8Array(this.#memory, slot * this.#slotBytes, this.#slotBytes),
      close: () => closeSource(handle),
    });
  }

  /** Reads a whole file on a worker thread; resolves with its SHA-256 if that was asked for. */
  async verify(name: string, request: VerifyRequest, onProgress: (compressedBytes: number) => void, signal: AbortSignal): Promise<{ sha256: string | null }> {
    let handle: number;
    try {
      handle = openVerify(request);
    } catch (error) {
      throw openingError(name, error);
    }
    try {
      for (;;) {
        signal.throwIfAborted();
        const step = (await this.#run({ kind: "verify", handle, bytes: VERIFY_STEP_BYTES })) as VerifyStep;
        if (step.fault) throw toDumpError(name, step.fault);
        onProgress(step.compressedBytes);
        if (step.done) return { sha256: step.sha256 ?? null };
      }
    } finally {
      closeVerify(handle);
    }
  }

  /** Everything that goes wrong in a worker beside what it answers is a defect. */
  async #run(task: WorkerTask): Promise<unknown> {
    try {
      await this.#loaded;
      if (this.#failure !== null) throw this.#failure;
      return await this.#piscina.run(task);
    } catch (cause) {
      throw new DumpError("INTERNAL", `a worker thread failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loaded;
    await this.#piscina.destroy();
  }

  /**
   * Nothing runs, and so nothing ends the pool or the process, before every thread has loaded: Node aborts the process if a thread is
   * ended in the middle of that (see worker.ts).
   */
  async #everyThreadLoaded(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (Atomics.load(this.#ready, 0) < this.threads && this.#failure === null && performance.now() < deadline) await setTimeout(START_POLL_MS);
  }
}
