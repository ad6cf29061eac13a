import { BROKER_OPTIONS } from "./broker-options.ts";
import type { OptionTable } from "./option.ts";
import { POSTGRES_BATCH_OPTIONS, POSTGRES_OPTIONS } from "./postgres-options.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";
import { flag, share, word } from "./units.ts";

const { amqpConnection, rabbitmqUsername, rabbitmqPassword, rabbitmqHost, rabbitmqPort, exchangePrefix, queueType, caFile } = BROKER_OPTIONS;
const { contract, healthHost, healthPort, logLevel, logFile, output, startupDelaySeconds, stallSeconds, drainTimeoutMs } = SERVE_OPTIONS;

/** Every setting of `deadwax table`, in the order of the README. Rows that `serve` has too are its rows. */
export const TABLE_OPTIONS = {
  contract: { ...contract, meaning: "how messages are shaped and published; has to be said where both are set" },
  amqpConnection,
  rabbitmqUsername,
  rabbitmqPassword,
  rabbitmqHost,
  rabbitmqPort,
  exchangePrefix: { ...exchangePrefix, meaning: "fanout: what the names of the four exchanges and queues begin with" },
  queueType,
  caFile,

  ...POSTGRES_OPTIONS,
  ...POSTGRES_BATCH_OPTIONS,
  derive: {
    argument: "ON",
    schema: word(["on", "off"]),
    fallback: "on",
    unit: null,
    meaning: "whether documents of releases get the keys year and artist: on or off",
  },
  purge: {
    argument: "ON",
    schema: word(["on", "off"]),
    fallback: "on",
    unit: null,
    meaning: "whether rows go that a complete version no longer has: on or off",
  },
  purgeMax: {
    argument: "SHARE",
    env: "PURGE_MAX_DELETE_FRACTION",
    schema: share,
    fallback: "0.01",
    unit: null,
    meaning: "the largest share of a table that may go at once",
  },

  migrate: {
    argument: null,
    schema: flag,
    fallback: "false",
    unit: null,
    meaning: "make the tables, or bring them up to date, before anything is consumed, as deadwax migrate does; so does whatever runs as tableinator",
  },

  healthHost,
  healthPort: { ...healthPort, fallback: "8002" },
  logLevel,
  logFile: { ...logFile, meaning: "file that the log goes to as well; in a folder it is called tableinator.log" },
  output,
  startupDelaySeconds,
  stallSeconds: { ...stallSeconds, meaning: "a data type without a new message for so long, before its file is complete, is reported as stalled" },
  // With the time to break off it stays below the ten seconds that a container is given to stop.
  drainTimeoutMs,
} as const satisfies OptionTable;
