import type { Channel } from "rabbitmq-client";
import { type Contract, DATA_TYPES, type DataType } from "../model.ts";
import { DEFAULT_EXCHANGES, type QueueType, type RabbitConfig } from "./config.ts";
import { declareFailure } from "./failures.ts";

/** Upstream's consumers. With the topic exchange the queues of both are declared, so that nothing is lost before they first start. */
export const CONSUMERS = ["graphinator", "tableinator"] as const;
export type ConsumerName = (typeof CONSUMERS)[number];
/** Deliveries of a message after which a quorum queue gives it to its dead letters. */
const DELIVERY_LIMIT = 20;
const DEAD_LETTER_QUEUE = { "x-queue-type": "classic" } as const;

/** What the exchange of messages goes by. */
export interface Route {
  readonly contract: Contract;
  readonly dataType: DataType;
}

/** The exchange that the messages of a data type go to. */
export function exchangeOf(config: RabbitConfig, { contract, dataType }: Route): string {
  return contract === "topic" ? topicExchange(config) : `${config.exchange ?? DEFAULT_EXCHANGES.fanout}-${dataType}`;
}

function topicExchange({ exchange }: RabbitConfig): string {
  return exchange ?? DEFAULT_EXCHANGES.topic;
}

/** The key that they carry. */
export function routingKeyOf({ contract, dataType }: Route): string {
  return contract === "topic" ? dataType : "";
}

/** The topic exchange on which changes are told: that of the records, or one of its own beside the fanout exchanges. */
export function changesExchangeOf(config: RabbitConfig, contract: Contract): string {
  return contract === "topic" ? topicExchange(config) : `${config.exchange ?? DEFAULT_EXCHANGES.fanout}-changes`;
}

/** The key that the changes of a data type carry. */
export function changesKeyOf(dataType: DataType): string {
  return `${dataType}.changes`;
}

/** The queue from which a consumer takes them. */
export function queueOf({ exchange }: RabbitConfig, consumer: ConsumerName, { contract, dataType }: Route): string {
  return contract === "topic" ? `discogsography-${consumer}-${dataType}` : `${exchange ?? DEFAULT_EXCHANGES.fanout}-${consumer}-${dataType}`;
}

/** The queue for messages that a consumer has refused. */
export function deadLetterQueueOf(queue: string): string {
  return `${queue}.dlq`;
}

/** Whether the broker gives what is refused to the queue's dead letters by itself; the classic queues of the topic contract drop it. */
export function isDeadLettered({ queueType }: RabbitConfig, contract: Contract): boolean {
  return contract === "fanout" || queueType === "quorum";
}

/** Declares what the contract has the extractor declare; all of it may be there already. Throws where the broker refuses. */
export async function declareForPublisher(channel: Channel, config: RabbitConfig, route: Route): Promise<void> {
  if (!config.declare) return;
  if (route.contract === "fanout") return new Declarations(channel, config).exchange(exchangeOf(config, route), "fanout");
  await declareTopicExchanges(channel, config);
  for (const consumer of CONSUMERS) for (const dataType of DATA_TYPES) await declareTopicQueue(channel, config, consumer, dataType);
}

/** Declares the exchange of changes; queues are for those who want to hear of them. */
export async function declareForChanges(channel: Channel, config: RabbitConfig, contract: Contract): Promise<void> {
  if (config.declare) await new Declarations(channel, config).exchange(changesExchangeOf(config, contract), "topic");
}

/** The queue from which a service takes changes; in the topic contract it is called as upstream's. */
export function changesQueueOf({ exchange }: RabbitConfig, service: string, contract: Contract): string {
  return contract === "topic" ? `discogsography-${service}-changes` : `${exchange ?? DEFAULT_EXCHANGES.fanout}-${service}-changes`;
}

/** A service's queue of changes. */
export interface ChangesQueue {
  readonly service: string;
  readonly contract: Contract;
  /** What it is bound to: keys, or patterns of them. */
  readonly keys: readonly string[];
  /** Days without a reader after which the broker removes it with all that it holds; 0: never. */
  readonly expiresDays: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Declares a service's queue of changes with its dead letters; all of it may be there already. */
export async function declareForChangesConsumer(channel: Channel, config: RabbitConfig, { service, contract, keys, expiresDays }: ChangesQueue): Promise<void> {
  if (!config.declare) return;
  const broker = new Declarations(channel, config);
  const queue = changesQueueOf(config, service, contract);
  await declareForChanges(channel, config, contract);
  const toMatch = "give the days of --queue-expires-days (queueExpiresDays) that it was declared with, 0 if with none, or another service";
  await broker.queue(queue, expiresDays === 0 ? null : { "x-expires": expiresDays * DAY_MS }, toMatch);
  for (const key of keys) await broker.binding(queue, changesExchangeOf(config, contract), key);
  await declareDeadLetters(channel, config, queue);
}

/** Declares the queue for messages that the broker itself would not keep; refused ones are published to it. */
export async function declareDeadLetters(channel: Channel, config: RabbitConfig, queue: string): Promise<void> {
  await new Declarations(channel, config).queue(deadLetterQueueOf(queue), DEAD_LETTER_QUEUE);
}

/** Declares what the contract has a consumer declare for one of its queues, dead letters for all of them; all of it may be there already. */
export async function declareForConsumer(channel: Channel, config: RabbitConfig, consumer: ConsumerName, route: Route): Promise<void> {
  if (!config.declare) return;
  const broker = new Declarations(channel, config);
  const queue = queueOf(config, consumer, route);
  if (route.contract === "topic") {
    await declareTopicExchanges(channel, config);
    await declareTopicQueue(channel, config, consumer, route.dataType);
    if (!isDeadLettered(config, route.contract)) await declareDeadLetters(channel, config, queue);
    return;
  }
  const exchange = exchangeOf(config, route);
  const deadLetters = `${queue}.dlx`;
  await broker.exchange(exchange, "fanout");
  await broker.exchange(deadLetters, "fanout");
  await broker.queue(deadLetterQueueOf(queue), DEAD_LETTER_QUEUE);
  await broker.binding(deadLetterQueueOf(queue), deadLetters, "");
  await broker.queue(queue, quorumArguments(deadLetters));
  await broker.binding(queue, exchange, "");
}

async function declareTopicExchanges(channel: Channel, config: RabbitConfig): Promise<void> {
  const broker = new Declarations(channel, config);
  const exchange = topicExchange(config);
  await broker.exchange(exchange, "topic");
  if (config.queueType === "quorum") await broker.exchange(`${exchange}.dlx`, "topic");
}

/** A queue of the topic contract, bound to the exchange that is there. */
async function declareTopicQueue(channel: Channel, config: RabbitConfig, consumer: ConsumerName, dataType: DataType): Promise<void> {
  const broker = new Declarations(channel, config);
  const exchange = topicExchange(config);
  const deadLetters = `${exchange}.dlx`;
  const queue = queueOf(config, consumer, { contract: "topic", dataType });
  await broker.queue(queue, config.queueType === "classic" ? null : quorumArguments(deadLetters));
  await broker.binding(queue, exchange, dataType);
  if (config.queueType === "classic") return;
  await broker.queue(deadLetterQueueOf(queue), DEAD_LETTER_QUEUE);
  await broker.binding(deadLetterQueueOf(queue), deadLetters, dataType);
}

function quorumArguments(deadLetters: string): QueueArguments {
  return { "x-queue-type": "quorum" satisfies QueueType, "x-dead-letter-exchange": deadLetters, "x-delivery-limit": DELIVERY_LIMIT };
}

type QueueArguments = Readonly<Record<string, string | number>>;

/** Declarations whose refusals say what was refused. */
class Declarations {
  readonly #channel: Channel;
  readonly #config: RabbitConfig;

  constructor(channel: Channel, config: RabbitConfig) {
    this.#channel = channel;
    this.#config = config;
  }

  async exchange(exchange: string, type: ExchangeType): Promise<void> {
    await this.#try(`exchange "${exchange}"`, "choose another exchange", () => this.#channel.exchangeDeclare({ exchange, type, durable: true }));
  }

  async queue(queue: string, queueArguments: QueueArguments | null, toMatch = "choose queue_type=classic or queue_type=quorum to match it"): Promise<void> {
    const extra = queueArguments === null ? {} : { arguments: { ...queueArguments } };
    await this.#try(`queue "${queue}"`, toMatch, () => this.#channel.queueDeclare({ queue, durable: true, ...extra }));
  }

  async binding(queue: string, exchange: string, routingKey: string): Promise<void> {
    const what = `binding of queue "${queue}" to exchange "${exchange}"`;
    await this.#try(what, "choose another exchange", () => this.#channel.queueBind({ queue, exchange, routingKey }));
  }

  async #try(what: string, toMatch: string, declare: () => Promise<unknown>): Promise<void> {
    try {
      await declare();
    } catch (error) {
      throw declareFailure(this.#config, what, toMatch, error);
    }
  }
}

type ExchangeType = "topic" | "fanout";
