import type { Channel } from "rabbitmq-client";
import { Condition } from "../rabbitmq/condition.ts";
import type { RabbitConfig } from "../rabbitmq/config.ts";
import { textOf } from "../rabbitmq/failures.ts";
import { Link, type LinkEvents, unlessAborted } from "../rabbitmq/link.ts";
import { deadLetterQueueOf, declareDeadLetters } from "../rabbitmq/topology.ts";
import { pause } from "./pause.ts";

const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;
/** A message that is returned is confirmed too; the client tells of the return a turn later. */
const TURNS = 2;
/** The client stamps a message with the time unless the field is there. */
const NO_TIMESTAMP = { timestamp: undefined } as unknown as { readonly timestamp?: number };
/** The consumer's connection tells how the broker is; this one would only say it twice. */
const SILENT: LinkEvents = { lost() {}, reconnecting() {}, connected() {}, blocked() {}, unblocked() {} };

/** A refused message on its way to its dead letters. */
export interface Refused {
  readonly queue: string;
  readonly body: Buffer;
  readonly messageId: string | null;
  /** As they came: whoever moves the message back moves a whole one. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly reason: string;
}

/**
 * Publishes refused messages to the dead letters of queues for which the broker has none. On a connection of its own: a broker that is
 * short of memory stops reading from those that publish, and acknowledgements are what gives it room.
 */
export class DeadLetters implements AsyncDisposable {
  readonly #config: RabbitConfig;
  readonly #link: Link;
  #channel: Promise<Channel> | null = null;
  readonly #declared = new Set<string>();
  /** Queues whose last message came back. No two messages are on their way to one queue. */
  readonly #returned = new Set<string>();

  constructor(config: RabbitConfig) {
    this.#config = config;
    this.#link = new Link(config, SILENT, new Condition());
  }

  /** Resolves once the broker has the message for good; tries again until then, and tells why. Throws the signal's reason. */
  async publish(refused: Refused, onDelay: (reason: string, waitMs: number) => void, signal: AbortSignal): Promise<void> {
    for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
      signal.throwIfAborted();
      try {
        return await unlessAborted(this.#attempt(refused, signal), signal);
      } catch (error) {
        signal.throwIfAborted();
        onDelay(textOf(error), waitMs);
      }
      await pause(waitMs, signal);
    }
  }

  async #attempt({ queue, body, messageId, headers: given, reason }: Refused, signal: AbortSignal): Promise<void> {
    const channel = await this.#open(signal);
    const routingKey = deadLetterQueueOf(queue);
    if (this.#config.declare && !this.#declared.has(routingKey)) await declareDeadLetters(channel, this.#config, queue);
    this.#declared.add(routingKey);
    this.#returned.delete(routingKey);
    const headers = { ...plain(given), "x-deadwax-reason": reason };
    const properties = { durable: true, mandatory: true, contentType: "application/json", contentEncoding: "UTF-8", headers, ...NO_TIMESTAMP };
    await channel.basicPublish({ routingKey, ...properties, ...(messageId === null ? {} : { messageId }) }, body);
    for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    if (!this.#returned.delete(routingKey)) return;
    this.#declared.delete(routingKey);
    throw new Error(`there is no queue "${routingKey}"`);
  }

  #open(signal: AbortSignal): Promise<Channel> {
    this.#channel ??= this.#openChannel(signal).catch((error: unknown) => {
      this.#channel = null;
      throw error;
    });
    return this.#channel;
  }

  async #openChannel(signal: AbortSignal): Promise<Channel> {
    const connection = await this.#link.connection("reconnect", signal);
    const channel = await connection.acquire({ emitErrorsFromChannel: true });
    channel.on("error", () => {}); // comes with what was asked of it
    channel.once("close", () => {
      this.#channel = null;
    });
    channel.on("basic.return", ({ routingKey }) => this.#returned.add(routingKey));
    this.#declared.clear();
    await channel.confirmSelect();
    return channel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }
}

/** Headers of simple values; what brokers add on the way, such as x-death, tells of a way that is over. */
function plain(headers: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const simple = Object.entries(headers).filter((entry): entry is [string, string | number | boolean] =>
    ["string", "number", "boolean"].includes(typeof entry[1]),
  );
  return Object.fromEntries(simple);
}
