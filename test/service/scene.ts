import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Broker } from "../services/rabbitmq.ts";
import { VirtualHost } from "../services/virtual-host.ts";
import type { Running } from "../system/support/deadwax.ts";
import { type Contract, Installation } from "./installation.ts";
import { UpstreamConsumer } from "./upstream-consumer.ts";

export const TYPES = ["artists", "labels", "masters", "releases"] as const;

/** An installation of its own on a shared broker: a virtual host, a site, a folder and, unless it is left out, the consumers. */
export class Scene implements AsyncDisposable {
  readonly contract: Contract;
  readonly host: VirtualHost;
  readonly installation: Installation;
  readonly consumer: UpstreamConsumer | null;

  private constructor(contract: Contract, host: VirtualHost, installation: Installation, consumer: UpstreamConsumer | null) {
    this.contract = contract;
    this.host = host;
    this.installation = installation;
    this.consumer = consumer;
  }

  /** `dumps`: folder whose files the site publishes from the start. */
  static async open(broker: Broker, contract: Contract, dumps: string | null, { consumed = true } = {}): Promise<Scene> {
    const host = await VirtualHost.create(broker.address);
    const installation = await Installation.create(broker);
    await installation.freshRoot("root");
    if (dumps !== null) await copyFiles(dumps, installation.published);
    return new Scene(contract, host, installation, consumed ? await UpstreamConsumer.start(host.url(), contract) : null);
  }

  get root(): string {
    return this.installation.root;
  }

  serve(env: Record<string, string> = {}, args: readonly string[] = []): Running {
    const contract = { AMQP_CONNECTION: this.host.url(), DEADWAX_CONTRACT: this.contract };
    return this.installation.serveWith({ ...this.installation.place(), ...contract, ...env }, args);
  }

  /** Runs the service until its first run is over and it waits, then ends it; gives what consumers got of data, by type, since the scene began. */
  async once(env: Record<string, string> = {}): Promise<string> {
    const running = this.serve(env);
    await running.logs(/⏰ Waiting/);
    await this.consumer?.drained();
    running.kill("SIGTERM");
    const { code } = await running.ended;
    if (code !== 0) throw new Error(`the service ended with ${code}: ${running.log.slice(-2000)}`);
    return running.log;
  }

  /** How many data messages of each type have come so far, repeated ones included. */
  get received(): Record<string, number> {
    const counts = Object.fromEntries(TYPES.map((type) => [type, 0]));
    for (const [id, times] of this.consumer?.deliveries ?? []) {
      const type = id.split("/")[1] ?? "";
      counts[type] = (counts[type] ?? 0) + times;
    }
    return counts;
  }

  /** The bodies of one kind of control message, as `from` got them. */
  controls(kind: string): { readonly from: string; readonly body: Record<string, unknown> }[] {
    return (this.consumer?.controls ?? []).filter(({ type }) => type === kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]();
    await this.consumer?.[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
  }
}

/** Copies the files of a folder into another one. */
export async function copyFiles(from: string, to: string, isMeant: (name: string) => boolean = () => true): Promise<void> {
  for (const name of await readdir(from)) if (isMeant(name)) await copyFile(join(from, name), join(to, name));
}
