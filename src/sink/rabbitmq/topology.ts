import type { Channel } from "rabbitmq-client";
import { DATA_TYPES, type DataType } from "../../model.ts";
import type { Target } from "../sink.ts";
import { DEFAULT_EXCHANGES, type QueueType, type RabbitConfig } from "./config.ts";
import { declareFailure } from "./failures.ts";

/** Upstream's consumers; the queues of both are declared with the topic exchange, so that nothing is lost before they first start. */
const CONSUMERS = ["graphinator", "tableinator"];
/** Deliveries of a message after which a quorum queue gives it to its dead letters. */
const DELIVERY_LIMIT = 20;

/** The exchange that the messages of a data type go to. */
export function exchangeOf({ exchange }: RabbitConfig, { contract, dataType }: Pick<Target, "contract" | "dataType">): string {
  return contract === "topic" ? (exchange ?? DEFAULT_EXCHANGES.topic) : `${exchange ?? DEFAULT_EXCHANGES.fanout}-${dataType}`;
}

/** The key that they carry. */
export function routingKeyOf({ contract, dataType }: Pick<Target, "contract" | "dataType">): string {
  return contract === "topic" ? dataType : "";
}

/** Declares what the contract has the extractor declare; all of it may be there already. Throws SINK_UNAVAILABLE where the broker refuses. */
export async function declareTopology(channel: Channel, config: RabbitConfig, target: Target): Promise<void> {
  if (!config.declare) return;
  const exchange = exchangeOf(config, target);
  const broker = new Declarations(channel, config.name);
  if (target.contract === "fanout") return broker.exchange(exchange, "fanout");
  await broker.exchange(exchange, "topic");
  const deadLetters = `${exchange}.dlx`;
  if (config.queueType === "quorum") await broker.exchange(deadLetters, "topic");
  for (const consumer of CONSUMERS) {
    for (const dataType of DATA_TYPES) {
      const queue = `discogsography-${consumer}-${dataType}`;
      await broker.queue(queue, argumentsOf(config.queueType, deadLetters));
      await broker.binding(queue, exchange, dataType);
      if (config.queueType === "classic") continue;
      await broker.queue(`${queue}.dlq`, { "x-queue-type": "classic" });
      await broker.binding(`${queue}.dlq`, deadLetters, dataType);
    }
  }
}

function argumentsOf(queueType: QueueType, deadLetters: string): QueueArguments | null {
  if (queueType === "classic") return null;
  return { "x-queue-type": "quorum", "x-dead-letter-exchange": deadLetters, "x-delivery-limit": DELIVERY_LIMIT };
}

type QueueArguments = Readonly<Record<string, string | number>>;

/** Declarations whose refusals say what was refused. */
class Declarations {
  readonly #channel: Channel;
  readonly #sink: string;

  constructor(channel: Channel, sink: string) {
    this.#channel = channel;
    this.#sink = sink;
  }

  async exchange(exchange: string, type: ExchangeType): Promise<void> {
    await this.#try(`exchange "${exchange}"`, () => this.#channel.exchangeDeclare({ exchange, type, durable: true }));
  }

  async queue(queue: string, queueArguments: QueueArguments | null): Promise<void> {
    const extra = queueArguments === null ? {} : { arguments: { ...queueArguments } };
    await this.#try(`queue "${queue}"`, () => this.#channel.queueDeclare({ queue, durable: true, ...extra }));
  }

  async binding(queue: string, exchange: string, routingKey: DataType): Promise<void> {
    await this.#try(`binding of queue "${queue}" to exchange "${exchange}"`, () => this.#channel.queueBind({ queue, exchange, routingKey }));
  }

  async #try(what: string, declare: () => Promise<unknown>): Promise<void> {
    try {
      await declare();
    } catch (error) {
      throw declareFailure(this.#sink, what, error);
    }
  }
}

type ExchangeType = "topic" | "fanout";
