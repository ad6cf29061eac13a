import type { Change, ChangeMessage } from "../consume/change.ts";
import type { ChangesTarget } from "../consume/changes-reader.ts";
import { pause } from "../consume/pause.ts";
import type { Refusal } from "../consume/target.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import type { PostgresConfig } from "../postgres/config.ts";
import { isTombstoneHash } from "../postgres/deletions.ts";
import { failureKind, reasonOf } from "../postgres/failures.ts";
import { Session } from "../postgres/session.ts";
import { bury, type VersionedGone } from "../postgres/tombstones.ts";
import type { ConsumerEvents } from "../telemetry/consumer-events.ts";
import { versionOf } from "./message-id.ts";
import { sessionEvents } from "./postgres-target.ts";

/** Waits before the database is tried again. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;

/** A tombstone among the messages that were taken. */
interface Taken {
  readonly index: number;
  readonly gone: VersionedGone;
}

/** Deletes the rows that tombstones mean; of created and updated records it has heard already. Waits for a database that goes away. */
export class TombstoneTarget implements ChangesTarget, AsyncDisposable {
  readonly #session: Session;
  readonly #events: ConsumerEvents;
  readonly #ended: AbortSignal;

  /** `ended`: it is time to end, and nothing is waited for any more. */
  constructor(config: PostgresConfig, events: ConsumerEvents, ended: AbortSignal) {
    this.#session = new Session(config, sessionEvents("tombstones", events));
    this.#events = events;
    this.#ended = ended;
  }

  async take(messages: readonly ChangeMessage[], signal: AbortSignal): Promise<Refusal[]> {
    const refusals: Refusal[] = [];
    const taken = new Map<DataType, Taken[]>(DATA_TYPES.map((type) => [type, []]));
    for (const [index, { content, messageId }] of messages.entries()) {
      if (content.kind !== "change" || content.change.change_type !== "deleted") continue;
      const { data_type: dataType, record_id, hash }: Change = content.change;
      const version = versionOf(messageId, dataType);
      if (isTombstoneHash(hash)) taken.get(dataType)?.push({ index, gone: { record_id, hash, version } });
      else refusals.push({ index, reason: "x-deadwax-hash does not say which record is gone" });
    }
    for (const [dataType, some] of taken) if (some.length > 0) refusals.push(...(await this.#bury(dataType, some, signal)));
    return refusals;
  }

  /** Applies tombstones of one type; where the database refuses them, one by one. */
  async #bury(dataType: DataType, taken: readonly Taken[], signal: AbortSignal): Promise<Refusal[]> {
    const reason = await this.#attempt(dataType, taken, signal);
    if (reason === null) return [];
    const [only, ...others] = taken;
    if (only !== undefined && others.length === 0) return [{ index: only.index, reason }];
    const refusals: Refusal[] = [];
    for (const one of taken) refusals.push(...(await this.#bury(dataType, [one], signal)));
    return refusals;
  }

  /** Why the database refuses them for good; null: they are applied. */
  async #attempt(dataType: DataType, taken: readonly Taken[], signal: AbortSignal): Promise<string | null> {
    const gone = taken.map((one) => one.gone);
    const what = `tombstones of ${dataType} cannot be applied`;
    for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
      try {
        this.#events.buried(dataType, await this.#session.run(what, (client) => bury(client, dataType, gone), signal));
        return null;
      } catch (error) {
        signal.throwIfAborted();
        if (failureKind(error) === "data") return reasonOf(error);
        this.#events.buryDelayed(dataType, reasonOf(error), waitMs);
      }
      await pause(waitMs, AbortSignal.any([signal, this.#ended]));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
