import type { Envelope } from "rabbitmq-client";
import type { ChangeRun, ChangeType, Contract, DataType, Tombstone } from "../../model.ts";
import type { FileEnd, Target, VersionEnd } from "../sink.ts";
import type { Headers } from "./message.ts";

/** The client stamps a message with the time unless the field is there; upstream's messages carry none. */
const NO_TIMESTAMP = { timestamp: undefined } as unknown as { readonly timestamp?: number };

/** The properties of every message, and where it goes; its `messageId` is set for each. What is not `mandatory` needs no queue. */
export function envelopeOf(contract: Contract, exchange: string, routingKey: string, mandatory = true): Envelope {
  return {
    exchange,
    routingKey,
    mandatory,
    durable: true,
    contentType: "application/json",
    // No encoding at all, but what upstream's topic extractor writes there.
    contentEncoding: contract === "topic" ? "application/json" : "UTF-8",
    ...NO_TIMESTAMP,
  };
}

/** `20260801/artists/`: what precedes the ordinal in the id of a message. */
export function idPrefix({ version, dataType }: Pick<Target, "version" | "dataType">): string {
  return `${version}/${dataType}/`;
}

/** Tells consumers that the records of a file are all there. */
export function fileComplete(dataType: DataType, { file, records }: FileEnd, now: Date): Buffer {
  return json({ type: "file_complete", data_type: dataType, timestamp: now.toISOString(), total_processed: records, file });
}

/** Tells consumers that a version is complete: they drop what is older than its first start. */
export function extractionComplete({ version, startedAt, recordCounts }: VersionEnd, now: Date): Buffer {
  const started_at = inUtc(startedAt);
  return json({ type: "extraction_complete", version, timestamp: now.toISOString(), started_at, record_counts: recordCounts });
}

/** What a record's message says of its change, where the body stays what it is without. */
export function changeHeaders(change: ChangeType, run: ChangeRun): Headers {
  return { "x-deadwax-change-type": change, "x-deadwax-run-id": run.id };
}

/** The same as upstream has it: the last members of the body. */
export function changeMembers(change: ChangeType, run: ChangeRun): Buffer {
  return Buffer.from(`,"_change_type":"${change}","_processing_run_id":${JSON.stringify(run.id)}}`);
}

/** One change of one record, in upstream's five fields. */
export type Notification = Pick<Tombstone, "data_type" | "record_id" | "processing_run_id" | "timestamp"> & { readonly change_type: ChangeType };

/** Tells of a change, whatever else is known of it. */
export function notification({ data_type, record_id, change_type, processing_run_id, timestamp }: Notification): Buffer {
  return json({ data_type, record_id, change_type, processing_run_id, timestamp });
}

/** Which hash the record had that is gone: who has another one has a later record. */
export function tombstoneHeaders({ hash }: Tombstone): Headers {
  return { "x-deadwax-hash": hash };
}

/** All changes of a file at once. */
export interface ChangeSummary {
  readonly dataType: DataType;
  readonly runId: string;
  readonly counts: { readonly created: number; readonly updated: number };
  /** Some of the ids. */
  readonly sample: { readonly created: readonly string[]; readonly updated: readonly string[] };
}

/** Tells of all changes of a file. */
export function summaryNotification({ dataType, runId, counts, sample }: ChangeSummary, now: Date): Buffer {
  return json({ data_type: dataType, change_type: "summary", processing_run_id: runId, timestamp: now.toISOString(), counts, sample });
}

/** RFC 3339 with `Z`; digits below the millisecond are kept where the zone allows it. */
function inUtc(time: string): string {
  const utc = time.replace(/[+-]00:00$/, "Z");
  return utc.endsWith("Z") ? utc : new Date(time).toISOString();
}

function json(value: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify(value));
}
