import type { Channel, Envelope } from "rabbitmq-client";
import { DATA_TYPES, type SinkPosition } from "../../model.ts";
import { Condition } from "../../rabbitmq/condition.ts";
import { parseAmqpUrl, type RabbitConfig } from "../../rabbitmq/config.ts";
import { Link } from "../../rabbitmq/link.ts";
import { changesExchangeOf, changesKeyOf, declareForChanges, declareForPublisher, exchangeOf, routingKeyOf } from "../../rabbitmq/topology.ts";
import type { Sink, SinkEvents, SinkWriter, Target, VersionEnd } from "../sink.ts";
import { envelopeOf, extractionComplete, idPrefix } from "./messages.ts";
import { EachNotifier, type Notifier, SilentNotifier, SummaryNotifier } from "./notifier.ts";
import { Publisher, type Shared, sendOne } from "./publisher.ts";
import { TombstoneWriter } from "./tombstones.ts";
import { Window } from "./window.ts";
import { RabbitWriter } from "./writer.ts";

/** Upstream's patience with a broker that starts beside it: three attempts. */
const CHECK_WAITS_MS = [1000, 2000];

/** Opens the sink of an `amqp:` or `amqps:` URL. */
export function openRabbitSink(url: string, events: SinkEvents): RabbitSink {
  return new RabbitSink(parseAmqpUrl(url), events);
}

/**
 * Sends records to RabbitMQ as upstream's extractors do, one persistent, mandatory message a record, and counts on nothing that is not
 * confirmed. One connection for all writers, and one window of what may be unconfirmed.
 */
export class RabbitSink implements Sink {
  readonly name: string;
  readonly resumable = true;
  readonly #shared: Shared;

  constructor(config: RabbitConfig, events: SinkEvents) {
    this.name = config.name;
    const changed = new Condition();
    const window = new Window(config.windowMessages, config.windowBytes);
    this.#shared = { config, events, changed, window, link: new Link(config, events, changed) };
  }

  async check(signal: AbortSignal): Promise<void> {
    await this.#shared.link.connection({ waitsMs: CHECK_WAITS_MS }, signal);
  }

  /** What was confirmed has gone to the consumers' queues. */
  async holds(): Promise<boolean> {
    return true;
  }

  /** Only consumers of the fanout contract know of versions; each of its exchanges is told, whatever becomes of the others. */
  async announce(end: VersionEnd, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (end.contract !== "fanout") return;
    const body = extractionComplete(end, new Date());
    const outcomes = await Promise.allSettled(
      DATA_TYPES.map(async (dataType) => {
        const target = { version: end.version, contract: end.contract, dataType, stream: "records" } as const;
        await using publisher = await this.#openRecords(target, signal);
        await sendOne(publisher, `${idPrefix(target)}extraction_complete`, body, signal);
      }),
    );
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** Goes on where the confirms ended; nothing behind that can be taken back, but every message keeps its id. */
  async open(target: Target, position: SinkPosition | null, signal: AbortSignal): Promise<SinkWriter> {
    const { config, events } = this.#shared;
    const before = Number(position?.["messages"] ?? 0);
    if (target.stream === "deletions") return new TombstoneWriter(target, await this.#openChanges(target, signal), before, events);
    const notifier = this.#notifier(target, position);
    return new RabbitWriter({ target, publisher: await this.#openRecords(target, signal), notifier, before, changeTypeInBody: config.changeTypeInBody });
  }

  #notifier(target: Target, position: SinkPosition | null): Notifier {
    const open = (signal: AbortSignal) => this.#openChanges(target, signal);
    const { changeNotifications: mode } = this.#shared.config;
    if (mode === "off") return new SilentNotifier();
    return mode === "each" ? new EachNotifier(target, open) : new SummaryNotifier(target, open, position);
  }

  #openRecords(target: Target, signal: AbortSignal): Promise<Publisher> {
    const { config } = this.#shared;
    const envelope = envelopeOf(target.contract, exchangeOf(config, target), routingKeyOf(target));
    return this.#open(envelope, (channel) => declareForPublisher(channel, config, target), signal);
  }

  /** Changes are told to whoever has bound a queue, and nobody is no fault. */
  #openChanges({ contract, dataType }: Target, signal: AbortSignal): Promise<Publisher> {
    const { config } = this.#shared;
    const envelope = envelopeOf(contract, changesExchangeOf(config, contract), changesKeyOf(dataType), false);
    return this.#open(envelope, (channel) => declareForChanges(channel, config, contract), signal);
  }

  async #open(envelope: Envelope, setUp: (channel: Channel) => Promise<void>, signal: AbortSignal): Promise<Publisher> {
    const publisher = new Publisher(this.#shared, envelope, setUp);
    try {
      await publisher.open(signal);
      return publisher;
    } catch (error) {
      await publisher[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shared.link[Symbol.asyncDispose]();
  }
}
