import { type Dispatcher, request } from "undici";
import { DumpError } from "../../errors.ts";
import { checkHost } from "./addresses.ts";
import { Connections } from "./connections.ts";
import { describeUrl, networkFault, RangeRefused, TransientFault } from "./faults.ts";
import type { SiteEnvironment, SiteEvents, SiteOptions } from "./options.ts";
import { readRetryAfter } from "./retry-after.ts";

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const RATE_LIMITED: readonly number[] = [429, 503];

/** A successful answer whose body is still to come. */
export interface Answer {
  /** 200 or 206. */
  readonly status: number;
  /** Where it came from, after redirects. */
  readonly url: URL;
  readonly body: Dispatcher.ResponseData["body"];
  /** A header by its lower-case name; the first, if there are several. */
  header(name: string): string | undefined;
}

/** Makes GET requests politely: by name, one at a time, with a gap between them, patient when told to be, and only to where it is allowed. */
export class SiteClient implements AsyncDisposable {
  readonly #options: SiteOptions;
  readonly #events: SiteEvents;
  readonly #environment: SiteEnvironment;
  readonly #connections: Connections;
  readonly #isPlain: boolean;
  #nextStart = Number.NEGATIVE_INFINITY;

  constructor(options: SiteOptions, events: SiteEvents, environment: SiteEnvironment) {
    this.#options = options;
    this.#events = events;
    this.#environment = environment;
    this.#connections = new Connections(options, environment.resolve);
    this.#isPlain = new URL(options.baseUrl).protocol === "http:";
  }

  /** Answers of 200 and 206 only; throws a {@link TransientFault} where another attempt may help, else a {@link DumpError}. */
  async get(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    const { rateLimitWaits, retryAfterMaxSeconds } = this.#options;
    for (let waits = 0; ; waits += 1) {
      const answer = await this.#follow(url, headers, signal);
      if (answer.status === 200 || answer.status === 206) return answer;
      discard(answer);
      if (!RATE_LIMITED.includes(answer.status)) throw refusal(answer, headers["range"] !== undefined);
      const fallback = rateLimitWaits[waits];
      if (fallback === undefined) {
        throw new DumpError("SOURCE_UNAVAILABLE", `${describeUrl(url)}: still answers ${answer.status} after ${waits} waits; try again in some hours`);
      }
      const wallClock = this.#environment.wallClock();
      const seconds = readRetryAfter(answer.header("retry-after"), answer.header("date"), wallClock, retryAfterMaxSeconds) ?? fallback;
      this.#events.waiting("rate-limited", seconds);
      await this.#environment.sleep(seconds * 1000, signal);
    }
  }

  /** Ends what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
  }

  async #follow(first: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    let url = first;
    for (let hops = 0; ; hops += 1) {
      const answer = await this.#once(url, headers, signal);
      if (!REDIRECTS.includes(answer.status)) return answer;
      discard(answer);
      const location = answer.header("location") ?? "";
      if (hops >= this.#options.redirectsMax) {
        throw new DumpError("SOURCE_UNAVAILABLE", `${describeUrl(first)}: more than ${this.#options.redirectsMax} redirects; look at it in a browser`);
      }
      if (location === "" || !URL.canParse(location, url.href)) {
        throw new DumpError("SOURCE_UNAVAILABLE", `${describeUrl(url)}: redirects to nowhere (${answer.status} without a usable Location)`);
      }
      url = new URL(location, url);
    }
  }

  async #once(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    this.#check(url);
    await this.#keepGap(signal);
    const { idleTimeoutMs, userAgent } = this.#options;
    try {
      const {
        statusCode,
        headers: received,
        body,
      } = await request(url, {
        method: "GET",
        // Bytes count as they are published: encoded ones would hash to something else.
        headers: { "user-agent": userAgent, accept: "*/*", "accept-encoding": "identity", ...headers },
        dispatcher: this.#connections.for(url),
        headersTimeout: idleTimeoutMs,
        bodyTimeout: idleTimeoutMs,
        signal,
      });
      body.on("error", () => {}); // told to whoever reads it; without a reader there is nobody to tell
      return { status: statusCode, url, body, header: (name) => firstOf(received[name]) };
    } catch (error) {
      throw networkFault(error, url, signal);
    }
  }

  /** Every hop is looked at like the first one. */
  #check(url: URL): void {
    if (url.protocol !== "https:" && !(this.#isPlain && url.protocol === "http:")) {
      throw new DumpError("SOURCE_UNAVAILABLE", `${describeUrl(url)}: is not https; plain http is used only if the base URL is http`);
    }
    if (url.username !== "" || url.password !== "") {
      throw new DumpError("SOURCE_UNAVAILABLE", `${describeUrl(url)}: comes with a user name or password, which are never sent`);
    }
    if (!this.#options.allowPrivateAddresses) checkHost(url);
  }

  async #keepGap(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { gapMs } = this.#options;
    const start = Math.max(this.#environment.now(), this.#nextStart);
    this.#nextStart = start + gapMs; // taken before the wait, so that two requests never share a place
    const planned = start - this.#environment.now();
    if (planned > 0) this.#events.waiting("gap", planned / 1000);
    // Timers may end a little early.
    for (let left = planned; left > 0; left = start - this.#environment.now()) await this.#environment.sleep(Math.ceil(left), signal);
  }
}

/** Lets go of an answer whose body is not wanted. */
export function discard({ body }: Answer): void {
  body.destroy();
}

function refusal({ status, url }: Answer, isRanged: boolean): Error {
  const where = describeUrl(url);
  if (status === 404 || status === 410)
    return new DumpError("SOURCE_MISSING", `${where}: is not there (${status}); look whether the dump was moved or withdrawn`);
  if (status >= 500 || status === 408) return new TransientFault(`${where}: answers ${status}`);
  if (isRanged && status >= 400) return new RangeRefused(`${where}: answers ${status} when asked for a part`);
  const advice = status === 401 || status === 403 ? "access is refused" : "this is not what was asked for";
  return new DumpError("SOURCE_UNAVAILABLE", `${where}: answers ${status}: ${advice}; look at it in a browser`);
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
