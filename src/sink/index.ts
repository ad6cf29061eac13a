import { DumpError } from "../errors.ts";
import { joinSinkNames } from "../model.ts";
import { IGNORED_KEYS } from "../rabbitmq/config.ts";
import { FileSink, openFileSink } from "./file/index.ts";
import { openNullSink } from "./null/index.ts";
import { openPostgresSink } from "./postgres/index.ts";
import { openRabbitSink } from "./rabbitmq/index.ts";
import { NO_EVENTS, type Sink, type SinkEvents } from "./sink.ts";
import { openStdoutSink } from "./stdout/index.ts";
import { TeeSink } from "./tee.ts";

interface SinkKind {
  /** How its URLs are written, for help and messages. */
  readonly usage: string;
  readonly open: (url: string, events: SinkEvents) => Sink;
  /** It keeps a version as a whole: what is opened there afresh takes the place of what it holds. */
  readonly keepsVersions: boolean;
}

/** Every kind of sink, by the scheme of its URL. */
export const SINKS: Readonly<Record<string, SinkKind>> = {
  "file:": { usage: "file:DIR[?compress=gzip]", open: openFileSink, keepsVersions: true },
  "-": { usage: "- (standard output)", open: openStdoutSink, keepsVersions: false },
  "null:": { usage: "null: (counts only)", open: openNullSink, keepsVersions: false },
  "amqp:": { usage: "amqp://USER:PASSWORD@HOST:PORT/VHOST", open: openRabbitSink, keepsVersions: false },
  "amqps:": { usage: "amqps://… (the same over TLS)", open: openRabbitSink, keepsVersions: false },
  "postgres:": { usage: "postgres://USER:PASSWORD@HOST:PORT/DATABASE", open: openPostgresSink, keepsVersions: true },
  "postgresql:": { usage: "postgresql://… (the same)", open: openPostgresSink, keepsVersions: true },
};

/** What the URL of a broker may say without any effect. */
export const IGNORED_BROKER_SETTINGS: readonly string[] = IGNORED_KEYS;

/** Opens the sink of a URL, without touching the destination yet; throws CONFIG_INVALID if the URL is not usable. */
export function openSink(url: string, events: SinkEvents = NO_EVENTS): Sink {
  const scheme = schemeOf(url);
  const kind = Object.hasOwn(SINKS, scheme) ? SINKS[scheme] : undefined;
  if (kind !== undefined) return kind.open(url, events);
  const known = Object.values(SINKS).map(({ usage }) => usage);
  // The rest of the URL may hold a password.
  const given = /^[a-z][a-z0-9+.-]*:$/i.test(scheme) ? `"${scheme}" is not a known kind of sink` : "has no known kind";
  throw new DumpError("CONFIG_INVALID", `sink ${given}; known are ${known.join(", ")}`);
}

function schemeOf(url: string): string {
  return url === "-" ? url : url.slice(0, url.indexOf(":") + 1);
}

/** Throws if single records cannot go to one of the sinks beside what a run has brought there. */
export function refuseVersionSinks(urls: readonly string[]): void {
  for (const scheme of urls.map(schemeOf)) {
    if (!Object.hasOwn(SINKS, scheme) || SINKS[scheme]?.keepsVersions !== true) continue;
    const advice = scheme === "file:" ? "append what deadwax get prints" : "send to the broker that deadwax table consumes, or run extract";
    throw new DumpError("CONFIG_INVALID", `sink ${scheme} keeps a version as a whole, and single records would take its place; ${advice}`);
  }
}

/** Opens the sinks of one run as one, like {@link openSink}; `eventsOf` gives each its own events, by its name. */
export function openSinks(urls: readonly string[], eventsOf: (name: string) => SinkEvents = () => NO_EVENTS): Sink {
  const sinks = urls.map((url) => openSink(url, eventsOf(openSink(url).name)));
  const [only] = sinks;
  return sinks.length === 1 && only !== undefined ? only : new TeeSink(sinks);
}

/** The folder in which the sink keeps a version's files, where its rejects belong too; of several the first; null if it has none. */
export function outputFolder(sink: Sink, version: string): string | null {
  return fileSinks(sink)[0]?.folder(version) ?? null;
}

/** The name of the part of the sink that keeps files, which another contract would overwrite; null if it has none. */
export function outputName(sink: Sink): string | null {
  const names = fileSinks(sink).map(({ name }) => name);
  return names.length === 0 ? null : joinSinkNames(names);
}

function fileSinks(sink: Sink): readonly FileSink[] {
  const sinks = sink instanceof TeeSink ? sink.sinks : [sink];
  return sinks.filter((one) => one instanceof FileSink);
}
