import { randomUUID } from "node:crypto";
import { closeBuild, finishBuild, openBuild, pushBuild } from "../../native/index.js";
import { canonicalJson } from "../canonical.ts";
import type { Contract, DataType } from "../model.ts";
import type { StoredHashes } from "../postgres/stored-hashes.ts";
import { DIRTY } from "./entries.ts";
import { indexFault } from "./index-fault.ts";
import { HASH_VERSION, NO_CHANGES } from "./pointer.ts";
import type { Given } from "./rebuild.ts";

/** The version of a generation whose records were found downstream: which one they are of nobody says. It comes before all others. */
export const FOUND_VERSION = "0";
const HASH = /^[0-9a-f]{32}$/;
const NO_HASH = "0".repeat(32);

/** An index of what a table holds. `unknown`: rows without a hash that could be compared; they are delivered again. */
export interface TableIndex extends Given {
  readonly unknown: number;
}

/** Makes an index file of a table's rows. Raw bytes are not known, so that the first run parses every record. */
export async function indexTable(path: string, dataType: DataType, contract: Contract, tables: AsyncIterable<StoredHashes>): Promise<TableIndex> {
  const handle = openBuild(path);
  let unknown = 0;
  try {
    for await (const rows of tables) {
      const isKnown = rows.map(([, hash]) => hash !== null && HASH.test(hash));
      const hashes = Buffer.from(rows.map(([, hash], i) => (isKnown[i] === true ? hash : NO_HASH)).join(""), "hex");
      unknown += isKnown.filter((known) => !known).length;
      indexFault(() => pushBuild(handle, { ids: rows.map(([id]) => id), hashes, flags: Uint8Array.from(isKnown, (known) => (known ? 0 : DIRTY)) }));
    }
    const of = { version: FOUND_VERSION, run: randomUUID(), rulesDigest: null, hashVersion: HASH_VERSION };
    const { records } = await indexFault(() => finishBuild(handle, canonicalJson({ dataType, contract, ...of })));
    return { path, unknown, generation: { ...of, records, pending: 0, changes: NO_CHANGES } };
  } catch (error) {
    closeBuild(handle);
    throw error;
  }
}
