import { indexInfo, verifyIndex } from "../../native/index.js";
import { DumpError } from "../errors.ts";
import { indexFault } from "./index-fault.ts";
import { OpenIndex } from "./ledger.ts";
import type { Generation } from "./pointer.ts";

/** Reads every block of a generation's file; resolves with its records, and throws INDEX_CORRUPT or INDEX_UNREADABLE if it is not what was written. */
export async function soundRecords(path: string, { records }: Pick<Generation, "records">): Promise<number> {
  const found = await wholeRecords(path);
  if (found === records) return found;
  throw new DumpError("INDEX_CORRUPT", `${path} has ${found} records, and the pointer says ${records}; run deadwax state repair`);
}

/** The same of a file of which no pointer tells how many records it has. */
export async function wholeRecords(path: string): Promise<number> {
  using index = new OpenIndex(path);
  await indexFault(() => verifyIndex(index.handle));
  return indexInfo(index.handle).records;
}

/** Why a generation's file cannot be used; null: it is sound. */
export async function faultOf(path: string, generation: Pick<Generation, "records">): Promise<DumpError | null> {
  try {
    await soundRecords(path, generation);
    return null;
  } catch (error) {
    if (error instanceof DumpError) return error;
    throw error;
  }
}
