import type { TableConfig } from "../config/table.ts";
import type { ConsumerBoard } from "../consume/board.ts";
import { consume, type Ending } from "../consume/consumer.ts";
import { pause } from "../consume/pause.ts";
import { failureKind } from "../postgres/failures.ts";
import { type MigrateEvents, migrate } from "../postgres/migrate.ts";
import type { Telemetry } from "../telemetry.ts";
import { PostgresTarget } from "./postgres-target.ts";

/** Waits before a database that does not answer yet is asked again. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;

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
  await consume({ config: broker, contract, consumer: "tableinator", batchSize, flushIntervalMs }, target, telemetry.consumer, { stopping, signal });
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
