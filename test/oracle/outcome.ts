import type { Contract, DataType } from "../../src/model.ts";
import { DEFAULT_LIMITS, type DocumentItem, type Fatal, type OracleLimits, type OracleReject, readDocument } from "./document.ts";
import { fanoutRecord } from "./fanout.ts";
import { readGzip } from "./gzip.ts";
import { topicRecord } from "./topic.ts";
import { toBody } from "./value.ts";

/** What must come out of one file. */
export interface Outcome {
  readonly outcome: "ok" | "rejects" | "fatal";
  /** The exact bytes of each message body, in file order; for `fatal`, those before the fault. */
  readonly bodies: Buffer[];
  /** Records that are not objects. */
  readonly empty: number;
  readonly rejects: OracleReject[];
  /** Bodies delivered as `unknown` for want of a usable id. */
  readonly unknownIds: number;
  readonly fatal?: Fatal;
}

/** Reads a whole dump, gzip or plain XML; a damaged gzip gives nothing but its fault. */
export function readDump(file: Buffer, dataType: DataType, contract: Contract, limits = DEFAULT_LIMITS): Outcome {
  const { bytes, fatal } = readGzip(file);
  if (fatal !== undefined) return { outcome: "fatal", bodies: [], empty: 0, rejects: [], unknownIds: 0, fatal };
  return readXml(bytes, dataType, contract, limits);
}

/** Reads a whole document of inflated XML. */
export function readXml(xml: Buffer, dataType: DataType, contract: Contract, limits: OracleLimits = DEFAULT_LIMITS): Outcome {
  const items: DocumentItem[] = [];
  const fatal = readDocument(xml, dataType, limits, items);
  const bodies: Buffer[] = [];
  const rejects: OracleReject[] = [];
  let empty = 0;
  let unknownIds = 0;
  for (const item of items) {
    if (item.kind === "reject") {
      rejects.push(item.reject);
      continue;
    }
    const read = contract === "topic" ? topicRecord(item.element, dataType) : fanoutRecord(item.element, dataType);
    if (read === null) {
      empty += 1;
      continue;
    }
    if (read.id === null) unknownIds += 1;
    bodies.push(toBody(read.id ?? "unknown", read.record));
  }
  if (fatal !== null) return { outcome: "fatal", bodies, empty, rejects, unknownIds, fatal };
  return { outcome: rejects.length > 0 ? "rejects" : "ok", bodies, empty, rejects, unknownIds };
}
