/**
 * Reads a service's queue of changes:
 *
 *     subscribing → reading ⇄ taking → … → lost → subscribing → …        until it is told to stop
 *
 * Messages are taken in the order of the queue, a few at a time, and acknowledged once they are dealt with; what is refused goes to the
 * queue's dead letters first. Whatever happens in between, the rest comes again.
 */
import type { Channel } from "rabbitmq-client";
import { Condition } from "../rabbitmq/condition.ts";
import type { RabbitConfig } from "../rabbitmq/config.ts";
import { Link, type LinkEvents } from "../rabbitmq/link.ts";
import { type ChangesQueue, changesQueueOf, declareForChangesConsumer } from "../rabbitmq/topology.ts";
import { type ChangeMessage, changeContentOf } from "./change.ts";
import type { Ending } from "./consumer.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { DeadLetter } from "./events.ts";
import { type QueueSource, type Received, type Subscription, subscribe, subscribePatiently } from "./subscription.ts";
import type { Refusal } from "./target.ts";

/** Which queue of changes is read, and how far ahead. */
export interface ChangesOptions extends ChangesQueue {
  readonly config: RabbitConfig;
  /** Messages that may be unacknowledged. */
  readonly prefetch: number;
  /** Messages that are taken at a time. */
  readonly batchSize: number;
}

/** Where changes go. */
export interface ChangesTarget {
  /** Deals with messages, in their order, and says which of them it refuses for good; `signal` ends it where they will come again. What it throws ends the reading. */
  take(messages: readonly ChangeMessage[], signal: AbortSignal): Promise<readonly Refusal[]>;
}

/** Hears what a reader of changes does; it goes on by itself. */
export interface ChangesEvents extends LinkEvents {
  changesSubscribed(queue: string): void;
  changesUnsubscribed(reason: string): void;
  changeDeadLettered(letter: DeadLetter): void;
  /** A message could not be published to the dead letters; it is tried again after `waitMs`. */
  changeDeadLetterDelayed(reason: string, waitMs: number): void;
}

/** Brings the changes of a queue to a target until it is told to end. Throws a DumpError if it cannot begin. */
export async function consumeChanges(options: ChangesOptions, target: ChangesTarget, events: ChangesEvents, ending: Ending): Promise<void> {
  await using link = new Link(options.config, events, new Condition());
  await using deadLetters = new DeadLetters(options.config);
  await new ChangesReader(options, { link, deadLetters, target, events, ...ending }).run();
}

interface Parts extends Ending {
  readonly link: Link;
  readonly deadLetters: DeadLetters;
  readonly target: ChangesTarget;
  readonly events: ChangesEvents;
}

class ChangesReader {
  readonly #options: ChangesOptions;
  readonly #source: QueueSource;
  readonly #parts: Parts;
  readonly #ended: AbortSignal;
  readonly #changed = new Condition();
  #subscription: Subscription | null = null;
  /** Raised when the subscription is lost: what is under way will come again. */
  #lost = new AbortController();
  #waiting: Received[] = [];

  constructor(options: ChangesOptions, parts: Parts) {
    const { config, contract, service, prefetch } = options;
    const declare = (channel: Channel) => declareForChangesConsumer(channel, config, options);
    this.#source = { config, queue: changesQueueOf(config, service, contract), consumerTag: `${service}-changes`, prefetch, declare };
    this.#options = options;
    this.#parts = parts;
    this.#ended = AbortSignal.any([parts.stopping, parts.signal]);
  }

  async run(): Promise<void> {
    const onEnd = () => {
      void this.#subscription?.cancel().catch(() => {});
      this.#changed.notify();
    };
    this.#ended.addEventListener("abort", onEnd);
    try {
      for (let hasStood = false; ; hasStood = true) {
        this.#subscription = await this.#subscribe(hasStood);
        if (this.#subscription === null) return;
        await this.#read(this.#subscription);
      }
    } finally {
      this.#ended.removeEventListener("abort", onEnd);
      await this.#subscription?.close();
    }
  }

  async #subscribe(hasStood: boolean): Promise<Subscription | null> {
    const { link, events } = this.#parts;
    const onFailure = (reason: string, waitMs: number) => events.changesUnsubscribed(`${reason}; trying again in ${waitMs / 1000} s`);
    const attempt = async () => {
      const waiting: Received[] = [];
      const lost = new AbortController();
      this.#waiting = waiting;
      this.#lost = lost;
      const listener = {
        message: (message: Received) => {
          waiting.push(message);
          this.#changed.notify();
        },
        lost: () => {
          lost.abort(new Error("the subscription is lost"));
          this.#changed.notify();
        },
      };
      return await subscribe(link, this.#source, listener, this.#ended);
    };
    const subscription = await subscribePatiently(attempt, { hasStood, onFailure, ended: this.#ended });
    if (subscription !== null) events.changesSubscribed(subscription.queue);
    return subscription;
  }

  /** Takes what comes until the subscription is lost, or it is time to end. */
  async #read(subscription: Subscription): Promise<void> {
    const isOver = () => subscription.lost !== null || this.#ended.aborted;
    const waiting = this.#waiting;
    for (;;) {
      await this.#changed.until(() => isOver() || waiting.length > 0, NEVER);
      if (isOver()) break;
      await this.#next(subscription, waiting.splice(0, this.#options.batchSize));
    }
    if (!this.#ended.aborted) this.#parts.events.changesUnsubscribed(subscription.lost ?? "");
    await subscription.close();
  }

  async #next(subscription: Subscription, batch: readonly Received[]): Promise<void> {
    const sound: { readonly received: Received; readonly message: ChangeMessage }[] = [];
    const refused = new Map<Received, string>();
    for (const received of batch) {
      const { body, headers, messageId, redelivered } = received;
      const content = changeContentOf(body, headers);
      if (content.kind === "refused") refused.set(received, content.reason);
      else sound.push({ received, message: { content, messageId, redelivered } });
    }
    const lost = this.#lost.signal;
    const signal = AbortSignal.any([this.#ended, lost]);
    const breaking = AbortSignal.any([this.#parts.signal, lost]); // what is under way may end well when it is time to stop
    try {
      const messages = sound.map(({ message }) => message);
      const refusals = messages.length === 0 ? [] : await this.#parts.target.take(messages, breaking);
      for (const { index, reason } of refusals) {
        const received = sound[index]?.received;
        if (received !== undefined) refused.set(received, reason);
      }
      for (const received of batch) await this.#bury(received, refused.get(received), signal);
    } catch (error) {
      if (signal.aborted) return; // all of them come again
      throw error;
    }
    const last = batch.at(-1);
    if (last !== undefined) subscription.ackUpTo(last.tag);
  }

  async #bury({ body, messageId, headers }: Received, reason: string | undefined, signal: AbortSignal): Promise<void> {
    if (reason === undefined) return;
    const { deadLetters, events } = this.#parts;
    const { queue } = this.#source;
    await deadLetters.publish({ queue, body, messageId, headers, reason }, (why, waitMs) => events.changeDeadLetterDelayed(why, waitMs), signal);
    events.changeDeadLettered({ queue, messageId, reason });
  }
}

const NEVER = new AbortController().signal;
