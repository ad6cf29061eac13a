import { DATA_TYPES, type DataType } from "../model.ts";
import type { TypeStanding } from "../telemetry/consumer-events.ts";
import type { Telemetry } from "../telemetry.ts";

/** `starting` until broker and target have answered for the first time. */
export type ConsumerStatus = "starting" | "healthy" | "unhealthy";

/** What a consumer knows of itself, answered from memory at any time; the HTTP server shows it. */
export interface ConsumerView {
  /** `tableinator`, as upstream's is called. */
  readonly service: string;
  readonly status: ConsumerStatus;
  /** Why it is not healthy, in one line; null: it is. */
  readonly fault: string | null;
  readonly types: Readonly<Record<DataType, TypeStanding>>;
}

/** Longest text of a fault that is shown. */
const FAULT_CHARS_MAX = 500;

/** Puts together how a consumer is from what it has told. */
export class ConsumerBoard implements ConsumerView {
  readonly service: string;
  readonly #telemetry: Telemetry;
  #targetReached = false;

  constructor(service: string, telemetry: Telemetry) {
    this.service = service;
    this.#telemetry = telemetry;
  }

  /** The target has answered once, and is what it should be. */
  targetReached(): void {
    this.#targetReached = true;
    this.#telemetry.consumer.targetAvailable(null);
  }

  get types(): Readonly<Record<DataType, TypeStanding>> {
    return Object.fromEntries(DATA_TYPES.map((dataType) => [dataType, this.#telemetry.consumer.of(dataType)])) as Record<DataType, TypeStanding>;
  }

  get status(): ConsumerStatus {
    if (this.fault === null) return "healthy";
    const hasStood = this.#targetReached && Object.values(this.types).every(({ wasSubscribed }) => wasSubscribed);
    return hasStood ? "unhealthy" : "starting";
  }

  get fault(): string | null {
    return this.#fault()?.slice(0, FAULT_CHARS_MAX) ?? null;
  }

  #fault(): string | null {
    const { types } = this;
    for (const dataType of DATA_TYPES) {
      const { targetFault } = types[dataType];
      if (targetFault !== null) return `records of ${dataType} cannot be stored: ${targetFault}`;
    }
    if (!this.#targetReached) return "the database was not reached yet";
    if (!this.#telemetry.consumer.isConnected) return "there is no connection to the broker";
    const missing = DATA_TYPES.filter((dataType) => !types[dataType].isSubscribed);
    if (missing.length > 0) return `no messages come of ${missing.join(", ")}`;
    return this.#telemetry.consumer.areChangesSubscribed === false ? "no changes come, so that nothing is deleted" : null;
  }
}
