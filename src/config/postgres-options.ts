import { z } from "zod";
import { BATCH_SIZE_MAX } from "../consume/prefetch.ts";
import { SSL_MODES } from "../postgres/config.ts";
import type { OptionTable } from "./option.ts";
import { count, text, word } from "./units.ts";

const PORT_MAX = 65_535;
/** A broker hands out twice as many at once, and the protocol has 16 bits for that. */
const BATCH_MAX = BATCH_SIZE_MAX;
const INTERVAL_SECONDS_MAX = 3600;

/** A name or an address, IPv6 in brackets where a port follows. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;

const host = z.string().superRefine((given, context) => {
  const [whole, port = "1"] = HOST.exec(given) ?? [];
  if (whole !== undefined && Number(port) >= 1 && Number(port) <= PORT_MAX) return;
  context.addIssue({ code: "custom", message: "give HOST or HOST:PORT, an IPv6 address in brackets" });
});

/** The settings that say which PostgreSQL the tables are in; the names without DEADWAX_ are upstream's. */
export const POSTGRES_OPTIONS = {
  postgresHost: {
    argument: null,
    flagless: true,
    env: "POSTGRES_HOST",
    also: [{ name: "POSTGRES_ADDRESS" }],
    schema: host,
    fallback: null,
    fallbackText: "required",
    unit: null,
    meaning: "host of the database, HOST or HOST:PORT",
  },
  postgresPort: {
    argument: null,
    flagless: true,
    env: "POSTGRES_PORT",
    // Kubernetes sets it to tcp://… for any service called postgres, whatever speaks with it.
    lenient: (value) => (value.startsWith("tcp://") ? undefined : value),
    schema: count(1, PORT_MAX),
    fallback: "5432",
    unit: "port",
    meaning: "port of the database, where the host does not name one",
  },
  postgresUsername: {
    argument: null,
    flagless: true,
    env: "POSTGRES_USERNAME",
    inFile: true,
    schema: text,
    fallback: null,
    fallbackText: "required",
    unit: null,
    meaning: "user at the database",
  },
  postgresPassword: {
    argument: null,
    flagless: true,
    env: "POSTGRES_PASSWORD",
    inFile: true,
    schema: text,
    fallback: null,
    fallbackText: "required",
    unit: null,
    secret: "all",
    meaning: "password of the user",
  },
  postgresDatabase: {
    argument: null,
    flagless: true,
    env: "POSTGRES_DATABASE",
    schema: text,
    fallback: null,
    fallbackText: "required",
    unit: null,
    meaning: "name of the database",
  },
  postgresSchema: {
    argument: null,
    flagless: true,
    schema: text,
    fallback: "public",
    unit: null,
    meaning: "schema that the tables are in",
  },
  postgresSslmode: {
    argument: null,
    flagless: true,
    schema: word(SSL_MODES),
    fallback: "disable",
    unit: null,
    meaning: "TLS: disable, require (encrypted, whoever answers) or verify-full (and the server proves its name)",
  },
  postgresSslrootcert: {
    argument: null,
    flagless: true,
    schema: text,
    fallback: null,
    fallbackText: "those that Node.js knows",
    unit: null,
    meaning: "verify-full: certificates that the server is believed by, PEM",
  },
} as const satisfies OptionTable;

/** How `deadwax table` gathers messages; the names are upstream's. */
export const POSTGRES_BATCH_OPTIONS = {
  postgresBatchMode: {
    argument: null,
    flagless: true,
    env: "POSTGRES_BATCH_MODE",
    // To upstream anything else is off, not wrong.
    lenient: (value) => String(value.toLowerCase() === "true"),
    schema: word(["true", "false"]).transform((value) => value === "true"),
    fallback: "true",
    unit: null,
    meaning: "false: every message is a transaction of its own",
  },
  postgresBatchSize: {
    argument: null,
    flagless: true,
    env: "POSTGRES_BATCH_SIZE",
    schema: count(1, BATCH_MAX),
    fallback: "1000",
    unit: "messages",
    meaning: "messages of one transaction, at most; the broker hands out twice as many",
  },
  postgresBatchFlushInterval: {
    argument: null,
    flagless: true,
    env: "POSTGRES_BATCH_FLUSH_INTERVAL",
    schema: z.string().transform((given, context) => {
      const seconds = /^\d{1,6}(\.\d{1,6})?$/.test(given) ? Number(given) : Number.NaN;
      if (seconds > 0 && seconds <= INTERVAL_SECONDS_MAX) return seconds;
      context.addIssue({ code: "custom", message: `give seconds above 0, up to ${INTERVAL_SECONDS_MAX}` });
      return z.NEVER;
    }),
    fallback: "5",
    unit: "seconds",
    meaning: "time from the first waiting message to its transaction, at most",
  },
} as const satisfies OptionTable;
