import type { Channel, Connection, Envelope, ReturnedMessage } from "rabbitmq-client";
import { fault } from "#fault";
import { DumpError, systemCode } from "../../errors.ts";
import type { Condition } from "../../rabbitmq/condition.ts";
import type { RabbitConfig } from "../../rabbitmq/config.ts";
import { channelFailure, textOf, unavailable } from "../../rabbitmq/failures.ts";
import { type Link, withinTime } from "../../rabbitmq/link.ts";
import { SilenceClock } from "../../rabbitmq/silence-clock.ts";
import type { SinkEvents } from "../sink.ts";
import { type Answer, Answers } from "./answers.ts";
import { type ComeBack, type Headers, Message } from "./message.ts";
import { Resends } from "./resends.ts";
import type { Window } from "./window.ts";

/** Channels lost one after the other, without a confirm in between, after which a new one is no longer tried. */
const CHANNELS_LOST_MAX = 3;
/** Time before a channel is asked for again where the connection still stands. */
const CHANNEL_WAIT_MS = 200;
const CLOSE_MS = 2000;

/** What the writers of a sink share. */
export interface Shared {
  readonly config: RabbitConfig;
  readonly events: SinkEvents;
  readonly link: Link;
  readonly window: Window;
  readonly changed: Condition;
}

/** What is sent as one message. */
export interface Sending {
  readonly id: string;
  readonly body: Buffer;
  readonly headers: Headers | null;
}

/**
 * Publishes to one exchange on a channel of its own: ready → lost → ready …, until it fails or is closed. A message is held until the
 * broker has confirmed it: what comes back is sent again a few times, and everything unconfirmed is after a channel was lost.
 */
export class Publisher implements AsyncDisposable {
  readonly #shared: Shared;
  /** Where messages go; `messageId` changes with each, the client copies the rest. */
  readonly #envelope: Envelope;
  readonly #setUp: (channel: Channel) => Promise<void>;
  readonly #closing = new AbortController();
  readonly #resends: Resends;
  readonly #clock: SilenceClock;
  /** Null while there is none, or it is not yet set up. */
  #channel: Channel | null = null;
  /** The connection on which a channel is being opened and set up. */
  #preparing: Connection | null = null;
  /** In the order of their first sending. */
  readonly #unconfirmed = new Set<Message>();
  #handedOver = 0;
  #failure: { readonly error: DumpError } | null = null;
  readonly #answers = new Answers((ripe) => this.#settle(ripe));
  /** Ids of returned messages, and the broker's reason, until their acks come. */
  readonly #returned = new Map<string, string>();
  #channelsLost = 0;
  /** Since when channels are lost without a confirm in between. */
  #lostSince = 0;
  /** What the broker said when it closed the channel. */
  #lostReason: unknown = null;

  constructor(shared: Shared, envelope: Envelope, setUp: (channel: Channel) => Promise<void>) {
    this.#shared = shared;
    this.#envelope = envelope;
    this.#setUp = setUp;
    this.#resends = new Resends((messages) => this.#sendAgain(messages));
    this.#clock = new SilenceClock(shared.config.confirmTimeoutMs, {
      runs: () => !shared.link.blocked && (this.#preparing !== null || (this.#channel !== null && this.#unconfirmed.size > 0)),
      onTimeout: () => this.#onSilence(),
    });
  }

  /** Opens the channel and declares what is to be there. */
  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    void this.#establish();
    await this.#until(() => this.#channel !== null, signal);
  }

  /**
   * Waits until something may be sent, and takes room for as many of the bodies from `from` on as fit, at least one; resolves with the
   * index behind the last. They must be sent at once. `ends` as in a batch.
   */
  async reserve(ends: Uint32Array, from: number, signal: AbortSignal): Promise<number> {
    const { window, link } = this.#shared;
    let to = from;
    window.enqueue(this);
    try {
      await this.#until(() => {
        if (this.#channel === null || link.blocked) return false;
        to = window.take(this, ends, from);
        return to > from;
      }, signal);
    } finally {
      window.leave(this);
      this.#shared.changed.notify(); // the next in line
    }
    return to;
  }

  /** Sends a message for which room is taken; its body must not change any more. */
  send(id: string, body: Buffer, headers: Headers | null = null): void {
    this.#handedOver += 1;
    const message = new Message(id, body, headers, this.#handedOver);
    this.#unconfirmed.add(message);
    this.#hand(message);
  }

  /** Resolves once everything sent so far is confirmed, with its number. */
  async confirmed(signal: AbortSignal): Promise<number> {
    const last = this.#handedOver;
    await this.#until(() => {
      const [oldest] = this.#unconfirmed;
      return oldest === undefined || oldest.number > last;
    }, signal);
    return last;
  }

  #until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    return this.#shared.changed.until(() => {
      if (this.#failure !== null) throw this.#failure.error;
      return holds();
    }, signal);
  }

  #hand(message: Message): void {
    const channel = this.#channel;
    if (channel === null) return; // all are sent on the next one
    const answer = (nacked: boolean) => {
      if (this.#channel === channel) this.#answers.add({ message, nacked });
    };
    this.#envelope.messageId = message.id;
    const envelope = message.headers === null ? this.#envelope : { ...this.#envelope, headers: message.headers };
    channel.basicPublish(envelope, message.body).then(
      () => answer(false),
      (error: unknown) => {
        // Only a nack is the broker's answer; anything else is the end of the channel, which comes as its event too.
        if (systemCode(error) === "NACK") answer(true);
        else if (systemCode(error) !== "CH_CLOSE") this.#lostReason ??= error;
      },
    );
  }

  #settle(ripe: readonly Answer[]): void {
    let messages = 0;
    let bytes = 0;
    for (const { message, nacked } of ripe) {
      const returned = this.#returned.size === 0 ? undefined : this.#returned.get(message.id);
      if (nacked || returned !== undefined) {
        this.#returned.delete(message.id);
        if (this.#unconfirmed.has(message)) this.#retry(message, returned ?? null);
      } else if (this.#unconfirmed.delete(message)) {
        messages += 1;
        bytes += message.body.length;
      }
    }
    if (messages === 0) return;
    fault("message-confirmed");
    this.#channelsLost = 0;
    this.#clock.reset();
    this.#shared.window.give(messages, bytes);
    this.#shared.events.confirmed(messages, bytes);
    this.#shared.changed.notify();
  }

  #retry(message: Message, returned: string | null): void {
    message.failures += 1;
    if (this.#resends.add(message, returned === null ? "nacked" : "returned")) return;
    const { exchange } = this.#envelope;
    this.#fail(
      returned === null
        ? this.#error(
            `a queue behind exchange "${exchange}" rejected a message ${message.failures} times; make room in it or raise its limit, then start again`,
          )
        : this.#error(
            `exchange "${exchange}" returned a message ${message.failures} times (${returned}): no queue is bound to it; start the consumers, or declare and bind their queues, then start again`,
          ),
    );
  }

  /** False if it is not the time: they are kept. */
  #sendAgain(messages: ReadonlyMap<Message, ComeBack>): boolean {
    if (this.#shared.link.blocked) return false;
    if (this.#channel === null) return true; // all are sent on the next one
    const counts = { nacked: 0, returned: 0 };
    for (const [message, reason] of messages) {
      this.#hand(message);
      counts[reason] += 1;
    }
    for (const reason of ["nacked", "returned"] as const) if (counts[reason] > 0) this.#shared.events.resent(counts[reason], reason);
    return true;
  }

  /** A connection that answers no request for a channel is made anew; a channel that confirms nothing may confirm nothing ever. */
  #onSilence(): void {
    const { config, link } = this.#shared;
    const seconds = config.confirmTimeoutMs / 1000;
    if (this.#preparing === null) {
      this.#fail(this.#error(`no confirm for ${seconds} s; look at the queues' state and the broker's log`));
      return;
    }
    const error = new Error(`no answer to the opening of a channel or a declaration for ${seconds} s`);
    this.#lostReason ??= error;
    this.#clock.reset();
    link.drop(this.#preparing, error); // the request fails with it
  }

  /** Brings about a channel, however often that takes; it ends with one, a failure, or the publisher's closing. */
  async #establish(): Promise<void> {
    const { link, changed } = this.#shared;
    const { signal } = this.#closing;
    try {
      while (this.#failure === null) {
        const connection = await link.connection("reconnect", signal);
        await changed.until(() => !link.blocked, signal); // on a blocked connection nothing gets through
        const channel = await this.#prepare(connection);
        if (channel !== null) return this.#adopt(channel);
        this.#noteLoss(this.#lostReason);
        await changed.until(() => !link.up, AbortSignal.any([signal, AbortSignal.timeout(CHANNEL_WAIT_MS)])).catch(() => {});
        signal.throwIfAborted();
      }
    } catch (error) {
      if (!signal.aborted) this.#fail(error instanceof DumpError ? error : this.#error(textOf(error), error));
    }
  }

  /** A channel with everything declared, or null if it was lost on the way. */
  async #prepare(connection: Connection): Promise<Channel | null> {
    this.#lostReason = null;
    this.#preparing = connection;
    this.#clock.reset();
    let channel: Channel | null = null;
    try {
      const opened = await connection.acquire({ emitErrorsFromChannel: true });
      channel = opened;
      opened.on("error", (error: unknown) => {
        this.#lostReason ??= error;
      });
      opened.on("basic.return", (message: ReturnedMessage) => {
        if (this.#channel === opened) this.#onReturn(message);
      });
      opened.once("close", () => this.#onClose(opened));
      await this.#setUp(opened);
      await opened.confirmSelect();
      if (opened.active && !this.#closing.signal.aborted) return opened;
    } catch (error) {
      if (error instanceof DumpError) throw error;
      this.#lostReason ??= error;
    } finally {
      this.#preparing = null;
    }
    void channel?.close();
    return null;
  }

  #adopt(channel: Channel): void {
    this.#channel = channel;
    this.#clock.reset();
    if (this.#unconfirmed.size === 0) this.#channelsLost = 0; // nothing that a confirm could come for
    for (const message of this.#unconfirmed) this.#hand(message);
    if (this.#unconfirmed.size > 0) this.#shared.events.resent(this.#unconfirmed.size, "reconnected");
    this.#shared.changed.notify();
  }

  #onReturn({ messageId, replyCode, replyText }: ReturnedMessage): void {
    if (messageId !== undefined) this.#returned.set(messageId, `${replyCode} ${replyText}`);
  }

  #onClose(channel: Channel): void {
    if (this.#channel !== channel) return;
    this.#channel = null;
    // An ack counts only while the return that may belong to it can still come: what was not settled is sent again on the next channel.
    this.#answers.clear();
    this.#returned.clear();
    this.#resends.clear();
    // The reason, where it is a message's, comes with that message's rejection; and the link learns of its own loss.
    setImmediate(() => {
      if (this.#closing.signal.aborted) return;
      const { config, link } = this.#shared;
      const failure = link.up ? channelFailure(config, this.#envelope.exchange ?? "", config.declare, this.#lostReason) : null;
      if (failure !== null) return this.#fail(failure);
      this.#noteLoss(this.#lostReason);
      void this.#establish();
    });
  }

  /** Counts a channel that is gone, and fails when they go again and again. */
  #noteLoss(reason: unknown): void {
    const { config, link } = this.#shared;
    if (this.#channelsLost === 0) this.#lostSince = performance.now();
    this.#channelsLost += 1;
    // A lost connection has a time limit, a channel on a sound connection a count.
    const isTooLong = performance.now() - this.#lostSince > config.reconnectTimeoutMs;
    if (this.#channelsLost <= CHANNELS_LOST_MAX || (!link.up && !isTooLong)) return;
    if (!isTooLong && systemCode(reason) === "CH_CLOSE") return;
    this.#fail(this.#error(`the channel is lost again and again (${textOf(reason ?? "no reason given")}); look into the broker's log`, reason));
  }

  #error(text: string, cause?: unknown): DumpError {
    return unavailable(this.#shared.config, text, cause);
  }

  #fail(error: DumpError): void {
    if (this.#failure !== null) return;
    this.#failure = { error };
    this.#resends.clear();
    this.#shared.changed.notify();
  }

  /** Closes the channel; what is unconfirmed is left to its fate. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#resends.clear();
    this.#clock[Symbol.dispose]();
    let bytes = 0;
    for (const message of this.#unconfirmed) bytes += message.body.length;
    const left = this.#unconfirmed.size;
    this.#unconfirmed.clear();
    this.#shared.window.give(left, bytes);
    this.#shared.changed.notify();
    const channel = this.#channel;
    this.#channel = null;
    if (channel === null) return;
    const closed = channel.close();
    if (left === 0 && !this.#shared.link.blocked) await withinTime(closed, CLOSE_MS);
  }
}

/** Sends messages as far as there is room for them, and resolves once the last one is sent. */
export async function sendAll(publisher: Publisher, messages: readonly Sending[], signal: AbortSignal): Promise<void> {
  let end = -1;
  const ends = Uint32Array.from(messages, ({ body }) => {
    end += body.length + 1;
    return end;
  });
  for (let from = 0; from < messages.length; ) {
    const to = await publisher.reserve(ends, from, signal);
    for (const { id, body, headers } of messages.slice(from, to)) publisher.send(id, body, headers);
    from = to;
  }
}

/** Sends one message and waits for its confirm. */
export async function sendOne(publisher: Publisher, id: string, body: Buffer, signal: AbortSignal): Promise<void> {
  await sendAll(publisher, [{ id, body, headers: null }], signal);
  await publisher.confirmed(signal);
}
