import { type FoundRecord, lookUp, type SourceIdentity, type SourceOptions } from "../../native/index.js";
import type { DataType, RejectedRecord, ResumePoint } from "../model.ts";
import { openingError } from "./fault.ts";

/** A stretch of a file in which records are looked up. */
export interface LookUpRequest extends Pick<SourceOptions, "contract" | "backend" | "recordBytesMax" | "depthMax" | "attributesMax" | "nameBytesMax"> {
  readonly inflatedBytesMax: number;
  readonly inflateRatioMax: number;
  readonly path: string;
  readonly dataType: DataType;
  readonly ids: readonly string[];
  /** Null: from the beginning. */
  readonly resume: ResumePoint | null;
  /** Inflated offset that the stretch ends before; Infinity: the end of the file. */
  readonly to: number;
  /** Handle of compiled data quality rules. */
  readonly rules: number | null;
}

/** What was looked up, in file order. */
export interface LookedUp {
  readonly records: readonly FoundRecord[];
  /** Malformed records with one of the ids. */
  readonly rejects: readonly RejectedRecord[];
  /** Of the file that was read. */
  readonly identity: SourceIdentity;
}

/** Inflated bytes that are looked through at a time: the stretch is left behind soon after its end. */
const CHUNK_BYTES = 2 ** 20;

/** Reads a stretch of a file for single records, on a thread of Node's own: there is no pool to start. */
export async function lookUpRecords(name: string, { to, ids, resume, rules, ...options }: LookUpRequest): Promise<LookedUp> {
  try {
    const where = { ...(resume === null ? {} : { resume: given(resume) }), ...(rules === null ? {} : { rules }) };
    const fixed = { chunkBytes: CHUNK_BYTES, rejectRawBytesMax: 0, checkpointRecords: 0, checkpointMs: 0 };
    const { records, rejects, identity } = await lookUp({ ...options, ...fixed, ...where, ids: [...ids] }, to);
    return { records, rejects: rejects.map((reject) => ({ ...reject, id: reject.id ?? null })), identity };
  } catch (error) {
    throw openingError(name, error);
  }
}

/** The addon takes no null: what is null is left out. */
function given({ lineForm, ...point }: ResumePoint) {
  return lineForm === null ? point : { ...point, lineForm };
}
