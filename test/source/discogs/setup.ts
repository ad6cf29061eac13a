import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { SITE_DEFAULTS, type SiteEnvironment, type SiteEvents, type SiteOptions, systemEnvironment } from "../../../src/source/discogs/options.ts";
import { DiscogsSite } from "../../../src/source/discogs/site.ts";
import { checksumText, ScriptedServer } from "./scripted-server.ts";

export const VERSION = "20260801";
export const TYPES = ["artists", "labels", "masters", "releases"] as const;
/** Never aborted. */
export const LIVE = new AbortController().signal;

/** A clock on which sleeping takes no time, and a log of how long it would have been. */
export class TestEnvironment implements SiteEnvironment {
  readonly slept: number[] = [];
  resolve = systemEnvironment.resolve;
  #skew = 0;

  readonly now = () => performance.now() + this.#skew;
  readonly wallClock = () => Date.now() + this.#skew;

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.slept.push(ms);
    this.#skew += ms;
  }
}

/** Remembers events as words. */
export class EventLog implements SiteEvents {
  readonly said: string[] = [];
  readonly warnings: string[] = [];
  readonly rateLimits: number[] = [];
  onProgress: (bytes: number) => void = () => {};

  readonly listingFetched = (files: number, versions: number) => void this.said.push(`listed ${files} of ${versions}`);
  readonly waiting = (why: string, seconds: number) => {
    if (why === "rate-limited") this.rateLimits.push(seconds);
  };
  readonly retrying = (what: string, attempt: number, seconds: number, reason: string) => {
    this.said.push(`retry ${attempt} of ${what} in ${seconds} s: ${reason}`);
  };
  readonly downloadStarted = (name: string, bytes: number | null) => void this.said.push(`started ${name} ${bytes}`);
  readonly downloadResumed = (name: string, from: number, bytes: number | null) => void this.said.push(`resumed ${name} ${from}/${bytes}`);
  readonly downloadProgressed = (_: string, bytes: number) => this.onProgress(bytes);
  readonly downloadFinished = (name: string, bytes: number, fetched: number) => void this.said.push(`finished ${name} ${fetched}/${bytes}`);
  readonly warned = (text: string) => void this.warnings.push(text);

  get retries(): string[] {
    return this.said.filter((line) => line.startsWith("retry"));
  }
}

/** Options of a test: a site on loopback, a small reserve, otherwise the defaults. */
export function optionsFor(baseUrl: string, changes: Partial<SiteOptions> = {}): SiteOptions {
  const userAgent = "deadwax/0.0.0-test (+https://example.org/)";
  return { ...SITE_DEFAULTS, userAgent, baseUrl, allowPrivateAddresses: true, diskReserveBytes: 0, ...changes };
}

/** A server, a site that reads it, and what they said; all go with the test. */
export async function testSite(changes: Partial<SiteOptions> = {}) {
  const environment = new TestEnvironment();
  const server = await ScriptedServer.start(environment.now);
  const events = new EventLog();
  const site = new DiscogsSite(optionsFor(server.baseUrl, changes), events, environment);
  onTestFinished(async () => {
    await site[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  return { environment, server, events, site };
}

/** An empty folder that goes with the test. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "deadwax-site-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Files of a version by name: four dumps of some incompressible bytes each, and their CHECKSUM. */
export function versionFiles(version = VERSION, bytes = 1000, salt = ""): Record<string, Uint8Array> {
  const dumps = Object.fromEntries(
    TYPES.map((type) => [`discogs_${version}_${type}.xml.gz`, gzipSync(`<${type}>${noise(bytes, `${version}${type}${salt}`)}</${type}>`)]),
  );
  return { ...dumps, [`discogs_${version}_CHECKSUM.txt`]: Buffer.from(checksumText(dumps)) };
}

/** Writes files into a folder. */
export async function fill(folder: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
}

/** Letters that gzip can do little about, the same for the same seed. */
function noise(length: number, seed: string): string {
  let state = [...seed].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return String.fromCharCode(97 + ((state >>> 16) % 26));
  }).join("");
}
