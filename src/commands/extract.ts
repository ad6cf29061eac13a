import { readRulesFile } from "../config/rules-file.ts";
import { type Config, type Flags, resolveExtractConfig } from "../config.ts";
import { findDumps, toRequest } from "../discogs/plan.ts";
import type { ExtractReport, ExtractRequest } from "../discogs/request.ts";
import { DumpError } from "../errors.ts";
import { Telemetry } from "../telemetry.ts";
import type { CommandContext, Stop } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { renderReport } from "./report.ts";

/** `deadwax extract`: brings one version's records into a sink; resolves with the exit code. */
export async function runExtract(files: readonly string[], flags: Flags, context: CommandContext): Promise<number> {
  const config = resolveExtractConfig({ files, flags });
  const rules = config.dataQualityRules === null ? null : await readRulesFile(config.dataQualityRules);
  const found = await findDumps(config);
  const request = toRequest(config, found, rules);
  using telemetry = openTelemetry(config, context);
  telemetry.versionsPassedOver(found.passedOver);
  using stop = context.listen(config.drainTimeoutMs, telemetry);
  const report = await extractUnlessBrokenOff(request, stop, telemetry, context);
  telemetry[Symbol.dispose](); // the bar makes room for the report
  if (report === null) return EXIT_CODES.failed.exit;
  writeReport(report, config, context);
  return exitCodeOf(report, stop);
}

/** Null if the run was broken off: the telemetry has said so, and what it threw while falling apart adds nothing. */
async function extractUnlessBrokenOff(request: ExtractRequest, stop: Stop, telemetry: Telemetry, context: CommandContext) {
  try {
    return await context.extract(request, { stopping: stop.stopping, signal: stop.signal, telemetry });
  } catch (error) {
    if (stop.signal.aborted && !(error instanceof DumpError)) return null;
    throw error;
  }
}

function openTelemetry({ logLevel, output, sink }: Config, { stdout, stderr }: CommandContext): Telemetry {
  // Records that scroll over a terminal and a bar on the same terminal would garble each other.
  const bar = stderr.isTTY === true && output === "text" && logLevel !== "warn" && !(sink.includes("-") && stdout.isTTY === true);
  return new Telemetry({ level: logLevel, format: output, output: stderr, bar });
}

function writeReport(report: ExtractReport, { output, sink, logLevel }: Config, { stdout, stderr }: CommandContext): void {
  const target = sink.includes("-") ? stderr : stdout;
  if (output === "json") target.write(`${JSON.stringify(report)}\n`);
  else if (logLevel !== "warn") target.write(renderReport(report, sink));
}

function exitCodeOf(report: ExtractReport, stop: Stop): number {
  if (stop.received !== null && !report.complete) return EXIT_CODES[stop.received].exit;
  if (Object.values(report.types).some(({ pending = 0 }) => pending > 0)) return EXIT_CODES.held.exit;
  const rejected = Object.values(report.types).some((type) => type.rejected > 0);
  return (rejected ? EXIT_CODES.rejected : EXIT_CODES.done).exit;
}
