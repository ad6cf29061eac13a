import type { ServeConfig } from "../config/serve.ts";
import type { TableConfig } from "../config/table.ts";
import type { ExtractReport, ExtractRequest } from "../discogs/request.ts";
import type { ServiceContext } from "../discogs/service-run.ts";
import type { TableContext } from "../table/table.ts";
import type { TextOutput } from "../telemetry/screen.ts";
import type { Telemetry } from "../telemetry.ts";

/** The signals that stop a run. */
export type StopSignal = "SIGINT" | "SIGTERM";

/** How a run learns that it should stop. */
export interface Stop extends Disposable {
  /** Raised by the first signal: stop at the next checkpoint. */
  readonly stopping: AbortSignal;
  /** Raised by the second one or the drain timeout: break off whatever waits. */
  readonly signal: AbortSignal;
  /** The first signal, if one came. */
  readonly received: StopSignal | null;
}

/** The application, as the commands call it. */
export type Extract = (request: ExtractRequest, context: { stopping: AbortSignal; signal: AbortSignal; telemetry: Telemetry }) => Promise<ExtractReport>;

/** The service, as the commands call it: resolves once a signal has stopped it, or its first run has failed and the cool-down has passed. */
export type Serve = (config: ServeConfig, context: ServiceContext) => Promise<"stopped" | "failed">;

/** The table writer, as the commands call it: resolves once a signal has stopped it. */
export type WriteTables = (config: TableConfig, context: TableContext) => Promise<void>;

/** Whether the source of the dumps answers: fails with why it does not. */
export type CheckSource = (config: ServeConfig, signal: AbortSignal) => Promise<void>;

/** Takes what is no text too. */
export interface ByteOutput extends TextOutput {
  write(bytes: string | Uint8Array): unknown;
}

/** What the process lends a command. */
export interface CommandContext {
  readonly stdout: ByteOutput;
  readonly stderr: TextOutput;
  readonly extract: Extract;
  readonly serve: Serve;
  readonly writeTables: WriteTables;
  /** Null: the source is not asked. */
  readonly checkSource: CheckSource | null;
  /** Listens to signals until the result is disposed of. */
  listen(drainTimeoutMs: number, telemetry: Telemetry): Stop;
}
