import type { TableConfig } from "../config/table.ts";
import type { ConsumerBoard } from "../consume/board.ts";
import { type ChangesEvents, consumeChanges } from "../consume/changes-reader.ts";
import { consume, type Ending } from "../consume/consumer.ts";
import { pause } from "../consume/pause.ts";
import { DATA_TYPES } from "../model.ts";
import { failureKind } from "../postgres/failures.ts";
import { type MigrateEvents, migrate } from "../postgres/migrate.ts";
import { changesKeyOf } from "../rabbitmq/topology.ts";
import type { ConsumerEvents } from "../telemetry/consumer-events.ts";
import type { Telemetry } from "../telemetry.ts";
import { PostgresTarget } from "./postgres-target.ts";
import { TombstoneTarget } from "./tombstone-target.ts";

/** Waits before a database that does not answer yet is asked again. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;
const CONSUMER = "tableinator";
/** Its queue never goes away: a tombstone that is not applied is a row that stays. */
const CHANGES = { keys: DATA_TYPES.map(changesKeyOf), expiresDays: 0, prefetch: 1_000, batchSize: 500 };

/** What the process lends the table writer: `stopping` asks to end after what is under way, `signal` breaks off. */
export interface TableContext extends Ending {
  readonly board: ConsumerBoard;
  readonly telemetry: Telemetry;
  /** The version of deadwax, which migrations note. */
  readonly productVersion: string;
}

/** Brings the messages of the broker into tables until it is told to end. Throws a DumpError if it cannot begin. */
export async function writeTables(config: TableConfig, context: TableContext): Promise<void> {
  const { board, telemetry, stopping, signal } = context;
  const ended = AbortSignal.any([stopping, signal]);
  telemetry.consumer.delayed(config.startupDelaySeconds);
  await pause(config.startupDelaySeconds * 1000, ended).catch(() => {});
  await using target = new PostgresTarget(config.postgres, telemetry.consumer);
  if (!(await reached(target, config, context, ended))) return;
  board.targetReached();
  const { broker, contract, batchSize, flushIntervalMs } = config;
  const failed = new AbortController();
  const ending = { stopping: AbortSignal.any([stopping, failed.signal]), signal };
  await using tombstones = new TombstoneTarget(config.postgres, telemetry.consumer, AbortSignal.any([ended, failed.signal]));
  const works = [
    consume({ config: broker, contract, consumer: CONSUMER, batchSize, flushIntervalMs }, target, telemetry.consumer, ending),
    consumeChanges({ config: broker, contract, service: CONSUMER, ...CHANGES }, tombstones, changesEvents(telemetry.consumer), ending),
  ];
  try {
    await Promise.all(works);
  } finally {
    failed.abort();
    await Promise.allSettled(works);
  }
}

/** What is told of changes; of the broker itself the connection for records tells. */
function changesEvents(events: ConsumerEvents): ChangesEvents {
  return {
    ...{ lost() {}, reconnecting() {}, connected() {}, blocked() {}, unblocked() {} },
    changesSubscribed: (queue) => events.changesSubscribed(queue),
    changesUnsubscribed: (reason) => events.changesUnsubscribed(reason),
    changeDeadLettered: (letter) => events.changeDeadLettered(letter),
    changeDeadLetterDelayed: (reason, waitMs) => events.changeDeadLetterDelayed(reason, waitMs),
  };
}

/** Brings the tables up to date as upstream's writer does when it starts; indexes are built once a file is complete. */
async function migrateFirst({ postgres }: TableConfig, version: string, { consumer }: Telemetry): Promise<void> {
  const events: MigrateEvents = {
    waiting: (reason) => consumer.told(`Waiting to migrate: ${reason}`),
    created: (what, name) => consumer.told(`Made the ${what} ${name}`),
    applied: (name) => consumer.told(`Applied the migration ${name}`),
    building() {},
    built() {},
    leftOut() {},
  };
  await migrate({ config: postgres, version, dryRun: false, indexes: "none", events });
}

/** Waits for a database that starts beside us; false: it is time to end. What somebody has to mend first is thrown. */
async function reached(target: PostgresTarget, config: TableConfig, { telemetry, productVersion }: TableContext, ended: AbortSignal): Promise<boolean> {
  for (let waitMs = WAIT_MS_MIN; !ended.aborted; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
    try {
      if (config.migrate) await migrateFirst(config, productVersion, telemetry);
      await target.check(ended);
      return true;
    } catch (error) {
      if (ended.aborted) return false;
      if (!(error instanceof Error) || failureKind(error.cause) !== "transient") throw error;
      telemetry.consumer.warned(`${error.message}; trying again in ${waitMs / 1000} s`);
    }
    await pause(waitMs, ended).catch(() => {});
  }
  return false;
}
