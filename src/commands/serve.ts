import { type RulesFile, readRulesFile } from "../config/rules-file.ts";
import type { ServeConfig, ServeFlags } from "../config/serve.ts";
import { outputOf, resolveServeConfig } from "../config.ts";
import { ServiceBoard } from "../discogs/service-board.ts";
import { DumpError } from "../errors.ts";
import { startServer } from "../server/server.ts";
import { watchDisk } from "../telemetry/disk.ts";
import { logFormatFor } from "../telemetry/log.ts";
import { Metrics } from "../telemetry/metrics.ts";
import type { TextOutput } from "../telemetry/screen.ts";
import { Telemetry } from "../telemetry.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { writeStartFailure } from "./start-failure.ts";
import { productVersion } from "./version.ts";

/** `deadwax serve`: the service; resolves with the exit code, which is upstream's: 0 after a signal, 1 after a failed first run. */
export async function runServe(flags: ServeFlags, context: CommandContext): Promise<number> {
  try {
    return await serve(flags, context);
  } catch (error) {
    if (error instanceof DumpError) writeStartFailure(error, outputOf(flags), context.stdout);
    throw error;
  }
}

async function serve(flags: ServeFlags, context: CommandContext): Promise<number> {
  const config = resolveServeConfig({ flags });
  const rules = await readRules(config);
  const { stdout } = context;
  const metrics = new Metrics();
  const { logLevel: level, logFile: file, output, healthHost: host, healthPort: port, triggerToken, metricsFormat, contract, threads } = config;
  const stallAfterMs = config.stallSeconds * 1000;
  using telemetry = new Telemetry({ level, format: output ?? logFormatFor(stdout), file, output: stdout, bar: false, metrics, stallAfterMs });
  watchDisk(metrics, config.root);
  const version = await productVersion();
  telemetry.service.started({ version, contract, threads });
  for (const warning of config.warnings) telemetry.warned(warning);
  const board = new ServiceBoard(config, telemetry);
  using stop = context.listen(config.drainTimeoutMs, telemetry);
  await using _server = await startServer({ host, port, token: triggerToken?.reveal() ?? null, metrics: metricsFormat }, board, metrics, telemetry.server);
  const { stopping, signal } = stop;
  const end = await context.serve(config, { board, rules, telemetry, stopping, signal, productVersion: version });
  telemetry.service.stopped();
  return end === "failed" ? EXIT_CODES.failed.exit : EXIT_CODES.done.exit;
}

/** To whoever restarts the container every fault of the configuration is a failure. */
async function readRules({ dataQualityRules: path }: ServeConfig): Promise<RulesFile | null> {
  if (path === null) return null;
  try {
    return await readRulesFile(path);
  } catch (error) {
    throw error instanceof DumpError ? new DumpError(error.code, error.message, { cause: error, exit: EXIT_CODES.failed.exit }) : error;
  }
}

/** One line for each setting that is there and does nothing. */
export function writeWarnings({ warnings, output }: ServeConfig, stderr: TextOutput): void {
  const isJson = output === "json" || (output === null && stderr.isTTY !== true);
  for (const warning of warnings) {
    const message = `⚠️ ${warning}`;
    stderr.write(isJson ? `${JSON.stringify({ level: "warn", message })}\n` : `${message}\n`);
  }
}
