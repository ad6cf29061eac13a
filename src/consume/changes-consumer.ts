import { CONTRACTS, type Contract } from "../model.ts";
import { parseAmqpUrl, QUEUE_EXPIRES_DAYS, QUEUE_EXPIRES_DAYS_MAX } from "../rabbitmq/config.ts";
import { textOf } from "../rabbitmq/failures.ts";
import type { Change, ChangeMessage, ChangeSummary } from "./change.ts";
import { type ChangesEvents, consumeChanges } from "./changes-reader.ts";
import { pause } from "./pause.ts";
import type { Refusal } from "./target.ts";

/** Longest wait before a change is given to `process` again. */
const WAIT_MS_MAX = 30_000;
const SERVICE = /^[A-Za-z0-9._:-]{1,100}$/;

/** Which changes a {@link ChangesConsumer} gets, and how. */
export interface ChangesConsumerOptions {
  /** The broker: `amqp://USER:PASSWORD@HOST:PORT/VHOST`, with the settings that sinks take. */
  readonly url: string;
  /** Names the queue, `discogsography-SERVICE-changes`; who has the same name shares it. */
  readonly service: string;
  /** The contract of the publisher; `topic` if it is left out. */
  readonly contract?: Contract;
  /** Messages that the broker gives out ahead; 50. */
  readonly prefetch?: number;
  /** How often `process` may fail for one change, before it goes to the dead letters; 5. */
  readonly attempts?: number;
  /** The wait after the first failure, which then doubles up to 30 s; 1,000. */
  readonly backoffMs?: number;
  /** Days without a reader after which the broker removes the queue with all that it holds, 1 to 49, or 0: never; 45. */
  readonly queueExpiresDays?: number;
  /** Hears what happens beside the changes, one line each. */
  readonly onNote?: (text: string) => void;
}

/**
 * Consumes changes of records: extend it, write `process`, call `run`. A change is acknowledged once `process` has resolved, and comes again
 * if the process ends before that. What `process` throws is tried again, and at last goes to the dead letters; the next change follows.
 */
export abstract class ChangesConsumer {
  readonly #options: ChangesConsumerOptions;
  readonly #stopping = new AbortController();

  constructor(options: ChangesConsumerOptions) {
    if (!SERVICE.test(options.service)) throw new TypeError("service: give 1 to 100 letters, digits, dots, colons, dashes or underscores");
    if (options.contract !== undefined && !CONTRACTS.includes(options.contract)) throw new TypeError(`contract: give one of ${CONTRACTS.join(", ")}`);
    for (const key of ["prefetch", "attempts"] as const) {
      const value = options[key] ?? 1;
      if (!Number.isInteger(value) || value < 1 || value > 65_535) throw new TypeError(`${key}: give a whole number from 1 to 65535`);
    }
    const { queueExpiresDays: days = QUEUE_EXPIRES_DAYS } = options;
    if (!Number.isInteger(days) || days < 0 || days > QUEUE_EXPIRES_DAYS_MAX) {
      throw new TypeError(`queueExpiresDays: give a whole number from 0 to ${QUEUE_EXPIRES_DAYS_MAX}`);
    }
    this.#options = options;
  }

  /** Deals with one change; another one follows when it has resolved. `signal` says that the change will come again, whatever becomes of this. */
  abstract process(change: Change, signal: AbortSignal): Promise<void> | void;

  /** Deals with a summary, which a publisher with CHANGE_NOTIFICATIONS=summary sends instead of each change; by itself it does nothing. */
  processSummary(_summary: ChangeSummary, _signal: AbortSignal): Promise<void> | void {}

  /** Consumes until it is stopped; waits for a broker that goes away. Throws a DumpError if it cannot begin. */
  async run(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const { url, service, contract = "topic", prefetch = 50, queueExpiresDays: expiresDays = QUEUE_EXPIRES_DAYS } = this.#options;
    const options = { config: parseAmqpUrl(url, "broker"), contract, service, keys: ["*.changes"], expiresDays, prefetch, batchSize: 1 };
    const take = async (messages: readonly ChangeMessage[], lost: AbortSignal) => await this.#take(messages, lost);
    await consumeChanges(options, { take }, this.#events(), { stopping: this.#stopping.signal, signal });
  }

  /** Has `run` end behind the change that is under way; what was not dealt with stays in the queue. */
  stop(): void {
    this.#stopping.abort();
  }

  async #take(messages: readonly ChangeMessage[], signal: AbortSignal): Promise<Refusal[]> {
    const refusals: Refusal[] = [];
    for (const [index, message] of messages.entries()) {
      const reason = await this.#try(message, signal);
      if (reason !== null) refusals.push({ index, reason });
    }
    return refusals;
  }

  /** Why `process` has failed for the last time; null: it has not. */
  async #try({ content, messageId }: ChangeMessage, signal: AbortSignal): Promise<string | null> {
    const { attempts = 5, backoffMs = 1000 } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (content.kind === "change") await this.process(content.change, signal);
        else await this.processSummary(content.summary, signal);
        return null;
      } catch (error) {
        signal.throwIfAborted(); // it comes again, so that this was no attempt
        const reason = textOf(error);
        if (attempt >= attempts) return `failed ${attempt} times: ${reason}`;
        const waitMs = Math.min(backoffMs * 2 ** (attempt - 1), WAIT_MS_MAX);
        this.#note(`message ${messageId ?? "without id"} failed (attempt ${attempt} of ${attempts}): ${reason}; trying again in ${waitMs / 1000} s`);
        await pause(waitMs, AbortSignal.any([signal, this.#stopping.signal]));
      }
    }
  }

  #events(): ChangesEvents {
    const note = (text: string) => this.#note(text);
    return {
      lost: (reason) => note(`lost the connection to the broker: ${reason}`),
      reconnecting: (reason, attempt, waitMs) => note(`connecting again in ${waitMs / 1000} s (attempt ${attempt}): ${reason}`),
      connected: () => note("connected to the broker"),
      blocked() {},
      unblocked() {},
      changesSubscribed: (queue) => note(`consuming ${queue}`),
      changesUnsubscribed: (reason) => note(`no more changes: ${reason}`),
      changeDeadLettered: ({ messageId, reason, queue }) => note(`message ${messageId ?? "without id"} goes to the dead letters of ${queue}: ${reason}`),
      changeDeadLetterDelayed: (reason, waitMs) => note(`a message cannot be given to the dead letters: ${reason}; trying again in ${waitMs / 1000} s`),
    };
  }

  #note(text: string): void {
    this.#options.onNote?.(text);
  }
}
