import { z } from "zod";
import { QUEUE_EXPIRES_DAYS, QUEUE_EXPIRES_DAYS_MAX } from "../rabbitmq/config.ts";
import { BROKER_OPTIONS } from "./broker-options.ts";
import type { OptionTable } from "./option.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";
import { count, text } from "./units.ts";

const { amqpConnection, rabbitmqUsername, rabbitmqPassword, rabbitmqHost, rabbitmqPort, exchangePrefix, caFile } = BROKER_OPTIONS;
const { contract, logLevel, drainTimeoutMs } = SERVE_OPTIONS;

/** Every setting of `deadwax changes`, in the order of the README. Rows that `serve` has too are its rows. */
export const CHANGES_OPTIONS = {
  append: {
    argument: "FILE",
    schema: text,
    fallback: null,
    fallbackText: "standard output",
    unit: null,
    meaning: "file that changes are appended to, one a line; a change is on the disk before the broker forgets it",
  },
  service: {
    argument: "NAME",
    schema: z.string().regex(/^[A-Za-z0-9._:-]{1,100}$/, "give 1 to 100 letters, digits, dots, colons, dashes or underscores"),
    fallback: "deadwax",
    unit: null,
    meaning: "what the queue is called after; who has the same name shares it",
  },
  queueExpiresDays: {
    argument: "DAYS",
    schema: count(0, QUEUE_EXPIRES_DAYS_MAX),
    fallback: String(QUEUE_EXPIRES_DAYS),
    unit: "days",
    meaning: "days without a reader after which the broker removes the queue with all that it holds; 0: never",
  },
  contract: { ...contract, meaning: "the publisher's contract; has to be said where both are set" },
  amqpConnection,
  rabbitmqUsername,
  rabbitmqPassword,
  rabbitmqHost,
  rabbitmqPort,
  exchangePrefix: { ...exchangePrefix, meaning: "fanout: what the names of the exchange and the queue begin with" },
  caFile,
  logLevel,
  drainTimeoutMs,
} as const satisfies OptionTable;
