import { randomBytes } from "node:crypto";
import { type AsyncMessage, type Channel, Connection } from "rabbitmq-client";
import { askHost } from "./ask-host.ts";
import type { BrokerAddress } from "./rabbitmq.ts";

/** The broker that all test files share; started when the first of them asks. */
export function sharedBroker(): Promise<BrokerAddress> {
  return askHost<BrokerAddress>("/rabbitmq");
}

/** A message as a consumer gets it. */
export type Delivered = Omit<AsyncMessage, "body"> & { readonly body: Buffer };

/** A virtual host of its own for a test file, with a connection to look into it that is not the sink's. */
export class VirtualHost implements AsyncDisposable {
  readonly name: string;
  readonly #address: BrokerAddress;
  #connection: Connection | null = null;
  #channel: Promise<Channel> | null = null;

  private constructor(address: BrokerAddress, name: string) {
    this.#address = address;
    this.name = name;
  }

  static async create(address: BrokerAddress): Promise<VirtualHost> {
    const host = new VirtualHost(address, `t-${randomBytes(6).toString("hex")}`);
    await host.api("PUT", `vhosts/${host.name}`);
    return host;
  }

  /** Its URL for a sink, with settings. */
  url(settings: Readonly<Record<string, string | number>> = {}): string {
    const query = Object.entries(settings).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
    return `${this.#address.amqp}/${this.name}${query.length === 0 ? "" : `?${query.join("&")}`}`;
  }

  /** Asks the management API; null for an answer without a body. */
  async api<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const url = new URL(`${this.#address.api}/api/${path}`);
    const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString("base64")}`;
    url.username = url.password = "";
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(url, { method, headers: { authorization, "content-type": "application/json" }, ...init });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  /** A channel that is not the sink's; it declares, binds and reads for the tests. */
  async channel(): Promise<Channel> {
    const open = (await this.#channel?.catch(() => null)) ?? null;
    if (open?.active === true) return open;
    this.#channel = this.#open();
    return this.#channel;
  }

  async #open(): Promise<Channel> {
    if (this.#connection === null) {
      this.#connection = new Connection({ url: `${this.#address.amqp}/${this.name}`, retryLow: 100, retryHigh: 500, acquireTimeout: 60_000 });
      this.#connection.on("error", () => {}); // it connects again by itself
    }
    return (await this.#connection.acquire({ emitErrorsFromChannel: true })).on("error", () => {});
  }

  /** Messages in a queue that nobody has taken. */
  async depth(queue: string): Promise<number> {
    return (await (await this.channel()).queueDeclare({ queue, passive: true })).messageCount;
  }

  /** Takes everything that is in a queue, in order; what arrives meanwhile stays. */
  async drain(queue: string): Promise<Delivered[]> {
    const messageCount = await this.depth(queue);
    const taken: Delivered[] = [];
    if (messageCount === 0) return taken;
    const channel = await this.#open();
    await channel.basicQos({ prefetchCount: 1000 });
    await new Promise<void>((resolve, reject) => {
      const onClose = () => reject(new Error(`the channel closed after ${taken.length} of ${messageCount} messages`));
      channel.once("close", onClose);
      const take = (message: AsyncMessage) => {
        if (taken.length === messageCount) return;
        taken.push(message as Delivered);
        if (taken.length % 500 === 0 || taken.length === messageCount) channel.basicAck({ deliveryTag: message.deliveryTag, multiple: true });
        if (taken.length < messageCount) return;
        channel.off("close", onClose);
        resolve();
      };
      channel.basicConsume({ queue }, take).catch(reject);
    });
    await channel.close(); // gives back what came after
    return taken;
  }

  /** Removes every queue and exchange. */
  async empty(): Promise<void> {
    const channel = await this.channel();
    for (const { name } of await this.api<{ name: string }[]>("GET", `queues/${this.name}`)) await channel.queueDelete({ queue: name });
    for (const { name } of await this.api<{ name: string }[]>("GET", `exchanges/${this.name}`)) {
      if (name !== "" && !name.startsWith("amq.")) await channel.exchangeDelete({ exchange: name });
    }
  }

  /** Closes its own connection and removes the virtual host with everything in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.unsafeDestroy();
    await this.api("DELETE", `vhosts/${this.name}`).catch(() => {}); // its broker may be gone
  }
}
