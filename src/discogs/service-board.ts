import type { DumpError } from "../errors.ts";
import type { Contract, DataType, Mode } from "../model.ts";
import type { Telemetry } from "../telemetry.ts";
import type { ServiceStatus, ServiceView } from "./service-view.ts";

/** A request for a run. */
export interface TriggerRequest {
  readonly forceReprocess: boolean;
}

/** Longest text of a failure that is shown. */
const ERROR_CHARS_MAX = 500;

/** What the service knows of itself: the loop and the run write it, the HTTP server reads it. */
export class ServiceBoard implements ServiceView {
  readonly contract: Contract;
  readonly mode: Mode;
  readonly #telemetry: Telemetry;
  #status: ServiceStatus = "idle";
  #version: string | null = null;
  #task: string | null = null;
  #failure: DumpError | null = null;
  #sinkReached = false;
  #request: TriggerRequest | null = null;
  #triggered = new AbortController();
  #isEnding = false;

  constructor({ contract, mode }: { readonly contract: Contract; readonly mode: Mode }, telemetry: Telemetry) {
    this.contract = contract;
    this.mode = mode;
    this.#telemetry = telemetry;
  }

  get status(): ServiceStatus {
    return this.#status;
  }

  get version(): string | null {
    return this.#version;
  }

  get currentTask(): string | null {
    if (this.#status !== "running") return null;
    const { active } = this;
    return active.length > 0 ? `Processing ${active.join(", ")}` : this.#task;
  }

  get errorMessage(): string | null {
    return this.#failure === null ? null : oneLine(this.#failure.message);
  }

  get unreadyReason(): string | null {
    if (this.#failure !== null) return `the last run failed: ${oneLine(this.#failure.message)}`;
    const { stalled, isSinkLost } = this.#telemetry.snapshot;
    if (!this.#sinkReached) return "the sink was not reached yet";
    if (isSinkLost) return "the connection to the sink is lost";
    return stalled.length > 0 ? `no new record for a long time: ${stalled.join(", ")}` : null;
  }

  get progress(): Readonly<Record<DataType, number>> {
    return this.#telemetry.snapshot.progress;
  }

  get secondsSinceRecord(): Readonly<Record<DataType, number | null>> {
    return this.#telemetry.snapshot.secondsSinceRecord;
  }

  get active(): readonly DataType[] {
    return this.#telemetry.snapshot.active;
  }

  get fraction(): number {
    return this.#telemetry.snapshot.fraction;
  }

  get completedFiles(): number {
    return this.#telemetry.snapshot.completedFiles;
  }

  get errors(): number {
    return this.#telemetry.snapshot.errors;
  }

  /** Aborted once a run is asked for; another one after the request was taken. */
  get triggered(): AbortSignal {
    return this.#triggered.signal;
  }

  /** "already_running" also once no run will follow any more: nothing is promised that is not kept. */
  trigger(request: TriggerRequest): "started" | "already_running" {
    if (this.#status === "running" || this.#isEnding) return "already_running";
    this.#request = request;
    this.#triggered.abort();
    return "started";
  }

  /** The request that is waiting, which is then no longer. */
  takeTrigger(): TriggerRequest | null {
    const request = this.#request;
    this.#request = null;
    this.#triggered = new AbortController();
    return request;
  }

  /** No run will begin any more, although the server still answers for a moment. */
  ending(): void {
    this.#isEnding = true;
  }

  started(): void {
    this.#status = "running";
    this.#failure = null;
    this.#task = null;
  }

  /** What is done before records flow; `version` null: not known yet. */
  working(version: string | null, task: string): void {
    this.#version = version ?? this.#version;
    this.#task = task;
  }

  /** The sink has answered once; telemetry knows whether it was lost since. */
  sinkReached(): void {
    this.#sinkReached = true;
  }

  completed(): void {
    this.#status = "completed";
  }

  failed(error: DumpError): void {
    this.#status = "failed";
    this.#failure = error;
  }

  /** Success turns into waiting; a failure stays visible until the next run. */
  waiting(): void {
    if (this.#status !== "failed") this.#status = "waiting";
  }
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").slice(0, ERROR_CHARS_MAX);
}
