import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Broker } from "../services/rabbitmq.ts";
import { ScriptedServer } from "../source/discogs/scripted-server.ts";
import { Running } from "../system/support/deadwax.ts";
import { type Folder, type Manifest, makeDump, type Sizes, temporaryFolder } from "../system/support/dumps.ts";

export type Contract = "topic" | "fanout";

/** An installation around a broker: a site that publishes dumps, and the folder of the service. */
export class Installation implements AsyncDisposable {
  readonly broker: Broker;
  readonly site: ScriptedServer;
  /** What the site publishes. */
  readonly published: string;
  /** The folder of the service. */
  root: string;
  readonly #folder: Folder;
  readonly #running: Running[] = [];

  private constructor(broker: Broker, site: ScriptedServer, folder: Folder) {
    this.broker = broker;
    this.site = site;
    this.#folder = folder;
    this.published = join(folder.path, "published");
    this.root = join(folder.path, "root");
  }

  static async create(broker: Broker): Promise<Installation> {
    const folder = await temporaryFolder();
    const site = await ScriptedServer.start();
    const installation = new Installation(broker, site, folder);
    await mkdir(installation.published);
    site.serveSite(installation.published);
    return installation;
  }

  /** Publishes a version at the site. */
  publish(sizes: Sizes): Promise<Manifest> {
    return makeDump(this.published, sizes);
  }

  /** Goes on with an empty folder, as on a new machine. */
  async freshRoot(name: string): Promise<string> {
    this.root = join(this.#folder.path, name);
    await mkdir(this.root);
    return this.root;
  }

  /** The environment of an upstream installation, with what makes it run here. */
  environment(contract: Contract): Record<string, string> {
    const { hostname, port, username, password } = new URL(this.broker.address.amqp);
    const broker =
      contract === "topic"
        ? { AMQP_CONNECTION: `amqp://${username}:${password}@${hostname}:${port}/%2F` }
        : { RABBITMQ_HOST: hostname, RABBITMQ_PORT: port, RABBITMQ_USERNAME: username, RABBITMQ_PASSWORD: password };
    return { ...broker, ...this.place() };
  }

  /** Of that, what is not about the broker. */
  place(): Record<string, string> {
    return {
      DISCOGS_ROOT: this.root,
      HEALTH_PORT: "0",
      FAILURE_COOLDOWN_SECS: "0",
      DEADWAX_HEALTH_HOST: "127.0.0.1",
      DEADWAX_SOURCE_URL: this.site.baseUrl,
      DEADWAX_ALLOW_PRIVATE_SOURCES: "true",
      DEADWAX_GAP_MS: "0",
    };
  }

  /** Starts the service. */
  serve(contract: Contract, env: Record<string, string> = {}, node: readonly string[] = []): Running {
    return this.serveWith({ ...this.environment(contract), ...env }, [], node);
  }

  /** Starts the service in this environment and no other. */
  serveWith(env: Record<string, string>, args: readonly string[] = [], node: readonly string[] = []): Running {
    const running = new Running(["serve", ...args], { heard: true, node, env });
    this.#running.push(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) {
      if (running.isRunning) running.kill("SIGKILL");
      await running.ended;
    }
    await this.site[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** The URL at which a service answers. */
export async function healthUrl(running: Running): Promise<string> {
  const [, port] = await running.logs(/🏥 Health server listening on [\d.]+:(\d+)/u);
  return `http://127.0.0.1:${port}`;
}
