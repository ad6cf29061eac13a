import { type Contract, DATA_TYPES } from "../model.ts";
import { Condition } from "../rabbitmq/condition.ts";
import type { RabbitConfig } from "../rabbitmq/config.ts";
import { Link } from "../rabbitmq/link.ts";
import type { ConsumerName } from "../rabbitmq/topology.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { ConsumeEvents } from "./events.ts";
import { prefetchOf } from "./prefetch.ts";
import { QueueReader } from "./reader.ts";
import type { BatchTarget } from "./target.ts";

const DEPTH_PERIOD_MS = 10_000;

/** What is consumed, and how. */
export interface ConsumerOptions {
  readonly config: RabbitConfig;
  readonly contract: Contract;
  readonly consumer: ConsumerName;
  /** Records of a commit. */
  readonly batchSize: number;
  /** A record is committed after so long, however few there are. */
  readonly flushIntervalMs: number;
}

/** When to end: `stopping` after what is under way, `signal` at once. */
export interface Ending {
  readonly stopping: AbortSignal;
  readonly signal: AbortSignal;
}

/**
 * Brings the records of all four queues to a target until it is told to end; a queue has a channel of its own, and all share a connection.
 * It waits for a broker or a target that goes away, and goes on when it is back. Throws a DumpError if it cannot begin.
 */
export async function consume(options: ConsumerOptions, target: BatchTarget, events: ConsumeEvents, { stopping, signal }: Ending): Promise<void> {
  const { config, batchSize, flushIntervalMs } = options;
  const prefetch = prefetchOf(batchSize);
  const failed = new AbortController();
  await using link = new Link(config, events, new Condition());
  await using deadLetters = new DeadLetters(config);
  const shared = { link, target, events, deadLetters, batchSize, flushIntervalMs, stopping: AbortSignal.any([stopping, failed.signal]), signal };
  const readers = DATA_TYPES.map((dataType) => ({ dataType, reader: new QueueReader({ ...options, dataType, prefetch }, shared) }));
  const timer = setInterval(() => {
    for (const { dataType, reader } of readers) {
      void reader.depth().then((messages) => {
        if (messages !== null) events.waiting(dataType, messages);
      });
    }
  }, DEPTH_PERIOD_MS);
  const runs = readers.map(({ reader }) => reader.run());
  try {
    await Promise.all(runs);
  } finally {
    clearInterval(timer);
    failed.abort();
    await Promise.allSettled(runs);
  }
}
