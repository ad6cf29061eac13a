import { DumpError } from "../../errors.ts";
import { parseChecksums } from "../checksum.ts";
import { withAttempts } from "./attempts.ts";
import { readText } from "./body.ts";
import { SiteClient } from "./client.ts";
import { type Downloaded, download } from "./download.ts";
import { describeUrl } from "./faults.ts";
import { type ListedFile, type ListedYear, mergeFiles, readFiles, readYears } from "./listing.ts";
import { type SiteEnvironment, type SiteEvents, type SiteOptions, systemEnvironment } from "./options.ts";

const NAMES_TOLD_MAX = 3;
const NAME_CHARS_MAX = 100;

/** The CHECKSUM file of a version. */
export interface Checksums {
  /** As it is published. */
  readonly text: string;
  /** SHA-256 in lower-case hex by file name; never empty. */
  readonly byName: ReadonlyMap<string, string>;
}

/** The site that publishes the dumps, as a reader of its pages sees it. */
export class DiscogsSite implements AsyncDisposable {
  readonly #options: SiteOptions;
  readonly #events: SiteEvents;
  readonly #environment: SiteEnvironment;
  readonly #client: SiteClient;

  constructor(options: SiteOptions, events: SiteEvents, environment: SiteEnvironment = systemEnvironment) {
    checkBaseUrl(options.baseUrl);
    this.#options = options;
    this.#events = events;
    this.#environment = environment;
    this.#client = new SiteClient(options, events, environment);
  }

  /** The files of the newest two years, each once. A year that cannot be read is left out with a warning; none at all is an error. */
  async list(signal: AbortSignal): Promise<ListedFile[]> {
    const { baseUrl } = this.#options;
    const years = readYears(await this.#page("", signal));
    if (years.length === 0) throw new DumpError("SOURCE_MISSING", `${baseUrl}: links no year; look whether the page has changed`);
    const pages: ListedYear[] = [];
    for (const year of years) {
      try {
        pages.push(readFiles(await this.#page(`?prefix=data%2F${year}%2F`, signal), year));
      } catch (error) {
        if (!(error instanceof DumpError)) throw error;
        this.#events.warned(`the dumps of ${year} are left out, the newest may be among them: ${error.message}`);
      }
    }
    const files = mergeFiles(pages);
    this.#warnOfIgnored(pages.flatMap((page) => page.ignored));
    if (files.length === 0) throw new DumpError("SOURCE_MISSING", `${baseUrl}: lists no dump in ${years.join(" and ")}; look whether the page has changed`);
    this.#events.listingFetched(files.length, new Set(files.map((file) => file.version)).size);
    return files;
  }

  /** What a CHECKSUM file says; throws a {@link DumpError} if it cannot be had or says nothing. */
  async checksums(file: ListedFile, signal: AbortSignal): Promise<Checksums> {
    const text = await this.#text(this.#urlOf(file), file.name, this.#options.checksumBytesMax, signal);
    const byName = parseChecksums(text);
    if (byName.size === 0) throw new DumpError("SOURCE_CORRUPT", `${file.name}: holds no line with a SHA-256 and a name; look at it at ${this.#urlOf(file)}`);
    return { text, byName };
  }

  /** Fetches a dump into `root`; see {@link download}. */
  async download(file: ListedFile, root: string, sha256: string | null, signal: AbortSignal): Promise<Downloaded> {
    const context = { client: this.#client, options: this.#options, events: this.#events, environment: this.#environment };
    return download({ file, url: this.#urlOf(file), root, sha256 }, context, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }

  async #page(query: string, signal: AbortSignal): Promise<string> {
    const url = new URL(query, this.#options.baseUrl);
    return this.#text(url, describeUrl(url), this.#options.listingBytesMax, signal);
  }

  async #text(url: URL, what: string, bytesMax: number, signal: AbortSignal): Promise<string> {
    const { retryWaitsMs } = this.#options;
    const context = { retryWaitsMs, environment: this.#environment, events: this.#events };
    return withAttempts(what, context, signal, async () => {
      const answer = await this.#client.get(url, {}, signal);
      return readText(answer, bytesMax, this.#options, this.#environment, signal);
    });
  }

  #urlOf(file: ListedFile): URL {
    return new URL(`?download=${encodeURIComponent(file.key)}`, this.#options.baseUrl);
  }

  #warnOfIgnored(links: readonly string[]): void {
    if (links.length === 0) return;
    const told = links.slice(0, NAMES_TOLD_MAX).map((link) => JSON.stringify(link.slice(0, NAME_CHARS_MAX)));
    const more = links.length > told.length ? ` and ${links.length - told.length} more` : "";
    this.#events.warned(`the listing has ${links.length} files that are no part of a dump, which are left alone: ${told.join(", ")}${more}`);
  }
}

function checkBaseUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null;
  const what =
    url === null || (url.protocol !== "https:" && url.protocol !== "http:")
      ? "is no http or https URL"
      : url.username !== "" || url.password !== ""
        ? "holds a user name or password, which are never sent"
        : url.search !== "" || url.hash !== "" || !url.pathname.endsWith("/")
          ? "must end in / and have no query"
          : null;
  if (what !== null) throw new DumpError("CONFIG_INVALID", `the base URL of the dumps ${what}; give it like https://data.discogs.com/`);
}
