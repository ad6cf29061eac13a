/**
 * Reads the queue of one data type into the target:
 *
 *     subscribing → reading ⇄ committing → … → lost → subscribing → …        until it is told to stop
 *
 * Messages are kept in the order of the queue and settled in that order: a batch of records in one commit, then one acknowledgement for all
 * of them; a control message alone, once everything before it is settled. One commit is under way at a time. Nothing is acknowledged that
 * is not committed or with the dead letters, so that whatever happens the rest comes again.
 */
import type { Channel } from "rabbitmq-client";
import type { DataType } from "../model.ts";
import { Condition } from "../rabbitmq/condition.ts";
import { type Link, unlessAborted } from "../rabbitmq/link.ts";
import { declareForConsumer, queueOf } from "../rabbitmq/topology.ts";
import { type Content, contentOf } from "./content.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { ConsumeEvents } from "./events.ts";
import { pause } from "./pause.ts";
import type { QueueOptions } from "./queue-options.ts";
import { type Settled, Settlement } from "./settlement.ts";
import { type QueueSource, type Received, type Subscription, subscribe, subscribePatiently } from "./subscription.ts";
import { type BatchTarget, RecordRefused } from "./target.ts";

/** Waits before the target is tried again. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;

/** What the readers of one consumer share. */
export interface Shared {
  readonly link: Link;
  readonly target: BatchTarget;
  readonly events: ConsumeEvents;
  readonly deadLetters: DeadLetters;
  readonly batchSize: number;
  readonly flushIntervalMs: number;
  /** Finish what is under way, and end. */
  readonly stopping: AbortSignal;
  /** Break off. */
  readonly signal: AbortSignal;
}

/** A message that is not settled. */
interface Waiting extends Received, Settled {
  readonly arrivedAt: number;
}

type Outcome = "done" | "stopped" | RecordRefused;

export class QueueReader {
  readonly #source: QueueSource;
  readonly #shared: Shared;
  readonly #dataType: DataType;
  /** Either of the shared signals. */
  readonly #ended: AbortSignal;
  readonly #changed = new Condition();
  #subscription: Subscription | null = null;
  /** In the order of the queue; with those that are being committed never more than the prefetch. */
  #waiting: Waiting[] = [];
  /** Control messages among them. */
  #controls = 0;
  #timer: NodeJS.Timeout | null = null;
  #hasStood = false;
  readonly #settlement: Settlement;

  constructor(options: QueueOptions, shared: Shared) {
    const { config, consumer, dataType, prefetch } = options;
    const declare = (channel: Channel) => declareForConsumer(channel, config, consumer, options);
    this.#source = { config, queue: queueOf(config, consumer, options), consumerTag: `${consumer}-${dataType}`, prefetch, declare };
    this.#shared = shared;
    this.#dataType = dataType;
    this.#ended = AbortSignal.any([shared.stopping, shared.signal]);
    this.#settlement = new Settlement(options, shared, this.#ended);
  }

  /** Reads until it is stopped. Throws if it cannot even begin. */
  async run(): Promise<void> {
    const onEnd = () => {
      void this.#subscription?.cancel().catch(() => {}); // at once: a commit may be under way
      this.#changed.notify();
    };
    this.#ended.addEventListener("abort", onEnd);
    try {
      for (;;) {
        this.#subscription = await this.#subscribe();
        if (this.#subscription === null) return;
        await this.#read(this.#subscription);
      }
    } finally {
      this.#ended.removeEventListener("abort", onEnd);
      clearTimeout(this.#timer ?? undefined);
    }
  }

  /** Messages that nobody has taken from the queue; null: not known. */
  async depth(): Promise<number | null> {
    if (this.#subscription === null || this.#subscription.lost !== null) return null;
    return await this.#subscription.waiting().catch(() => null); // the channel is lost with it
  }

  /** A subscription, however long that takes; null: stopped meanwhile. */
  async #subscribe(): Promise<Subscription | null> {
    const { link, events } = this.#shared;
    const onFailure = (reason: string, waitMs: number) => events.unsubscribed(this.#dataType, `${reason}; trying again in ${waitMs / 1000} s`);
    const attempt = async () => {
      const waiting: Waiting[] = [];
      this.#waiting = waiting;
      this.#controls = 0;
      const listener = {
        message: (message: Received) => {
          if (this.#waiting === waiting) this.#take(message);
        },
        lost: () => this.#changed.notify(),
      };
      return await subscribe(link, this.#source, listener, this.#ended);
    };
    const subscription = await subscribePatiently(attempt, { hasStood: this.#hasStood, onFailure, ended: this.#ended });
    if (subscription === null) return null;
    this.#hasStood = true;
    events.subscribed(this.#dataType, subscription.queue);
    return subscription;
  }

  #take(message: Received): void {
    const content = contentOf(message.body);
    if (isControl(content)) this.#controls += 1;
    this.#waiting.push({ ...message, content, arrivedAt: performance.now() });
    this.#shared.events.received(this.#dataType, message.redelivered);
    this.#arm();
    if (this.#isDue()) this.#changed.notify();
  }

  /** Whether something is to be done: a batch is full, a control message is there, or the first message has waited long enough. */
  #isDue(): boolean {
    return this.#waiting.length >= this.#shared.batchSize || this.#controls > 0 || this.#leftMs() <= 0;
  }

  /** How long the first message may still wait. */
  #leftMs(): number {
    const [first] = this.#waiting;
    return first === undefined ? Number.POSITIVE_INFINITY : first.arrivedAt + this.#shared.flushIntervalMs - performance.now();
  }

  /** Has it looked at again when the first message has waited long enough. */
  #arm(): void {
    if (this.#timer !== null || this.#waiting.length === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        if (this.#isDue()) this.#changed.notify();
        else this.#arm();
      },
      Math.max(1, Math.ceil(this.#leftMs())),
    );
  }

  /** Settles what comes until the subscription is lost, or it is time to end. */
  async #read(subscription: Subscription): Promise<void> {
    const isOver = () => subscription.lost !== null || this.#ended.aborted;
    for (;;) {
      await this.#changed.until(() => isOver() || this.#isDue(), NEVER);
      if (isOver()) break;
      await this.#next(subscription);
      this.#arm();
    }
    if (!this.#ended.aborted) this.#shared.events.unsubscribed(this.#dataType, subscription.lost ?? "");
    await subscription.close();
  }

  async #next(subscription: Subscription): Promise<void> {
    const control = this.#waiting.findIndex(({ content }) => isControl(content));
    if (control === 0) {
      const [message] = this.#waiting.splice(0, 1);
      this.#controls -= 1;
      return message === undefined ? undefined : await this.#handle(subscription, message);
    }
    const upTo = control === -1 ? this.#waiting.length : control;
    await this.#store(subscription, this.#waiting.splice(0, Math.min(upTo, this.#shared.batchSize)));
  }

  /** Commits a stretch of the queue and settles it; where records are refused, the others are committed without them. */
  async #store(subscription: Subscription, stretch: readonly Waiting[]): Promise<void> {
    if (subscription.lost !== null || this.#ended.aborted) return; // what was not settled comes again
    const records = stretch.filter(({ content }) => content.kind === "record");
    const started = performance.now();
    const outcome = records.length === 0 ? "done" : await this.#attempt((signal) => this.#shared.target.commit(this.#dataType, records, signal));
    if (outcome === "stopped") return;
    if (outcome === "done") {
      if (records.length > 0) this.#shared.events.committed(this.#dataType, records.length, (performance.now() - started) / 1000);
      return await this.#settlement.settle(subscription, stretch);
    }
    const refusals = new Map(outcome.refusals.flatMap(({ index, reason }) => (records[index] === undefined ? [] : [[records[index], reason] as const])));
    const [only, ...others] = records;
    if (only !== undefined && others.length === 0) refusals.set(only, refusals.get(only) ?? outcome.message);
    if (refusals.size > 0) {
      const rest = stretch.map((message): Waiting => {
        const reason = refusals.get(message);
        return reason === undefined ? message : { ...message, content: { kind: "refused", reason } };
      });
      return await this.#store(subscription, rest);
    }
    const middle = stretch.indexOf(records[records.length >> 1] as Waiting);
    await this.#store(subscription, stretch.slice(0, middle));
    await this.#store(subscription, stretch.slice(middle));
  }

  async #handle(subscription: Subscription, control: Waiting): Promise<void> {
    const { target, events } = this.#shared;
    const { content } = control;
    const outcome = await this.#attempt(async (signal) => {
      if (content.kind === "file_complete") await target.fileComplete(this.#dataType, { ...content.message, messageId: control.messageId }, signal);
      if (content.kind === "extraction_complete") await target.extractionComplete(this.#dataType, content.message, this.#settlement.anyRefused, signal);
    });
    if (outcome === "stopped") return;
    if (outcome !== "done") return await this.#settlement.settle(subscription, [{ ...control, content: { kind: "refused", reason: outcome.message } }]);
    if (content.kind === "file_complete") events.fileComplete(this.#dataType, content.message);
    if (content.kind === "extraction_complete") {
      this.#settlement.anyRefused = false;
      events.extractionComplete(this.#dataType, content.message);
    }
    await this.#settlement.settle(subscription, [control]);
  }

  /**
   * Does something with the target until it succeeds or the records are refused. Also where the subscription is lost meanwhile: as long as
   * the target takes nothing, messages that came again would only be counted as delivered once more, and queues limit how often they are.
   */
  async #attempt(work: (signal: AbortSignal) => Promise<void>): Promise<Outcome> {
    const { events, signal } = this.#shared;
    for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
      const outcome = await unlessAborted(work(signal), signal).then(
        () => "done" as const,
        (error: unknown) => (error instanceof RecordRefused ? error : { error }),
      );
      if (outcome === "done" || outcome instanceof RecordRefused) {
        if (waitMs > WAIT_MS_MIN) events.targetAvailable(this.#dataType);
        return outcome;
      }
      if (this.#ended.aborted) return "stopped";
      events.targetUnavailable(this.#dataType, outcome.error, waitMs);
      await pause(waitMs, this.#ended).catch(() => {});
      if (this.#ended.aborted) return "stopped";
    }
  }
}

const NEVER = new AbortController().signal;

function isControl({ kind }: Content): boolean {
  return kind === "file_complete" || kind === "extraction_complete";
}
