import type { LookupAddress, LookupOptions } from "node:dns";
import { lookup } from "node:dns/promises";
import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";

/** Where a proxy is set, as the usual variables say it; null: none. */
export interface ProxySettings {
  readonly httpProxy: string | null;
  readonly httpsProxy: string | null;
  /** Host names, with `*` for all, apart by commas or blanks: `localhost,.example.org,mirror:8080`. */
  readonly noProxy: string | null;
}

/** How the site is spoken to. Times are in milliseconds, speeds in bytes per second. */
export interface SiteOptions {
  /** The page that links the years; its host, or one that it redirects to, serves the dumps. */
  readonly baseUrl: string;
  /** How we name ourselves: `deadwax/<version> (+<url>)`. */
  readonly userAgent: string;
  /** Lets loopback, private and other addresses that are not of the public Internet be connected to. */
  readonly allowPrivateAddresses: boolean;
  readonly proxy: ProxySettings;
  /** Least time from the start of one request to the start of the next, whatever they are for. */
  readonly gapMs: number;
  readonly connectTimeoutMs: number;
  /** Longest time without a byte, before the headers of an answer and within its body. */
  readonly idleTimeoutMs: number;
  /** Least speed of a body, measured while waiting for it over `speedWindowMs`; below it the answer counts as stalled. */
  readonly slowestBytesPerSecond: number;
  readonly speedWindowMs: number;
  readonly listingBytesMax: number;
  readonly checksumBytesMax: number;
  readonly redirectsMax: number;
  /** Waits in seconds before the same request is made again after a 429 or 503 that does not say how long; their number is the limit for those that do. */
  readonly rateLimitWaits: readonly number[];
  /** Longest wait that an answer can ask for; a longer one is cut to it. */
  readonly retryAfterMaxSeconds: number;
  /** Waits before a request that failed is made again; one more attempt than there are waits. */
  readonly retryWaitsMs: readonly number[];
  /** Space that a download leaves free on its disk, for state and everybody else. */
  readonly diskReserveBytes: number;
  /** Bytes that a download receives between two looks at the free space: others write to the disk too, and not every answer says how long it is. */
  readonly spaceCheckBytes: number;
  /** Largest dump that is downloaded; one that is announced larger, or does not end, is not a dump. */
  readonly dumpBytesMax: number;
}

/** What a run uses unless it is told otherwise. */
export const SITE_DEFAULTS: Omit<SiteOptions, "userAgent"> = {
  baseUrl: "https://data.discogs.com/",
  allowPrivateAddresses: false,
  proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
  gapMs: 5_000,
  connectTimeoutMs: 30_000,
  idleTimeoutMs: 120_000,
  slowestBytesPerSecond: 16 * 2 ** 10,
  speedWindowMs: 60_000,
  listingBytesMax: 8 * 2 ** 20,
  checksumBytesMax: 64 * 2 ** 10,
  redirectsMax: 5,
  rateLimitWaits: [30, 60, 120, 240, 480],
  retryAfterMaxSeconds: 7_200,
  retryWaitsMs: [2_000, 4_000],
  diskReserveBytes: 256 * 2 ** 20,
  spaceCheckBytes: 16 * 2 ** 20,
  dumpBytesMax: 256 * 2 ** 30,
};

/** What happens at the site, for logs and metrics. Names are those of the files. */
export interface SiteEvents {
  listingFetched(files: number, versions: number): void;
  /** The next request is held back: to keep the gap, or because the site asked for patience. */
  waiting(why: "gap" | "rate-limited", seconds: number): void;
  /** A request failed and will be made again. */
  retrying(what: string, attempt: number, seconds: number, reason: string): void;
  /** `bytes`: the size of the file, null if the site does not say. */
  downloadStarted(name: string, bytes: number | null): void;
  /** Bytes before `fromByte` were there already. */
  downloadResumed(name: string, fromByte: number, bytes: number | null): void;
  /** Comes often; `bytesDone` counts from the beginning of the file. */
  downloadProgressed(name: string, bytesDone: number, bytes: number | null): void;
  /** `bytesFetched`: what came over the network in this attempt. */
  downloadFinished(name: string, bytes: number, bytesFetched: number, seconds: number): void;
  /** Something was recovered from that has no event of its own. */
  warned(text: string): void;
}

/** Finds the addresses of a host. */
export type Resolve = (hostname: string, options: LookupOptions) => Promise<LookupAddress[]>;

/** Time and names, as the site sees them; replaceable in tests. */
export interface SiteEnvironment {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Milliseconds since 1970. */
  wallClock(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  readonly resolve: Resolve;
}

/** The real time and the system's resolver. */
export const systemEnvironment: SiteEnvironment = {
  now: () => performance.now(),
  wallClock: () => Date.now(),
  async sleep(ms, signal) {
    await wait(ms, undefined, { signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  },
  resolve: (hostname, options) => lookup(hostname, { ...options, all: true }),
};
