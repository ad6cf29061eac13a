import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { guardedLookup } from "./addresses.ts";
import type { Resolve, SiteOptions } from "./options.ts";
import { proxyFor } from "./proxy.ts";

/** An idle connection is not kept for the next request, which comes after the gap. */
const KEEP_ALIVE_MS = 1_000;

/** The connections of one site: direct ones to checked addresses, and those through a proxy, which is trusted to check names itself. */
export class Connections implements AsyncDisposable {
  readonly #options: SiteOptions;
  readonly #direct: Agent;
  readonly #proxies = new Map<string, ProxyAgent>();

  constructor(options: SiteOptions, resolve: Resolve) {
    const { connectTimeoutMs: timeout, allowPrivateAddresses } = options;
    this.#options = options;
    this.#direct = new Agent({
      connections: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { timeout, ...(allowPrivateAddresses ? {} : { lookup: guardedLookup(resolve) }) },
    });
  }

  /** What a request to `url` is given to. */
  for(url: URL): Dispatcher {
    const uri = proxyFor(url, this.#options.proxy);
    if (uri === null) return this.#direct;
    const known = this.#proxies.get(uri);
    if (known !== undefined) return known;
    const { connectTimeoutMs: timeout } = this.#options;
    // A tunnel for https; for http the proxy is asked for the whole URL, since many refuse to tunnel to port 80.
    const agent = new ProxyAgent({ uri, proxyTunnel: false, keepAliveTimeout: KEEP_ALIVE_MS, proxyTls: { timeout }, requestTls: { timeout } });
    this.#proxies.set(uri, agent);
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#direct, ...this.#proxies.values()].map((agent) => agent.destroy()));
  }
}
