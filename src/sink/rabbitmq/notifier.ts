import { type Batch, type BatchChanges, CHANGE_TYPES, type ChangeType, type SinkPosition, startOf } from "../../model.ts";
import type { Target } from "../sink.ts";
import { idPrefix, notification, summaryNotification } from "./messages.ts";
import { type Publisher, sendAll, sendOne } from "./publisher.ts";

/** Ids of each kind that a summary names. */
export const SUMMARY_IDS_MAX = 100;

type Told = Extract<ChangeType, "created" | "updated">;

/** Tells consumers how the records of a target have changed, beside the records. Nobody needs to listen. */
export interface Notifier extends AsyncDisposable {
  /** Takes what a batch says of changes, once its records are handed over. */
  note(batch: Batch, signal: AbortSignal): Promise<void>;
  /** Resolves once everything that was noted when it was called is confirmed, with what has to be known of it after a restart. */
  confirmed(signal: AbortSignal): Promise<SinkPosition>;
  /** The target has come to its sound end. */
  finish(signal: AbortSignal): Promise<void>;
}

/** Opens the channel on which changes are told; most runs never need it. */
export type OpenChanges = (signal: AbortSignal) => Promise<Publisher>;

/** Tells of nothing. */
export class SilentNotifier implements Notifier {
  async note(): Promise<void> {}

  async confirmed(): Promise<SinkPosition> {
    return {};
  }

  async finish(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Tells of each record by a message. */
export class EachNotifier implements Notifier {
  readonly #target: Target;
  readonly #open: OpenChanges;
  #publisher: Publisher | null = null;

  constructor(target: Target, open: OpenChanges) {
    this.#target = target;
    this.#open = open;
  }

  async note(batch: Batch, signal: AbortSignal): Promise<void> {
    const { changes, firstOrdinal } = batch;
    if (changes === null || changes.run.isBaseline) return;
    const timestamp = new Date().toISOString();
    const messages = [...toldOf(batch, changes)].map(({ index, change, recordId }) => ({
      id: `${idPrefix(this.#target)}${firstOrdinal + index}/change`,
      body: notification({ data_type: this.#target.dataType, record_id: recordId, change_type: change, processing_run_id: changes.run.id, timestamp }),
      headers: null,
    }));
    if (messages.length === 0) return;
    this.#publisher ??= await this.#open(signal);
    await sendAll(this.#publisher, messages, signal);
  }

  async confirmed(signal: AbortSignal): Promise<SinkPosition> {
    await this.#publisher?.confirmed(signal);
    return {};
  }

  async finish(signal: AbortSignal): Promise<void> {
    await this.confirmed(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher?.[Symbol.asyncDispose]();
  }
}

/** Tells of all records together, at the end: how many, and some of their ids. The ids are those since the last start. */
export class SummaryNotifier implements Notifier {
  readonly #target: Target;
  readonly #open: OpenChanges;
  #runId: string | null;
  readonly #counts: Record<Told, number>;
  readonly #sample: Record<Told, string[]> = { created: [], updated: [] };

  /** `position` is what {@link confirmed} has given for where the target goes on. */
  constructor(target: Target, open: OpenChanges, position: SinkPosition | null) {
    this.#target = target;
    this.#open = open;
    const { run = null, created = 0, updated = 0 } = position ?? {};
    this.#runId = run === null ? null : String(run);
    this.#counts = { created: Number(created), updated: Number(updated) };
  }

  async note(batch: Batch, _signal: AbortSignal): Promise<void> {
    const { changes } = batch;
    if (changes === null || changes.run.isBaseline) return;
    this.#runId = changes.run.id;
    for (const { change, index } of kindsOf(changes)) {
      this.#counts[change] += 1;
      if (this.#sample[change].length < SUMMARY_IDS_MAX) this.#sample[change].push(idOf(batch, index));
    }
  }

  async confirmed(): Promise<SinkPosition> {
    return this.#runId === null ? {} : { run: this.#runId, ...this.#counts };
  }

  async finish(signal: AbortSignal): Promise<void> {
    const { created, updated } = this.#counts;
    if (this.#runId === null || created + updated === 0) return;
    const { dataType } = this.#target;
    await using publisher = await this.#open(signal);
    const body = summaryNotification({ dataType, runId: this.#runId, counts: this.#counts, sample: this.#sample }, new Date());
    await sendOne(publisher, `${idPrefix(this.#target)}changes`, body, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function* kindsOf({ kinds }: BatchChanges): Generator<{ readonly index: number; readonly change: Told }> {
  for (const [index, kind] of kinds.entries()) {
    const change = CHANGE_TYPES[kind];
    if (change === "created" || change === "updated") yield { index, change };
  }
}

function* toldOf(batch: Batch, changes: BatchChanges) {
  for (const { index, change } of kindsOf(changes)) yield { index, change, recordId: idOf(batch, index) };
}

/** The id of a record, as its body has it. */
function idOf({ bytes, ends }: Batch, index: number): string {
  const start = startOf(ends, index);
  const body = Buffer.from(bytes.buffer, bytes.byteOffset + start, (ends[index] ?? 0) - start);
  const { id } = JSON.parse(body.toString()) as { readonly id?: unknown };
  return typeof id === "string" ? id : "";
}
