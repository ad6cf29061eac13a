import { DumpError, type ErrorCode } from "../errors.ts";
import { UrlSettings } from "../url-settings.ts";

export const QUEUE_TYPES = ["classic", "quorum"] as const;
/** The kind of queues that the topic contract declares: `classic` without arguments, or `quorum` with dead letters. */
export type QueueType = (typeof QUEUE_TYPES)[number];

/** Days without a reader after which a queue of changes goes away: more than a month, so that a reader may miss a whole version. */
export const QUEUE_EXPIRES_DAYS = 45;
/** Most days that RabbitMQ can wait: 2^32 - 1 ms. */
export const QUEUE_EXPIRES_DAYS_MAX = 49;

export const CHANGE_NOTIFICATIONS = ["each", "summary", "off"] as const;
/** How consumers hear of created and updated records beside the records themselves: of each, once for a file, or not at all. */
export type ChangeNotifications = (typeof CHANGE_NOTIFICATIONS)[number];

/** Files of a TLS connection; without `cacertfile` the system's authorities count. */
export interface TlsFiles {
  readonly cacertfile: string | null;
  readonly certfile: string | null;
  readonly keyfile: string | null;
  /** Whether the server must prove who it is. */
  readonly verifyPeer: boolean;
}

/** What the broker is to who connects to it: the word that messages begin with, and the code of failures. */
export const ROLES = { sink: "SINK_UNAVAILABLE", broker: "BROKER_UNAVAILABLE" } as const satisfies Readonly<Record<string, ErrorCode>>;
export type Role = keyof typeof ROLES;

/** What an `amqp:` or `amqps:` URL asks for. */
export interface RabbitConfig {
  readonly role: Role;
  /** The URL without user, password and settings, but with an exchange that it names: what tells one destination from another. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: TlsFiles | null;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  /** Name of the topic exchange, or prefix of the fanout exchanges; null: the contract's own. */
  readonly exchange: string | null;
  readonly queueType: QueueType;
  /** Whether exchanges, queues and bindings are declared; if not, they must be there. */
  readonly declare: boolean;
  readonly heartbeatSeconds: number;
  readonly connectionTimeoutMs: number;
  /** Messages, and bytes of their bodies, that may be without a confirm at a time; a larger body goes alone. */
  readonly windowMessages: number;
  readonly windowBytes: number;
  /** Time without any confirm after which the broker counts as stuck; it does not run while the connection is blocked. */
  readonly confirmTimeoutMs: number;
  /** How long a lost connection is tried again before the run fails. */
  readonly reconnectTimeoutMs: number;
  readonly changeNotifications: ChangeNotifications;
  /** Whether bodies of records say how they have changed, as their headers always do. */
  readonly changeTypeInBody: boolean;
}

/** Names that the contracts give the topic exchange, and the fanout exchanges before `-` and the data type. */
export const DEFAULT_EXCHANGES = { topic: "discogsography-exchange", fanout: "discogsography-discogs" } as const;
const PORTS = { "amqp:": 5672, "amqps:": 5671 } as const;
const TLS_KEYS = ["cacertfile", "certfile", "keyfile", "verify"];
/** RabbitMQ's other settings: the client leaves sizes and channels to the broker and logs in with user and password. */
export const IGNORED_KEYS: readonly string[] = ["frame_max", "channel_max", "auth_mechanism"];
/** A timer that waits longer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const MIB = 2 ** 20;

/** Reads `amqp[s]://[USER:PASSWORD@]HOST[:PORT][/VHOST][?SETTING=VALUE&…]`; throws CONFIG_INVALID, never with a part that may hold the password. */
export function parseAmqpUrl(url: string, role: Role = "sink"): RabbitConfig {
  const scheme = url.slice(0, url.indexOf(":") + 1) as keyof typeof PORTS;
  const advice = `write ${scheme}//USER:PASSWORD@HOST:PORT/VHOST and percent-encode what is special in user, password and virtual host`;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  // An unescaped / ? or # in the password makes the rest of it a path, a query or a fragment.
  const isSpilt = parsed === null || parsed.hash !== "" || parsed.pathname.includes("@") || parsed.search.includes("@");
  if (isSpilt || parsed.hostname === "") throw new DumpError("CONFIG_INVALID", `${role} ${scheme} cannot be read; ${advice}`);
  const problems: string[] = [];
  const decode = (what: string, text: string) => {
    try {
      return decodeURIComponent(text);
    } catch {
      problems.push(`the ${what} is not percent-encoded rightly`);
      return "";
    }
  };
  const port = parsed.port === "" ? PORTS[scheme] : Number(parsed.port);
  if (port === 0) problems.push("the port is 0");
  // Without a user there is no password either: RabbitMQ's own default, which it takes from this machine only.
  const isAnonymous = parsed.username === "" && parsed.password === "";
  const vhost = decode("virtual host", parsed.pathname.slice(1)) || "/";
  const settings = new UrlSettings(parsed.searchParams, problems);
  const exchange = settings.text("exchange");
  const host = parsed.hostname.toLowerCase();
  const config: RabbitConfig = {
    role,
    name: `${scheme}//${host}:${port}/${encodeURIComponent(vhost)}${exchange === null ? "" : `?exchange=${encodeURIComponent(exchange)}`}`,
    host: host.replace(/^\[(.*)\]$/, "$1"),
    port,
    tls: scheme === "amqps:" ? readTls(settings) : null,
    username: isAnonymous ? "guest" : decode("user", parsed.username),
    password: isAnonymous ? "guest" : decode("password", parsed.password),
    vhost,
    exchange,
    queueType: settings.word("queue_type", QUEUE_TYPES, "classic"),
    declare: settings.word("declare", ["all", "none"], "all") === "all",
    heartbeatSeconds: settings.count("heartbeat", 60, 0, 65_535),
    connectionTimeoutMs: settings.count("connection_timeout", 10_000, 1, TIMER_MS_MAX),
    windowMessages: settings.count("window_messages", 2000, 1, 1_000_000),
    windowBytes: settings.count("window_bytes", 16 * MIB, 1, 4096 * MIB),
    confirmTimeoutMs: settings.count("confirm_timeout_ms", 30_000, 1, TIMER_MS_MAX),
    reconnectTimeoutMs: settings.count("reconnect_timeout_ms", 300_000, 0, TIMER_MS_MAX),
    changeNotifications: settings.word("change_notifications", CHANGE_NOTIFICATIONS, "each"),
    changeTypeInBody: settings.word("change_type_in_body", ["true", "false"], "false") === "true",
  };
  settings.refuseRest({ ignored: IGNORED_KEYS, unusable: config.tls === null ? { keys: TLS_KEYS, reason: "needs amqps:" } : null });
  if (problems.length > 0) throw new DumpError("CONFIG_INVALID", `${role} ${config.name}: ${problems.join("; ")}`);
  return config;
}

function readTls(settings: UrlSettings): TlsFiles {
  return {
    cacertfile: settings.text("cacertfile"),
    certfile: settings.text("certfile"),
    keyfile: settings.text("keyfile"),
    verifyPeer: settings.word("verify", ["verify_peer", "verify_none"], "verify_peer") === "verify_peer",
  };
}
