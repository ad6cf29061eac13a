import { DumpError } from "../errors.ts";
import { type Batch, joinSinkNames, type SinkPosition } from "../model.ts";
import type { FileEnd, Sink, SinkWriter, Target, VersionEnd } from "./sink.ts";
import { isBrokenPipe } from "./sink-errors.ts";

/** What one sink is asked to do; the signal ends it where another one has failed. */
type Work<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Several sinks as one: every record goes into each, and what is accepted, durable, finished or there is so in all of them. The slowest sets
 * the pace. Their order, that of their names, is the same in every run, since positions are told apart by it.
 */
export class TeeSink implements Sink {
  readonly name: string;
  readonly resumable: boolean;
  readonly sinks: readonly Sink[];

  constructor(sinks: readonly Sink[]) {
    const sorted = [...sinks].sort((a, b) => (a.name < b.name ? -1 : 1));
    const twice = sorted.find((sink, index) => sink.name === sorted[index + 1]?.name);
    if (twice !== undefined) throw new DumpError("CONFIG_INVALID", `sink ${twice.name} is given twice; leave one of them out`);
    this.sinks = sorted;
    this.name = joinSinkNames(sorted.map(({ name }) => name));
    this.resumable = sorted.every(({ resumable }) => resumable);
  }

  /** Tries all, so that everything that is wrong is told at once. */
  async check(signal: AbortSignal): Promise<void> {
    const outcomes = await Promise.allSettled(this.sinks.map(async (sink) => sink.check(signal)));
    signal.throwIfAborted();
    throwAny(failuresOf(outcomes));
  }

  async holds(target: Target): Promise<boolean> {
    const held = await Promise.all(this.sinks.map((sink) => sink.holds(target)));
    return held.every((one) => one);
  }

  async announce(end: VersionEnd, signal: AbortSignal): Promise<void> {
    using failed = new Failed();
    await together(
      this.sinks.map((sink) => (own: AbortSignal) => sink.announce(end, own)),
      signal,
      failed,
    );
  }

  /** If one no longer holds its position, none is opened: the target starts afresh in all of them. */
  async open(target: Target, position: SinkPosition | null, signal: AbortSignal): Promise<SinkWriter> {
    const opened: SinkWriter[] = [];
    const works = this.sinks.map((sink, index) => async (own: AbortSignal) => {
      const writer = await sink.open(target, position === null ? null : partOf(position, index), own);
      opened.push(writer);
      return writer;
    });
    using failed = new Failed();
    try {
      return new TeeWriter(await together(works, signal, failed));
    } catch (error) {
      await closeAll(opened).catch(() => {}); // must not hide why they are closed
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll(this.sinks);
  }
}

/** Once one of its writers has failed, all of them have: what one has and another has not is of no use. */
class TeeWriter implements SinkWriter {
  readonly #writers: readonly SinkWriter[];
  readonly #failed = new Failed();

  constructor(writers: readonly SinkWriter[]) {
    this.#writers = writers;
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    try {
      await this.#all((writer, own) => writer.write(batch, own), signal);
    } catch (error) {
      if (!isBrokenPipe(error)) throw error;
      // Alone it is no fault, but here it leaves the other sinks without the rest.
      const text = "standard output: its reader has gone, so that the other sinks do not get everything either; let it read to the end";
      throw new DumpError("SINK_UNAVAILABLE", text, { cause: error });
    }
  }

  async sync(signal: AbortSignal): Promise<SinkPosition> {
    return joinParts(await this.#all((writer, own) => writer.sync(own), signal));
  }

  /** Nobody hears of a complete file before all sinks hold it. */
  async finish(end: FileEnd, signal: AbortSignal): Promise<void> {
    await this.#all((writer, own) => writer.sync(own), signal);
    await this.#all((writer, own) => writer.finish(end, own), signal);
  }

  #all<T>(work: (writer: SinkWriter, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T[]> {
    const works = this.#writers.map((writer) => (own: AbortSignal) => work(writer, own));
    return together(works, signal, this.#failed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failed[Symbol.dispose]();
    await closeAll(this.#writers);
  }
}

/** Raised once, by the first failure or by the signal of whoever called. It listens to that once for many calls: a run has many writers. */
class Failed implements Disposable {
  readonly #controller = new AbortController();
  readonly #heard = new Set<AbortSignal>();
  readonly #onAbort = (event: Event) => this.#controller.abort((event.target as AbortSignal).reason);

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  because(error: unknown): void {
    this.#controller.abort(error);
  }

  listen(signal: AbortSignal): void {
    if (signal.aborted) this.because(signal.reason);
    if (signal.aborted || this.#heard.has(signal)) return;
    this.#heard.add(signal);
    signal.addEventListener("abort", this.#onAbort);
  }

  [Symbol.dispose](): void {
    for (const signal of this.#heard) signal.removeEventListener("abort", this.#onAbort);
    this.#heard.clear();
  }
}

/**
 * Begins every work before this returns, so that all of them see the same moment, and waits until each has ended. The first failure, or the
 * abort of `signal`, raises `failed`, which ends the others, and is what is thrown.
 */
async function together<T>(works: readonly Work<T>[], signal: AbortSignal, failed: Failed): Promise<T[]> {
  failed.listen(signal);
  const outcomes = await Promise.allSettled(
    works.map(async (work) => {
      try {
        return await work(failed.signal);
      } catch (error) {
        failed.because(error);
        throw error;
      }
    }),
  );
  failed.signal.throwIfAborted();
  return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}

/** Closes every one, whatever becomes of the others. */
async function closeAll(things: readonly AsyncDisposable[]): Promise<void> {
  const [first] = failuresOf(await Promise.allSettled(things.map(async (thing) => thing[Symbol.asyncDispose]())));
  if (first !== undefined) throw first.error;
}

function failuresOf(outcomes: readonly PromiseSettledResult<unknown>[]): { readonly error: unknown }[] {
  return outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [{ error: outcome.reason }] : []));
}

/** Throws the first failure, with what all of them say. */
function throwAny(failures: readonly { readonly error: unknown }[]): void {
  const [first] = failures;
  if (first === undefined) return;
  const expected = failures.map(({ error }) => error).filter((error) => error instanceof DumpError);
  const [told] = expected;
  if (told === undefined || expected.length < failures.length || failures.length === 1) throw first.error;
  throw new DumpError(told.code, expected.map(({ message }) => message).join("; "), { cause: told, exit: told.exit });
}

/** Positions stay flat: `{"0.bytes": 17, "1.messages": 3}`. */
function joinParts(parts: readonly SinkPosition[]): SinkPosition {
  return Object.fromEntries(parts.flatMap((part, index) => Object.entries(part).map(([key, value]) => [`${index}.${key}`, value])));
}

function partOf(position: SinkPosition, index: number): SinkPosition {
  const prefix = `${index}.`;
  const entries = Object.entries(position).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(entries.map(([key, value]) => [key.slice(prefix.length), value]));
}
