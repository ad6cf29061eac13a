import type { Envelope } from "rabbitmq-client";
import type { Contract, DataType } from "../../model.ts";
import type { FileEnd, Target, VersionEnd } from "../sink.ts";

/** The client stamps a message with the time unless the field is there; upstream's messages carry none. */
const NO_TIMESTAMP = { timestamp: undefined } as unknown as { readonly timestamp?: number };

/** The properties of every message, and where it goes; its `messageId` is set for each. */
export function envelopeOf(contract: Contract, exchange: string, routingKey: string): Envelope {
  return {
    exchange,
    routingKey,
    mandatory: true,
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

/** RFC 3339 with `Z`; digits below the millisecond are kept where the zone allows it. */
function inUtc(time: string): string {
  const utc = time.replace(/[+-]00:00$/, "Z");
  return utc.endsWith("Z") ? utc : new Date(time).toISOString();
}

function json(value: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify(value));
}
