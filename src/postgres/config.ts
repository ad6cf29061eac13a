import { DumpError } from "../errors.ts";
import { UrlSettings } from "../url-settings.ts";

export const SSL_MODES = ["disable", "require", "verify-full"] as const;
/** `require` encrypts, `verify-full` also wants the server to prove its name; a subset of libpq's. */
export type SslMode = (typeof SSL_MODES)[number];

/** What a `postgres:` URL asks for. */
export interface PostgresConfig {
  /** The URL without user, password and settings, but with the schema: what tells one destination from another. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Where the tables are. */
  readonly schema: string;
  readonly sslMode: SslMode;
  /** Certificate of the authority that vouches for the server; null: the system's authorities. */
  readonly sslRootCert: string | null;
  readonly connectTimeoutMs: number;
  /** How long a lost connection is tried again before the run fails. */
  readonly reconnectTimeoutMs: number;
  /** Whether documents of releases get the keys `year` and `artist`. */
  readonly derive: boolean;
  /** Whether records that a complete version no longer has are deleted. */
  readonly purge: boolean;
  /** The largest share of a table that may go at once. */
  readonly purgeMax: number;
  /** A transaction is committed after so many bytes of bodies, or so many records. */
  readonly portionBytes: number;
  readonly portionRecords: number;
}

const PORT = 5432;
/** A timer that waits longer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const MIB = 2 ** 20;
/** PostgreSQL cuts longer names. */
const NAME_BYTES_MAX = 63;

/** Reads `postgres[ql]://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE[?SETTING=VALUE&…]`; throws CONFIG_INVALID, never with a part that may hold the password. `use` says for what. */
export function parsePostgresUrl(url: string, use: "sink" | "state" = "sink"): PostgresConfig {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  // An unescaped / ? or # in the password makes the rest of it a path, a query or a fragment.
  const isSpilt = parsed === null || parsed.hash !== "" || parsed.pathname.includes("@") || parsed.search.includes("@");
  if (isSpilt || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.hostname === "") {
    const advice = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE and percent-encode what is special in user, password and database";
    throw new DumpError("CONFIG_INVALID", `${use} postgres: cannot be read; ${advice}`);
  }
  const problems: string[] = [];
  const decode = (what: string, text: string) => {
    try {
      return decodeURIComponent(text);
    } catch {
      problems.push(`the ${what} is not percent-encoded rightly`);
      return "";
    }
  };
  const port = parsed.port === "" ? PORT : Number(parsed.port);
  if (port === 0) problems.push("the port is 0");
  const user = decode("user", parsed.username);
  if (user === "") problems.push("the user is missing");
  const database = decode("database", parsed.pathname.slice(1));
  if (database === "") problems.push("the database is missing");
  const settings = new UrlSettings(parsed.searchParams, problems);
  const schema = settings.text("schema") ?? "public";
  if (Buffer.byteLength(schema) > NAME_BYTES_MAX || schema.startsWith("pg_")) problems.push(`schema=${schema} is no name that a schema can have`);
  const host = parsed.hostname.toLowerCase();
  const config: PostgresConfig = {
    name: `postgres://${host}:${port}/${encodeURIComponent(database)}?schema=${encodeURIComponent(schema)}`,
    host: host.replace(/^\[(.*)\]$/, "$1"),
    port,
    user,
    password: decode("password", parsed.password),
    database,
    schema,
    sslMode: settings.word("sslmode", SSL_MODES, "disable"),
    sslRootCert: settings.text("sslrootcert"),
    connectTimeoutMs: settings.count("connect_timeout_ms", 10_000, 1, TIMER_MS_MAX),
    reconnectTimeoutMs: settings.count("reconnect_timeout_ms", 300_000, 0, TIMER_MS_MAX),
    derive: settings.word("derive", ["on", "off"], "on") === "on",
    purge: settings.word("purge", ["on", "off"], "off") === "on",
    purgeMax: settings.share("purge_max", 0.01),
    portionBytes: settings.count("portion_bytes", 8 * MIB, 1, 256 * MIB),
    portionRecords: settings.count("portion_records", 10_000, 1, 1_000_000),
  };
  settings.refuseRest();
  if (config.sslRootCert !== null && config.sslMode !== "verify-full") problems.push("sslrootcert needs sslmode=verify-full");
  if (problems.length > 0) throw new DumpError("CONFIG_INVALID", `${use} ${config.name}: ${problems.join("; ")}`);
  return config;
}
