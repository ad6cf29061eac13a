import { createHash } from "node:crypto";
import { type AsyncMessage, type Channel, Connection } from "rabbitmq-client";

const PREFETCH = 1000;

/** What a queue holds: how many records and control messages, and the sum modulo 2^256 of the records' SHA-256. */
export interface Content {
  readonly records: number;
  readonly controls: number;
  readonly digest: string;
}

/** Adds bodies up to a {@link Content}, in any order. */
export class ContentSum {
  #records = 0;
  #controls = 0;
  #digest = 0n;

  add(body: Buffer): void {
    if (body.subarray(0, 20).toString().startsWith('{"type":"file_compl')) {
      this.#controls += 1;
      return;
    }
    this.#records += 1;
    this.#digest = (this.#digest + BigInt(`0x${createHash("sha256").update(body).digest("hex")}`)) % 2n ** 256n;
  }

  get content(): Content {
    return { records: this.#records, controls: this.#controls, digest: this.#digest.toString(16).padStart(64, "0") };
  }
}

/** The broker as the bench sees it: queues made afresh, and read back to the last message. */
export class Queues implements AsyncDisposable {
  readonly #connection: Connection;
  #channel: Channel | null = null;

  constructor(url: string) {
    this.#connection = new Connection(url);
    this.#connection.on("error", (error: unknown) => {
      throw error;
    });
  }

  /** Makes an exchange with empty queues bound to it. */
  async make(exchange: string, type: "fanout" | "topic", queueType: "classic" | "quorum", queues: readonly string[]): Promise<void> {
    const channel = await this.#open();
    await channel.exchangeDeclare({ exchange, type, durable: true });
    for (const queue of queues) {
      await channel.queueDelete({ queue });
      await channel.queueDeclare({ queue, durable: true, ...(queueType === "quorum" ? { arguments: { "x-queue-type": "quorum" } } : {}) });
      await channel.queueBind({ queue, exchange, routingKey: "releases" });
    }
  }

  /** Takes everything out of a queue and removes it. */
  async read(queue: string): Promise<Content> {
    const channel = await this.#open();
    const { messageCount } = await channel.queueDeclare({ queue, passive: true });
    const sum = new ContentSum();
    if (messageCount > 0) {
      await channel.basicQos({ prefetchCount: PREFETCH });
      let taken = 0;
      await new Promise<void>((resolve, reject) => {
        const take = ({ body, deliveryTag }: AsyncMessage) => {
          sum.add(body as Buffer);
          taken += 1;
          if (taken % (PREFETCH / 2) === 0 || taken === messageCount) channel.basicAck({ deliveryTag, multiple: true });
          if (taken === messageCount) resolve();
        };
        channel.basicConsume({ queue, consumerTag: queue }, take).catch(reject);
      });
      await channel.basicCancel({ consumerTag: queue });
    }
    await channel.queueDelete({ queue });
    return sum.content;
  }

  async #open(): Promise<Channel> {
    this.#channel ??= await this.#connection.acquire();
    return this.#channel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel?.close();
    await this.#connection.close();
  }
}
