import type { TableConfig, TableFlags } from "../config/table.ts";
import { outputOf, resolveTableConfig } from "../config.ts";
import { ConsumerBoard } from "../consume/board.ts";
import { DumpError } from "../errors.ts";
import { startConsumerServer } from "../server/consumer-server.ts";
import { logFormatFor } from "../telemetry/log.ts";
import { CONSUMER_METRICS } from "../telemetry/metric-names.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { Telemetry } from "../telemetry.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { writeStartFailure } from "./start-failure.ts";
import { productVersion } from "./version.ts";

/** As upstream's writer is called. */
const SERVICE = "tableinator";

/** `deadwax table`: from the broker's queues into PostgreSQL; resolves with the exit code: 0 after a signal, 1 if it cannot begin. */
export async function runTable(flags: TableFlags, context: CommandContext): Promise<number> {
  try {
    return await table(resolveTableConfig({ flags }), context);
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    writeStartFailure(error, outputOf(flags), context.stdout);
    throw error.code === "CONFIG_INVALID" ? error : new DumpError(error.code, error.message, { cause: error, exit: EXIT_CODES.failed.exit });
  }
}

async function table(config: TableConfig, { stdout, listen, writeTables }: CommandContext): Promise<number> {
  const metrics = new Metrics(CONSUMER_METRICS);
  const { logLevel: level, logFile: file, output, healthHost: host, healthPort: port, contract, batchSize, stallSeconds, drainTimeoutMs } = config;
  const format = output ?? logFormatFor(stdout);
  using telemetry = new Telemetry({ level, format, file, output: stdout, bar: false, metrics, stallAfterMs: stallSeconds * 1000 });
  const version = await productVersion();
  telemetry.consumer.started({ name: SERVICE, version, contract, batchSize });
  for (const warning of config.warnings) telemetry.warned(warning);
  const board = new ConsumerBoard(SERVICE, telemetry);
  using stop = listen(drainTimeoutMs, telemetry);
  await using _server = await startConsumerServer({ host, port }, board, metrics, telemetry.server);
  await writeTables(config, { board, telemetry, stopping: stop.stopping, signal: stop.signal, productVersion: version });
  telemetry.consumer.stopped(SERVICE);
  return EXIT_CODES.done.exit;
}
