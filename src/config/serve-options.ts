import { z } from "zod";
import { CONTRACTS } from "../model.ts";
import { BROKER_OPTIONS } from "./broker-options.ts";
import { CHANGE_OPTIONS } from "./change-options.ts";
import type { OptionTable } from "./option.ts";
import { OPTIONS, TIMER_MS_MAX, U32_MAX } from "./options.ts";
import { count, flag, lenientU64, text, u64, word } from "./units.ts";

const TIMER_SECONDS_MAX = Math.floor(TIMER_MS_MAX / 1000);
const PORT_MAX = 65_535;
const DAYS_MAX = 36_500;

/** Levels of the service's log; upstream's CRITICAL is `error`. */
export const SERVE_LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type ServeLogLevel = (typeof SERVE_LOG_LEVELS)[number];

/** Every setting of `deadwax serve`, in the order of the README. Rows that `extract` has too are its rows. */
export const SERVE_OPTIONS = {
  root: {
    argument: "DIR",
    also: [{ name: "DISCOGS_ROOT" }],
    schema: text,
    fallback: "/discogs-data",
    unit: null,
    meaning: "folder of the dumps and of what is known of them",
  },
  source: {
    argument: "NAME",
    env: "EXTRACTOR_SOURCE",
    emptyCounts: true,
    isUsage: true,
    schema: z
      .string()
      .toLowerCase()
      .superRefine((name, context) => {
        if (name === "discogs") return;
        const why = name === "musicbrainz" ? "MusicBrainz dumps are not extracted by this version; take upstream's extractor for them" : "give discogs";
        context.addIssue({ code: "custom", message: why });
      }),
    fallback: "discogs",
    unit: null,
    meaning: "what is extracted: discogs",
  },
  contract: {
    ...OPTIONS.contract,
    schema: word(CONTRACTS),
    fallback: null,
    fallbackText: "topic with AMQP_CONNECTION, fanout with RABBITMQ_*",
    meaning: "how messages are shaped and published; has to be said where both are set, or neither",
  },
  forceReprocess: {
    argument: null,
    short: "f",
    env: "FORCE_REPROCESS",
    emptyCounts: true,
    isUsage: true,
    schema: z.string().transform((value, context) => {
      if (/^(y|yes|t|true|on|1)$/i.test(value)) return true;
      if (/^(n|no|f|false|off|0)$/i.test(value)) return false;
      context.addIssue({ code: "custom", message: "give true or false" });
      return z.NEVER;
    }),
    fallback: "false",
    unit: null,
    meaning: "the first run publishes the newest version whatever is known of it",
  },
  periodicCheckDays: {
    argument: "DAYS",
    env: "PERIODIC_CHECK_DAYS",
    lenient: u64(1, DAYS_MAX),
    schema: count(1, DAYS_MAX),
    fallback: "15",
    unit: "days",
    meaning: "time from one look for a new version to the next",
  },
  threads: OPTIONS.threads,

  ...BROKER_OPTIONS,

  sourceUrl: {
    argument: "URL",
    schema: z.string().transform((url, context) => {
      const parsed = URL.canParse(url) ? new URL(url) : null;
      if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username + parsed.password + parsed.search + parsed.hash !== "") {
        context.addIssue({ code: "custom", message: "give an http:// or https:// URL without user, password, ? and #" });
        return z.NEVER;
      }
      return parsed.href.endsWith("/") ? parsed.href : `${parsed.href}/`;
    }),
    fallback: "https://data.discogs.com/",
    unit: null,
    secret: "url",
    meaning: "page that lists the dumps",
  },
  allowPrivateSources: {
    argument: null,
    schema: flag,
    fallback: "false",
    unit: null,
    meaning: "let the source lie, or redirect, at addresses of this machine and of private networks",
  },
  gapMs: {
    argument: "MS",
    schema: count(0, TIMER_MS_MAX),
    fallback: "5000",
    unit: "milliseconds",
    meaning: "least time from one request to the source to the next",
  },
  keepVersions: {
    argument: "N",
    schema: count(1, U32_MAX),
    fallback: null,
    fallbackText: "all are kept",
    unit: "versions",
    meaning: "newest versions whose dumps are kept; older ones are removed",
  },
  httpProxy: { ...proxy("HTTP_PROXY"), meaning: "proxy for http:// sources" },
  httpsProxy: { ...proxy("HTTPS_PROXY"), meaning: "proxy for https:// sources" },
  noProxy: {
    argument: null,
    flagless: true,
    env: "NO_PROXY",
    also: [{ name: "no_proxy" }],
    schema: text,
    fallback: null,
    unit: null,
    meaning: "hosts that are asked without a proxy, separated by commas",
  },

  dataQualityRules: {
    argument: "PATH",
    env: "DATA_QUALITY_RULES",
    emptyCounts: true,
    schema: text,
    fallback: null,
    unit: null,
    meaning: "fanout: file with data quality rules, YAML",
  },

  ...CHANGE_OPTIONS,

  healthHost: {
    argument: "HOST",
    schema: text,
    fallback: "0.0.0.0",
    unit: null,
    meaning: "address at which the service answers",
  },
  healthPort: {
    argument: "PORT",
    env: "HEALTH_PORT",
    lenient: (value) => ((lenientU64(value) ?? PORT_MAX + 1) > PORT_MAX ? undefined : String(lenientU64(value))),
    schema: count(0, PORT_MAX),
    fallback: "8000",
    unit: "port",
    meaning: "and its port; 0 takes a free one",
  },
  triggerToken: {
    argument: null,
    flagless: true,
    inFile: true,
    schema: z.string().regex(/^[\x21-\x7e]{8,1024}$/, "give 8 to 1024 visible ASCII characters"),
    fallback: null,
    fallbackText: "none: everybody may",
    unit: null,
    secret: "all",
    meaning: "what POST /trigger has to be authorised with",
  },
  metricsFormat: {
    argument: "FORMAT",
    schema: word(["json", "prometheus"]),
    fallback: "json",
    unit: null,
    meaning: "form of /metrics where the request asks for none: json as upstream, or prometheus",
  },

  logLevel: {
    argument: "LEVEL",
    also: [{ name: "LOG_LEVEL", lenient: upstreamLevel }],
    schema: word(SERVE_LOG_LEVELS),
    fallback: "info",
    unit: null,
    meaning: "error, warn (-q), info or debug (-v); LOG_LEVEL takes upstream's names, and an unknown one is info",
  },
  logFile: {
    argument: "PATH",
    schema: text,
    fallback: null,
    unit: null,
    meaning: "file that the log goes to as well; in a folder it is called extractor.log",
  },
  output: { ...OPTIONS.output, fallback: null, fallbackText: "text on a terminal, else json", meaning: "form of the log: text or json" },

  startupDelaySeconds: {
    argument: "SECONDS",
    env: "STARTUP_DELAY",
    lenient: u64(0, TIMER_SECONDS_MAX),
    schema: count(0, TIMER_SECONDS_MAX),
    fallback: "0",
    unit: "seconds",
    meaning: "time to wait before anything is done",
  },
  failureCooldownSeconds: {
    argument: "SECONDS",
    env: "FAILURE_COOLDOWN_SECS",
    lenient: u64(0, TIMER_SECONDS_MAX),
    schema: count(0, TIMER_SECONDS_MAX),
    fallback: "600",
    unit: "seconds",
    meaning: "time from a failed first run to the end of the process, so that restarts are spaced out",
  },
  stallSeconds: {
    argument: "SECONDS",
    schema: count(1, TIMER_SECONDS_MAX),
    fallback: "120",
    unit: "seconds",
    meaning: "a data type without a new record for so long is reported as stalled",
  },

  // Consumers are told that a file is complete, so that nothing may leave unverified.
  verify: { ...OPTIONS.verify, schema: word(["auto", "full"]), meaning: "auto: CHECKSUM file, else a full pass, before the first record; full: both" },
  chunk: OPTIONS.chunk,
  inflate: OPTIONS.inflate,
  checkpointRecords: { ...OPTIONS.checkpointRecords, also: [{ name: "STATE_SAVE_INTERVAL", lenient: u64(1, U32_MAX) }] },
  checkpointMs: OPTIONS.checkpointMs,
  // With the time to break off it stays below the ten seconds that a container is given to stop.
  drainTimeoutMs: { ...OPTIONS.drainTimeoutMs, fallback: "7000" },
  maxRejects: OPTIONS.maxRejects,
  maxRejectRawBytes: OPTIONS.maxRejectRawBytes,
  maxRecordBytes: OPTIONS.maxRecordBytes,
  maxDepth: OPTIONS.maxDepth,
  maxAttributes: OPTIONS.maxAttributes,
  maxNameBytes: OPTIONS.maxNameBytes,
  maxInflatedBytes: OPTIONS.maxInflatedBytes,
  maxInflateRatio: OPTIONS.maxInflateRatio,

  config: {
    argument: "PATH",
    short: "c",
    env: "RUST_EXTRACTOR_CONFIG",
    schema: text,
    fallback: "config.toml",
    unit: null,
    meaning: "settings file, TOML; the default one may be missing",
  },
} as const satisfies OptionTable;

export type ServeKey = keyof typeof SERVE_OPTIONS;
export const SERVE_KEYS = Object.keys(SERVE_OPTIONS) as ServeKey[];

/** Both spellings of a proxy variable are in use; a host without a scheme is spoken to by HTTP. */
function proxy<const Name extends "HTTP_PROXY" | "HTTPS_PROXY">(name: Name) {
  return {
    argument: null,
    flagless: true,
    env: name,
    also: [{ name: name.toLowerCase() }],
    schema: z.string().transform((given, context) => {
      const url = given.includes("://") ? given : `http://${given}`;
      if (URL.canParse(url) && /^https?:\/\//i.test(url)) return url;
      context.addIssue({ code: "custom", message: "give http://HOST:PORT or https://HOST:PORT" });
      return z.NEVER;
    }),
    fallback: null,
    unit: null,
    secret: "url",
  } as const;
}

/** Upstream's rule for LOG_LEVEL: an unknown name is no error. */
function upstreamLevel(value: string): ServeLogLevel {
  const level = value.toLowerCase();
  if (level === "critical") return "error";
  if (level === "warning") return "warn";
  return SERVE_LOG_LEVELS.find((known) => known === level) ?? "info";
}
