import { type ConsumerOptions, consume, type Ending } from "../../src/consume/consumer.ts";
import type { ExtractionComplete, FileComplete } from "../../src/consume/content.ts";
import type { ConsumeEvents, DeadLetter } from "../../src/consume/events.ts";
import { type BatchTarget, type Delivery, RecordRefused, TargetUnavailable } from "../../src/consume/target.ts";
import { type Contract, DATA_TYPES, type DataType } from "../../src/model.ts";
import { parseAmqpUrl } from "../../src/rabbitmq/config.ts";
import type { VirtualHost } from "../services/virtual-host.ts";

/** What happened at a target, in order: `artists commit 1 2 3`, `artists file_complete`. */
export class MemoryTarget implements BatchTarget {
  readonly calls: string[] = [];
  /** Per type: how often each id was committed. */
  readonly commits = new Map<DataType, Map<string, number>>(DATA_TYPES.map((type) => [type, new Map()]));
  readonly extractions: { readonly dataType: DataType; readonly message: ExtractionComplete; readonly deadLettered: boolean }[] = [];
  /** Ids that cannot be stored. */
  readonly poison = new Set<string>();
  /** Whether a refusal says which ones it is about. */
  names = false;
  /** Nothing can be stored at all. */
  isDown = false;
  /** Commits wait while this is set. */
  gate: Promise<void> | null = null;
  /** Attempts to commit, failed ones too. */
  attempts = 0;
  /** Most records held by commits at a time. */
  held = 0;

  async commit(dataType: DataType, records: readonly Delivery[], signal: AbortSignal): Promise<void> {
    this.attempts += 1;
    this.held = Math.max(this.held, records.length);
    if (this.gate !== null) await Promise.race([this.gate, new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))]);
    if (this.isDown) throw new TargetUnavailable("connection refused");
    const ids = records.map(({ body }) => String((JSON.parse(body.toString()) as { id: unknown }).id));
    const refusals = ids.flatMap((id, index) => (this.poison.has(id) ? [{ index, reason: `${id} is poison` }] : []));
    if (refusals.length > 0) throw new RecordRefused("poison", this.names ? refusals : []);
    const commits = this.commits.get(dataType);
    for (const id of ids) commits?.set(id, (commits.get(id) ?? 0) + 1);
    this.calls.push(`${dataType} commit ${ids.join(" ")}`);
  }

  async fileComplete(dataType: DataType, { file }: FileComplete): Promise<void> {
    if (this.isDown) throw new TargetUnavailable("connection refused");
    this.calls.push(`${dataType} file_complete ${file}`);
  }

  async extractionComplete(dataType: DataType, message: ExtractionComplete, deadLettered: boolean): Promise<void> {
    if (this.isDown) throw new TargetUnavailable("connection refused");
    this.calls.push(`${dataType} extraction_complete ${message.version}`);
    this.extractions.push({ dataType, message, deadLettered });
  }

  /** Ids of a type, in the order of their first commit. */
  ids(dataType: DataType): string[] {
    return [...(this.commits.get(dataType)?.keys() ?? [])];
  }

  /** Records that were committed more than once. */
  get duplicates(): number {
    let again = 0;
    for (const commits of this.commits.values()) for (const count of commits.values()) again += count - 1;
    return again;
  }
}

/** Keeps what a consumer tells. */
export class RecordedEvents implements ConsumeEvents {
  readonly told: string[] = [];
  readonly deadLetters: (DeadLetter & { readonly dataType: DataType })[] = [];
  readonly waits: number[] = [];
  readonly depths = new Map<DataType, number>();
  messages = 0;
  redelivered = 0;
  records = 0;

  lost = (reason: string) => this.#tell(`lost: ${reason}`);
  reconnecting = (reason: string) => this.#tell(`reconnecting: ${reason}`);
  connected = () => this.#tell("connected");
  blocked = (reason: string) => this.#tell(`blocked: ${reason}`);
  unblocked = () => this.#tell("unblocked");
  subscribed = (dataType: DataType, queue: string) => this.#tell(`subscribed ${dataType}: ${queue}`);
  unsubscribed = (dataType: DataType, reason: string) => this.#tell(`unsubscribed ${dataType}: ${reason}`);
  deadLetterDelayed = (dataType: DataType, reason: string) => this.#tell(`delayed ${dataType}: ${reason}`);
  targetAvailable = (dataType: DataType) => this.#tell(`available ${dataType}`);
  fileComplete = (dataType: DataType) => this.#tell(`file_complete ${dataType}`);
  extractionComplete = (dataType: DataType) => this.#tell(`extraction_complete ${dataType}`);

  received(_dataType: DataType, redelivered: boolean): void {
    this.messages += 1;
    if (redelivered) this.redelivered += 1;
  }

  committed(_dataType: DataType, records: number): void {
    this.records += records;
  }

  deadLettered(dataType: DataType, letter: DeadLetter): void {
    this.deadLetters.push({ dataType, ...letter });
  }

  targetUnavailable(dataType: DataType, error: unknown, waitMs: number): void {
    this.waits.push(waitMs);
    this.#tell(`unavailable ${dataType}: ${error instanceof Error ? error.message : String(error)}`);
  }

  waiting(dataType: DataType, messages: number): void {
    this.depths.set(dataType, messages);
  }

  /** How often something was told that begins so. */
  count(start: string): number {
    return this.told.filter((line) => line.startsWith(start)).length;
  }

  #tell(line: string): void {
    this.told.push(line);
  }
}

/** A consumer that runs until it is stopped. */
export class RunningConsumer implements AsyncDisposable {
  readonly target = new MemoryTarget();
  readonly events = new RecordedEvents();
  readonly #stopping = new AbortController();
  readonly #breaking = new AbortController();
  readonly ended: Promise<void>;

  constructor(url: string, contract: Contract, options: Partial<ConsumerOptions> = {}) {
    const ending: Ending = { stopping: this.#stopping.signal, signal: this.#breaking.signal };
    const config = parseAmqpUrl(url, "broker");
    this.ended = consume({ config, contract, consumer: "tableinator", batchSize: 10, flushIntervalMs: 100, ...options }, this.target, this.events, ending);
    this.ended.catch(() => {}); // who waits for the end hears of it
  }

  /** Lets it finish what is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    this.#breaking.abort();
    await this.ended.catch(() => {});
  }
}

/** The names of one type in a contract. */
export function namesOf(contract: Contract, dataType: DataType) {
  if (contract === "topic") return { exchange: "discogsography-exchange", routingKey: dataType, queue: `discogsography-tableinator-${dataType}` };
  return { exchange: `discogsography-discogs-${dataType}`, routingKey: "", queue: `discogsography-discogs-tableinator-${dataType}` };
}

/** Publishes bodies as the contract's extractor does; resolves once the broker has them. */
export async function publish(host: VirtualHost, contract: Contract, dataType: DataType, bodies: readonly (string | object)[], first = 0): Promise<void> {
  const channel = await host.channel();
  await channel.confirmSelect();
  const { exchange, routingKey } = namesOf(contract, dataType);
  const contentEncoding = contract === "topic" ? "application/json" : "UTF-8";
  const envelope = { exchange, routingKey, durable: true, contentType: "application/json", contentEncoding };
  await Promise.all(
    bodies.map((body, index) =>
      channel.basicPublish(
        { ...envelope, messageId: `20260801/${dataType}/${first + index}` },
        Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
      ),
    ),
  );
}

/** Records with the ids of a range. */
export function records(first: number, count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    type: "data",
    id: String(first + index),
    sha256: `hash-${first + index}`,
    name: `Ärtist ${first + index}`,
  }));
}

/** The ids of a range. */
export function ids(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(first + index));
}
