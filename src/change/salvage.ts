import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { indexInfo } from "../../native/index.js";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { OpenIndex } from "./ledger.ts";
import { type Generation, NO_CHANGES } from "./pointer.ts";

const NAME = /^([a-z]+)\.(\d+)\.idx$/;
const meta = z.object({ version: z.string(), run: z.uuid(), rulesDigest: z.string().nullable(), hashVersion: z.int() });

/** The newest generation of each data type whose file can be opened, by what the files of a folder say of themselves. */
export async function generationsIn(folder: string): Promise<Partial<Record<DataType, Generation>>> {
  const found: Partial<Record<DataType, Generation>> = {};
  for (const file of await readdir(folder).catch(() => [])) {
    const [, type, digits] = NAME.exec(file) ?? [];
    const dataType = DATA_TYPES.find((known) => known === type);
    const number = Number(digits);
    if (dataType === undefined || number <= (found[dataType]?.number ?? 0)) continue;
    const said = readMeta(join(folder, file));
    if (said !== null) found[dataType] = { file, number, ...said, pending: 0, changes: NO_CHANGES };
  }
  return found;
}

function readMeta(path: string): Pick<Generation, "version" | "run" | "rulesDigest" | "hashVersion" | "records"> | null {
  try {
    using index = new OpenIndex(path);
    const info = indexInfo(index.handle);
    const { version, run, rulesDigest, hashVersion } = meta.parse(JSON.parse(info.meta));
    return { version, run, rulesDigest, hashVersion, records: info.records };
  } catch (error) {
    if (error instanceof DumpError || error instanceof z.ZodError || error instanceof SyntaxError) return null;
    throw error;
  }
}
