import { z } from "zod";
import { brokerUrlFault } from "./broker-url.ts";
import { NOTIFICATION_OPTIONS } from "./notification-options.ts";
import type { OptionTable } from "./option.ts";
import { MIB, OPTIONS, TIMER_MS_MAX } from "./options.ts";
import { BROKER, serveSinkUrl } from "./sink-urls.ts";
import { byteSize, count, text, word } from "./units.ts";

const WINDOW_MESSAGES_MAX = 1_000_000;

const brokerUrl = z.string().superRefine((url, context) => {
  const fault = brokerUrlFault(url);
  if (fault !== null) context.addIssue({ code: "custom", message: fault });
});

const host = z.string().regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)$/, "give a host name or an address, IPv6 in brackets");

/** The settings of `deadwax serve` that say where the records go. */
export const BROKER_OPTIONS = {
  amqpConnection: {
    argument: null,
    flagless: true,
    env: "AMQP_CONNECTION",
    schema: brokerUrl,
    fallback: null,
    unit: null,
    secret: "url",
    meaning: "URL of the broker, amqp:// or amqps://; that it is set chooses the contract topic",
  },
  rabbitmqUsername: {
    argument: null,
    flagless: true,
    env: "RABBITMQ_USERNAME",
    inFile: true,
    schema: text,
    fallback: "discogsography",
    unit: null,
    meaning: "user at the broker; that any of these four is set chooses the contract fanout",
  },
  rabbitmqPassword: {
    argument: null,
    flagless: true,
    env: "RABBITMQ_PASSWORD",
    inFile: true,
    schema: text,
    fallback: "discogsography",
    unit: null,
    secret: "all",
    meaning: "password of the user",
  },
  rabbitmqHost: {
    argument: null,
    flagless: true,
    env: "RABBITMQ_HOST",
    schema: host,
    fallback: "rabbitmq",
    unit: null,
    meaning: "host of the broker",
  },
  rabbitmqPort: {
    argument: null,
    flagless: true,
    env: "RABBITMQ_PORT",
    // Kubernetes sets it to tcp://… for any service called rabbitmq, whatever speaks with it.
    lenient: (value) => (value.startsWith("tcp://") ? undefined : value),
    schema: count(1, 65_535),
    fallback: "5672",
    unit: "port",
    meaning: "port of the broker",
  },
  sink: {
    ...OPTIONS.sink,
    schema: serveSinkUrl,
    fallback: null,
    fallbackText: "the broker of these variables",
    meaning: `where records go instead, such as amqps://HOST or file:DIR; may be given several times, ${BROKER} is the broker of these variables`,
  },
  exchangePrefix: {
    argument: "NAME",
    env: "DISCOGS_EXCHANGE_PREFIX",
    also: [{ name: "AMQP_EXCHANGE_PREFIX" }],
    schema: z.string().regex(/^[A-Za-z0-9._:-]{1,200}$/, "give 1 to 200 letters, digits, dots, colons, dashes or underscores"),
    fallback: "discogsography-discogs",
    unit: null,
    meaning: "fanout: what the names of the four exchanges begin with",
  },
  queueType: {
    argument: "TYPE",
    schema: word(["classic", "quorum"]),
    fallback: "classic",
    unit: null,
    meaning: "topic: kind of the eight queues, classic or quorum; it has to be the one that is there",
  },
  windowMessages: {
    argument: "N",
    schema: count(1, WINDOW_MESSAGES_MAX),
    fallback: "2000",
    unit: "messages",
    meaning: "messages on their way that the broker has not confirmed",
  },
  windowBytes: {
    argument: "BYTES",
    schema: byteSize(MIB / 16, 4096 * MIB),
    fallback: "16MiB",
    unit: "bytes",
    meaning: "and their bytes, whichever comes first",
  },
  confirmTimeoutMs: {
    argument: "MS",
    schema: count(1, TIMER_MS_MAX),
    fallback: "30000",
    unit: "milliseconds",
    meaning: "a message that is not confirmed for so long is an error; the clock stops while the broker blocks",
  },
  reconnectTimeoutMs: {
    argument: "MS",
    schema: count(0, TIMER_MS_MAX),
    fallback: "300000",
    unit: "milliseconds",
    meaning: "a lost connection is tried again for so long before the run fails",
  },
  ...NOTIFICATION_OPTIONS,
  caFile: {
    argument: "PATH",
    schema: text,
    fallback: null,
    fallbackText: "those that Node.js knows",
    unit: null,
    meaning: "certificates that an amqps:// broker is believed by, PEM",
  },
} as const satisfies OptionTable;
