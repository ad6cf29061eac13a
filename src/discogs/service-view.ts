import type { Contract, DataType, Mode } from "../model.ts";

/** Life of the service: `idle` until the first run, `failed` until the next one; `completed` and `waiting` both mean success. */
export type ServiceStatus = "idle" | "running" | "completed" | "waiting" | "failed";

/** What the service knows of itself, answered from memory at any time. The HTTP server shows it and changes nothing but by `trigger`. */
export interface ServiceView {
  readonly contract: Contract;
  readonly mode: Mode;
  readonly status: ServiceStatus;
  /** Version in work, or the last one; null before the first was found. */
  readonly version: string | null;
  /** What it does right now, for people, such as `Processing artists`; null while waiting. */
  readonly currentTask: string | null;
  /** Why the last run failed, in one line; null unless it did. */
  readonly errorMessage: string | null;
  /** Why no work can be done right now, in one line (`no connection to the broker`, ...); null: ready. */
  readonly unreadyReason: string | null;
  /** Records of the run by data type. */
  readonly progress: Readonly<Record<DataType, number>>;
  /** Seconds since the last record of a data type, null if there was none in this run. */
  readonly secondsSinceRecord: Readonly<Record<DataType, number | null>>;
  /** Data types that are being extracted. */
  readonly active: readonly DataType[];
  /** Share of the compressed bytes of the run that is done, 0 to 1. */
  readonly fraction: number;
  readonly completedFiles: number;
  readonly errors: number;
  /** Asks for a run; a single slot, the later request overwrites the earlier. */
  trigger(request: { readonly forceReprocess: boolean }): "started" | "already_running";
}
