import type { AsyncMessage, Channel } from "rabbitmq-client";
import { DumpError } from "../errors.ts";
import type { RabbitConfig } from "../rabbitmq/config.ts";
import { consumeFailure, textOf } from "../rabbitmq/failures.ts";
import { type Link, withinTime } from "../rabbitmq/link.ts";
import { pause } from "./pause.ts";

/** Time for opening a channel and declaring; a connection on which it is not answered is made anew. */
const SET_UP_MS = 30_000;
const CLOSE_MS = 2_000;
/** Waits before a subscription is tried again. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;

/** Which queue is read, and how far ahead. */
export interface QueueSource {
  readonly config: RabbitConfig;
  readonly queue: string;
  /** As the broker shows who reads. */
  readonly consumerTag: string;
  /** Messages that may be unacknowledged. */
  readonly prefetch: number;
  /** Declares the queue with what belongs to it. */
  declare(channel: Channel): Promise<void>;
}

/** A message as it came from the queue. */
export interface Received {
  /** Its place among those of the channel: 1, 2, 3, … */
  readonly tag: number;
  readonly body: Buffer;
  readonly messageId: string | null;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly redelivered: boolean;
}

/** Who hears of a subscription. */
export interface Listener {
  message(message: Received): void;
  /** Nothing more will come. */
  lost(): void;
}

/** Opens a channel, declares the queue with what belongs to it, and consumes. Throws what the broker says, or a DumpError. */
export async function subscribe(link: Link, source: QueueSource, listener: Listener, signal: AbortSignal): Promise<Subscription> {
  const connection = await link.connection("reconnect", signal);
  const timer = setTimeout(() => {
    link.drop(connection, new Error(`no answer to the opening of a channel or a declaration for ${SET_UP_MS / 1000} s`)); // the request fails with it
  }, SET_UP_MS);
  try {
    const channel = await connection.acquire({ emitErrorsFromChannel: true });
    const subscription = new Subscription(channel, source, listener);
    try {
      await subscription.start();
      return subscription;
    } catch (error) {
      void subscription.close();
      throw error;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** How it is tried again to subscribe. */
export interface Patience {
  /** It has worked before: nothing is taken for a fault of the start any more. */
  readonly hasStood: boolean;
  /** The next attempt comes after `waitMs`. */
  onFailure(reason: string, waitMs: number): void;
  readonly ended: AbortSignal;
}

/** A subscription, however long that takes; null: it is time to end. Throws a DumpError if it cannot even begin. */
export async function subscribePatiently(attempt: () => Promise<Subscription>, { hasStood, onFailure, ended }: Patience): Promise<Subscription | null> {
  for (let waitMs = WAIT_MS_MIN; !ended.aborted; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
    try {
      return await attempt();
    } catch (error) {
      if (ended.aborted) return null;
      if (!hasStood && error instanceof DumpError) throw error;
      onFailure(textOf(error), waitMs);
    }
    await pause(waitMs, ended).catch(() => {});
  }
  return null;
}

/** One channel that consumes one queue: open until it is lost or closed, and never open again. */
export class Subscription {
  readonly queue: string;
  readonly #channel: Channel;
  readonly #source: QueueSource;
  readonly #listener: Listener;
  #tags = 0;
  #lost: string | null = null;

  constructor(channel: Channel, source: QueueSource, listener: Listener) {
    this.queue = source.queue;
    this.#channel = channel;
    this.#source = source;
    this.#listener = listener;
    channel.on("error", (error: unknown) => this.#lose(textOf(error)));
    channel.once("close", () => this.#lose("the channel is closed"));
    channel.on("basic.cancel", () => this.#lose("the broker has cancelled the consumer"));
  }

  /** Has messages come. */
  async start(): Promise<void> {
    const { config, consumerTag, prefetch } = this.#source;
    await this.#source.declare(this.#channel);
    await this.#channel.basicQos({ prefetchCount: prefetch });
    try {
      await this.#channel.basicConsume({ queue: this.queue, consumerTag }, (message) => this.#take(message));
    } catch (error) {
      throw consumeFailure(config, this.queue, error);
    }
  }

  /** Why nothing comes any more; null: it is open. */
  get lost(): string | null {
    return this.#lost;
  }

  /** Acknowledges this message and all before it that are not settled. */
  ackUpTo(tag: number): void {
    if (this.#lost === null) this.#channel.basicAck({ deliveryTag: tag, multiple: true });
  }

  /** Gives one message to the dead letters that the queue has. */
  refuse(tag: number): void {
    if (this.#lost === null) this.#channel.basicNack({ deliveryTag: tag, requeue: false });
  }

  /** Messages in the queue that nobody has taken. */
  async waiting(): Promise<number> {
    return (await this.#channel.queueDeclare({ queue: this.queue, passive: true })).messageCount;
  }

  /** Nothing more is to come; what has come can still be acknowledged. */
  async cancel(): Promise<void> {
    if (this.#lost === null) await withinTime(this.#channel.basicCancel(this.#source.consumerTag), CLOSE_MS);
  }

  /** What is not acknowledged goes back to the queue. */
  async close(): Promise<void> {
    this.#lose("closed");
    await withinTime(this.#channel.close(), CLOSE_MS);
  }

  #take(message: AsyncMessage): void {
    if (this.#lost !== null) return;
    this.#tags += 1;
    // An acknowledgement covers every tag before its own, so that one which never came here would be lost with it.
    const { deliveryTag: tag, body, messageId = null, headers = {}, redelivered } = message;
    if (tag === this.#tags) this.#listener.message({ tag, body: bytesOf(body), messageId, headers, redelivered });
    else this.#lose(`message ${tag} came where ${this.#tags} was due`);
  }

  #lose(reason: string): void {
    if (this.#lost !== null) return;
    this.#lost = reason;
    this.#listener.lost();
  }
}

/** The client has parsed the body where its publisher left out the encoding. */
function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === "string" ? body : (JSON.stringify(body) ?? ""));
}
