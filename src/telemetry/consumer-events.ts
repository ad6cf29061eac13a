import type { Logger } from "pino";
import { DATA_TYPES, type DataType } from "../model.ts";
import { Activity } from "./activity.ts";
import { type Clock, onSchedule } from "./clock.ts";
import { formatCount } from "./format.ts";
import { LABELS, type LabelValue } from "./metric-names.ts";
import type { Metrics } from "./metrics.ts";
import { logMomentMs } from "./progress.ts";

/** A type whose last message is older is slow. */
const SLOW_AFTER_MS = 5_000;
const STALL_CHECK_PERIOD_MS = 1_000;
/** Without any message this is told no more often. */
const IDLE_PERIOD_MS = 300_000;

/** How a consumer stands with one data type. */
export interface TypeStanding {
  readonly messages: number;
  /** When the last message came, in Unix milliseconds; null: none has. */
  readonly lastMessageAt: number | null;
  readonly isSubscribed: boolean;
  /** It has been, at least once. */
  readonly wasSubscribed: boolean;
  /** A file of it has come to its end, and no record since. */
  readonly isComplete: boolean;
  readonly isStalled: boolean;
  /** Messages that wait in its queue; null: not known. */
  readonly waiting: number | null;
  /** Why the target does not take its records; null: it does. */
  readonly targetFault: string | null;
}

type Standing = { -readonly [K in keyof TypeStanding]: TypeStanding[K] };

/** What a consumer tells: of the broker, of its queues, and of what becomes of the messages. It logs and counts together. */
export class ConsumerEvents {
  readonly #log: Logger;
  readonly #metrics: Metrics | null;
  readonly #clock: Clock;
  readonly #activity: Activity;
  readonly #types = new Map<DataType, Standing>(DATA_TYPES.map((type) => [type, emptyStanding()]));
  #isConnected = false;
  #areChangesSubscribed: boolean | null = null;
  #reported = 0;
  #idleToldAt = Number.NEGATIVE_INFINITY;
  #stopReports: (() => void)[] = [];

  constructor(log: Logger, metrics: Metrics | null, clock: Clock, stallAfterMs: number) {
    this.#log = log;
    this.#metrics = metrics;
    this.#clock = clock;
    this.#activity = new Activity(clock, stallAfterMs);
    metrics?.onRender(() => this.#showActivity());
  }

  /** The connection to the broker stands. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** How it stands with each type, now. */
  of(dataType: DataType): TypeStanding {
    return { ...this.#type(dataType), isStalled: this.#activity.isStalled(dataType) };
  }

  started(service: { readonly name: string; readonly version: string; readonly contract: LabelValue<"contract">; readonly batchSize: number }): void {
    const { name, version, contract, batchSize } = service;
    this.#metrics?.set("info", { version, contract, node: process.version }, 1);
    this.#metrics?.set("targetAvailable", {}, 0);
    this.#log.info(service, `🚀 Starting deadwax ${version} as ${name} (${contract}), batches of ${formatCount(batchSize)}`);
    this.#stopReports = [
      onSchedule(this.#clock, logMomentMs, () => this.#report()),
      onSchedule(
        this.#clock,
        (index) => (index + 1) * STALL_CHECK_PERIOD_MS,
        () => this.#watchStalls(),
      ),
    ];
  }

  stopped(name: string): void {
    for (const stop of this.#stopReports) stop();
    this.#stopReports = [];
    this.#log.info(`🛑 ${name} stopped`);
  }

  delayed(seconds: number): void {
    if (seconds > 0) this.#log.info({ seconds }, `⏳ Waiting ${seconds} s before the start`);
  }

  connected(): void {
    this.#isConnected = true;
    this.#metrics?.set("brokerConnected", {}, 1);
    this.#log.info("🐰 Connected to the broker");
  }

  lost(reason: string): void {
    this.#isConnected = false;
    this.#metrics?.set("brokerConnected", {}, 0);
    this.#log.warn({ reason }, `🔌 Lost the connection to the broker: ${reason}`);
  }

  reconnecting(reason: string, attempt: number, waitMs: number): void {
    this.#metrics?.count("brokerReconnects", {});
    this.#log.warn({ attempt, waitMs }, `🔄 Connecting to the broker again in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt}): ${reason}`);
  }

  blocked(reason: string): void {
    this.#log.warn({ reason }, `⏸️ The broker takes nothing for now: ${reason}`);
  }

  unblocked(): void {
    this.#log.info("🔄 The broker takes messages again");
  }

  subscribed(dataType: DataType, queue: string): void {
    Object.assign(this.#type(dataType), { isSubscribed: true, wasSubscribed: true });
    this.#metrics?.set("subscribed", { type: dataType }, 1);
    this.#log.info({ dataType, queue }, `📬 Consuming ${queue}`);
  }

  unsubscribed(dataType: DataType, reason: string): void {
    this.#type(dataType).isSubscribed = false;
    this.#metrics?.set("subscribed", { type: dataType }, 0);
    this.#log.warn({ dataType, reason }, `🔌 No more messages of ${dataType}: ${reason}`);
  }

  received(dataType: DataType, redelivered: boolean): void {
    const type = this.#type(dataType);
    type.messages += 1;
    type.lastMessageAt = Date.now();
    type.isComplete = false;
    this.#activity.records(dataType);
    this.#metrics?.count("messagesReceived", { type: dataType });
    if (redelivered) this.#metrics?.count("messagesRedelivered", { type: dataType });
  }

  committed(dataType: DataType, records: number, seconds: number): void {
    this.#metrics?.count("commits", { type: dataType });
    this.#metrics?.count("recordsCommitted", { type: dataType }, records);
    this.#metrics?.set("targetAvailable", {}, this.#faults().length === 0 ? 1 : 0);
    this.#log.debug({ dataType, records, seconds }, `💾 ${formatCount(records)} records of ${dataType} committed in ${(seconds * 1000).toFixed(0)} ms`);
  }

  deadLettered(dataType: DataType, { messageId, reason, queue }: { readonly messageId: string | null; readonly reason: string; readonly queue: string }): void {
    this.#metrics?.count("deadLetters", { type: dataType });
    this.#log.error({ dataType, messageId, queue }, `🗑️ Message ${messageId ?? "without id"} of ${dataType} goes to the dead letters of ${queue}: ${reason}`);
  }

  deadLetterDelayed(dataType: DataType, reason: string, waitMs: number): void {
    this.#log.warn({ dataType, waitMs }, `🔄 A message of ${dataType} cannot be given to the dead letters: ${reason}; trying again in ${waitMs / 1000} s`);
  }

  targetUnavailable(dataType: DataType, error: unknown, waitMs: number): void {
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
    this.#type(dataType).targetFault = reason;
    this.#metrics?.count("targetFailures", { type: dataType });
    this.#metrics?.set("targetAvailable", {}, 0);
    this.#log.warn({ dataType, waitMs }, `⏸️ Records of ${dataType} cannot be stored: ${reason}; trying again in ${waitMs / 1000} s`);
  }

  /** The target answers, also for the first time. */
  targetAvailable(dataType: DataType | null): void {
    if (dataType !== null) {
      this.#type(dataType).targetFault = null;
      this.#log.info({ dataType }, `🔄 Records of ${dataType} are stored again`);
    }
    this.#metrics?.set("targetAvailable", {}, this.#faults().length === 0 ? 1 : 0);
  }

  stored(dataType: DataType, rows: Readonly<Record<LabelValue<"fate">, number>>): void {
    for (const fate of ["inserted", "updated", "unchanged"] as const) this.#metrics?.count("rows", { type: dataType, fate }, rows[fate]);
  }

  purged(dataType: DataType, rows: number, version: string): void {
    this.#metrics?.count("rowsPurged", { type: dataType }, rows);
    this.#log.info({ dataType, rows, version }, `🧹 ${formatCount(rows)} rows of ${dataType} deleted that version ${version} no longer has`);
  }

  /** Tombstones were dealt with. */
  buried(dataType: DataType, rows: Readonly<Record<LabelValue<"burial">, number>>): void {
    for (const burial of LABELS.burial) this.#metrics?.count("tombstones", { type: dataType, burial }, rows[burial]);
    const { deleted, kept, absent, waiting } = rows;
    if (deleted + kept + absent + waiting === 0) return;
    const rest = `${formatCount(kept)} kept since they have a later record, ${formatCount(absent)} not there, ${formatCount(waiting)} remembered`;
    this.#log.info({ dataType, ...rows }, `🧹 ${formatCount(deleted)} rows of ${dataType} deleted whose records are gone (${rest})`);
  }

  buryDelayed(dataType: DataType, reason: string, waitMs: number): void {
    this.#metrics?.count("targetFailures", { type: dataType });
    this.#log.warn({ dataType, waitMs }, `⏸️ Tombstones of ${dataType} cannot be applied: ${reason}; trying again in ${waitMs / 1000} s`);
  }

  /** Null: changes are not consumed at all. */
  get areChangesSubscribed(): boolean | null {
    return this.#areChangesSubscribed;
  }

  changesSubscribed(queue: string): void {
    this.#areChangesSubscribed = true;
    this.#metrics?.set("changesSubscribed", {}, 1);
    this.#log.info({ queue }, `📬 Consuming ${queue}`);
  }

  changesUnsubscribed(reason: string): void {
    this.#areChangesSubscribed = false;
    this.#metrics?.set("changesSubscribed", {}, 0);
    this.#log.warn({ reason }, `🔌 No more changes: ${reason}`);
  }

  changeDeadLettered({ messageId, reason, queue }: { readonly messageId: string | null; readonly reason: string; readonly queue: string }): void {
    this.#metrics?.count("changesDeadLettered", {});
    this.#log.error({ messageId, queue }, `🗑️ Change ${messageId ?? "without id"} goes to the dead letters of ${queue}: ${reason}`);
  }

  changeDeadLetterDelayed(reason: string, waitMs: number): void {
    this.#log.warn({ waitMs }, `🔄 A change cannot be given to the dead letters: ${reason}; trying again in ${waitMs / 1000} s`);
  }

  fileComplete(dataType: DataType, { file, totalProcessed }: { readonly file: string | null; readonly totalProcessed: number | null }): void {
    this.#type(dataType).isComplete = true;
    this.#activity.ended(dataType);
    const count = totalProcessed === null ? "" : ` Total records processed: ${totalProcessed}`;
    this.#log.info({ dataType, file, totalProcessed }, `🎉 File processing complete for ${dataType}!${count}`);
  }

  extractionComplete(dataType: DataType, { version }: { readonly version: string }): void {
    this.#type(dataType).isComplete = true;
    this.#activity.ended(dataType);
    this.#log.info({ dataType, version }, `🏁 Extraction of version ${version} complete for ${dataType}`);
  }

  waiting(dataType: DataType, messages: number): void {
    this.#type(dataType).waiting = messages;
    this.#metrics?.set("queueMessages", { type: dataType }, messages);
  }

  told(text: string): void {
    this.#log.info(`🐘 ${text}`);
  }

  warned(text: string): void {
    this.#log.warn(`⚠️ ${text}`);
  }

  /** One line on how far it is, as long as there is something to tell. */
  #report(): void {
    const types = DATA_TYPES.map((dataType) => ({ dataType, ...this.of(dataType) }));
    const total = types.reduce((sum, { messages }) => sum + messages, 0);
    const news = total - this.#reported;
    this.#reported = total;
    if (news === 0 && types.every(({ isComplete, messages }) => isComplete || messages === 0)) {
      this.#reportIdle(total);
      return;
    }
    const counts = types.map(({ dataType, messages, isComplete }) => `${isComplete ? "🎉 " : ""}${capital(dataType)}: ${messages}`).join(", ");
    this.#log.info({ total }, `📊 Consumer Progress: ${total} total messages (${counts})`);
    const now = Date.now();
    const active = types.filter(({ isComplete, lastMessageAt }) => !isComplete && lastMessageAt !== null);
    const slow = active.filter(({ isStalled, lastMessageAt }) => !isStalled && now - (lastMessageAt ?? now) > SLOW_AFTER_MS);
    if (slow.length > 0) this.#log.warn(`⚠️ Slow consumers detected: ${JSON.stringify(slow.map(({ dataType }) => dataType))}`);
  }

  #reportIdle(total: number): void {
    if (this.#clock.now() - this.#idleToldAt < IDLE_PERIOD_MS) return;
    this.#idleToldAt = this.#clock.now();
    this.#log.info(total === 0 ? "⏳ Waiting for messages to process..." : "😴 Idle: waiting for messages");
  }

  #watchStalls(): void {
    const types = this.#activity.newlyStalled();
    if (types.length > 0) this.#log.error({ types }, `⚠️ Stalled consumers detected: ${JSON.stringify(types)}`);
  }

  #showActivity(): void {
    for (const type of DATA_TYPES) {
      const seconds = this.#activity.secondsSince(type);
      if (seconds === null) this.#metrics?.unset("sinceMessage", { type });
      else this.#metrics?.set("sinceMessage", { type }, seconds);
      this.#metrics?.set("consumerStalled", { type }, this.#activity.isStalled(type) ? 1 : 0);
    }
  }

  #faults(): string[] {
    return [...this.#types.values()].flatMap(({ targetFault }) => targetFault ?? []);
  }

  #type(dataType: DataType): Standing {
    const type = this.#types.get(dataType) ?? emptyStanding();
    this.#types.set(dataType, type);
    return type;
  }
}

function emptyStanding(): Standing {
  return { messages: 0, lastMessageAt: null, isSubscribed: false, wasSubscribed: false, isComplete: false, isStalled: false, waiting: null, targetFault: null };
}

function capital(word: string): string {
  return `${word[0]?.toUpperCase()}${word.slice(1)}`;
}
