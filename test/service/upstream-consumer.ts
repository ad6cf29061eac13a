import { createHash } from "node:crypto";
import { Connection, type Consumer } from "rabbitmq-client";

/**
 * What stands behind the broker in an upstream installation, written from its description and importing nothing from `src/`: a table
 * writer with its own queues that stores a document per id, leaves one with an equal hash alone but for its `updated_at`, and deletes at
 * `extraction_complete` what is older than the extraction's start.
 */
export interface Delivery {
  readonly messageId: string;
  readonly type: string;
}

const TYPES = ["artists", "labels", "masters", "releases"] as const;
const TABLE_QUEUE = { topic: "discogsography-tableinator", fanout: "discogsography-discogs-tableinator" };
const PREFETCH = 2_000;
/** A purge of so much of a table is taken for a mistake and left undone. */
const PURGE_SHARE_VETO = 0.9;

export class UpstreamConsumer implements AsyncDisposable {
  /** Per type: id to the hash of its document. */
  readonly tables = new Map<string, Map<string, string>>(TYPES.map((type) => [type, new Map()]));
  /** How often each message id came. */
  readonly deliveries = new Map<string, number>();
  readonly controls: { readonly type: string; readonly body: Record<string, unknown>; readonly from: string }[] = [];
  /** Per type: ids that a purge has deleted. */
  readonly purged = new Map<string, string[]>(TYPES.map((type) => [type, []]));
  /** Types whose purge was left undone. */
  readonly vetoes: string[] = [];
  writes = 0;
  /** Messages that the broker gave out once more because they had not been acknowledged. */
  redelivered = 0;
  readonly deadLetters: string[] = [];
  /** Per type: id to when it last came, in Unix milliseconds. */
  readonly #updatedAt = new Map<string, Map<string, number>>(TYPES.map((type) => [type, new Map()]));
  readonly #rabbit: Connection;
  readonly #contract: "topic" | "fanout";
  readonly #consumers: Consumer[] = [];

  private constructor(url: string, contract: "topic" | "fanout") {
    this.#rabbit = new Connection(url);
    this.#rabbit.on("error", () => {}); // the broker is restarted in some tests; the client connects again
    this.#contract = contract;
  }

  /** Declares the queues and consumes them until it is disposed of. */
  static async start(url: string, contract: "topic" | "fanout"): Promise<UpstreamConsumer> {
    const consumer = new UpstreamConsumer(url, contract);
    for (const type of TYPES) await consumer.#consume(type);
    return consumer;
  }

  /** Messages that have arrived more than once. */
  get duplicates(): number {
    let repeated = 0;
    for (const count of this.deliveries.values()) repeated += count - 1;
    return repeated;
  }

  /** Resolves when the queues are empty and everything taken from them is handled. */
  async drained(): Promise<void> {
    for (;;) {
      const before = this.deliveries.size + this.controls.length;
      let ready = 0;
      for (const type of TYPES) ready += (await this.#rabbit.queueDeclare({ queue: this.#queue(type), passive: true })).messageCount;
      if (ready === 0 && before === this.deliveries.size + this.controls.length) {
        await new Promise((resolve) => setTimeout(resolve, 50)); // what is on its way to us is in no queue's count
        if (before === this.deliveries.size + this.controls.length) return;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    await this.#rabbit.close();
  }

  #queue(type: string): string {
    return `${TABLE_QUEUE[this.#contract]}-${type}`;
  }

  async #consume(type: string): Promise<void> {
    const queue = this.#queue(type);
    const topic = this.#contract === "topic";
    const exchange = topic ? "discogsography-exchange" : `discogsography-discogs-${type}`;
    const consumer = this.#rabbit.createConsumer(
      {
        queue,
        queueOptions: topic
          ? { durable: true }
          : { durable: true, arguments: { "x-queue-type": "quorum", "x-dead-letter-exchange": `${queue}.dlx`, "x-delivery-limit": 20 } },
        exchanges: [{ exchange, type: topic ? "topic" : "fanout", durable: true }],
        queueBindings: [{ queue, exchange, routingKey: topic ? type : "" }],
        qos: { prefetchCount: PREFETCH },
        concurrency: PREFETCH,
      },
      async (message) => {
        if (message.redelivered) this.redelivered += 1;
        this.#take(type, message.messageId ?? "", message.body as Buffer | Record<string, unknown>);
      },
    );
    consumer.on("error", () => {});
    this.#consumers.push(consumer);
    await new Promise<void>((resolve) => {
      consumer.once("ready", () => resolve());
    });
  }

  #take(type: string, messageId: string, body: Buffer | Record<string, unknown>): void {
    const message = (Buffer.isBuffer(body) ? JSON.parse(body.toString("utf8")) : body) as Record<string, unknown>;
    if (message["type"] !== "data") {
      this.controls.push({ type: String(message["type"]), body: message, from: type });
      if (message["type"] === "extraction_complete") this.#purge(type, message);
      return;
    }
    this.deliveries.set(messageId, (this.deliveries.get(messageId) ?? 0) + 1);
    const { id, sha256 } = message;
    if (typeof id !== "string" || id === "" || typeof sha256 !== "string") {
      this.deadLetters.push(messageId);
      return;
    }
    this.#updatedAt.get(type)?.set(id, Date.now());
    const table = this.tables.get(type);
    if (table?.get(id) === sha256) return;
    table?.set(id, sha256);
    this.writes += 1;
  }

  /** Deletes what the extraction did not bring again. */
  #purge(type: string, message: Record<string, unknown>): void {
    const startedAt = Date.parse(String(message["started_at"]));
    if (Number.isNaN(startedAt)) throw new Error(`extraction_complete with started_at ${String(message["started_at"])}`);
    const counts = message["record_counts"] as Record<string, number>;
    const rows = this.#updatedAt.get(type) ?? new Map<string, number>();
    const stale = [...rows].filter(([, updatedAt]) => updatedAt < startedAt).map(([id]) => id);
    if ((counts[type] ?? 0) === 0 || stale.length === 0) return;
    if (stale.length >= PURGE_SHARE_VETO * rows.size) {
      this.vetoes.push(type);
      return;
    }
    for (const id of stale) {
      rows.delete(id);
      this.tables.get(type)?.delete(id);
    }
    this.purged.get(type)?.push(...stale);
  }
}

/** An order-free digest of a table, to compare two of them. */
export function tableDigest(table: ReadonlyMap<string, string>): string {
  const lines = [...table].map(([id, sha256]) => `${id} ${sha256}`).sort();
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}
