import { randomUUID } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { indexInfo } from "../../native/index.js";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { readHistory } from "./history.ts";
import { OpenIndex } from "./ledger.ts";
import { type Generation, NO_CHANGES } from "./pointer.ts";

/** Of a file that does not tell. */
export const UNKNOWN_HASH = 0;
const NO_VERSION = "";
const NAME = /^([a-z]+)\.(\d+)\.idx$/;
/** Its header comes first, and is JSON. */
const LEDGER_HEAD_BYTES = 4096;
const RUN = /"run":"([0-9a-f-]{36})"/;
const meta = z.object({ version: z.string(), run: z.uuid(), rulesDigest: z.string().nullable(), hashVersion: z.int() });

/** A file of a folder that is named like a generation. */
interface IndexFile {
  readonly dataType: DataType;
  readonly file: string;
  readonly number: number;
  /** Whether it was made by the run whose ledger is there: it may never have become the last good one. */
  readonly isUnended: boolean;
  /** Null: it cannot be opened. */
  readonly said: Pick<Generation, "version" | "run" | "rulesDigest" | "hashVersion" | "records"> | null;
}

/**
 * The newest generation of each data type, by what the files of a folder say of themselves. One of a run that has not ended counts only where
 * there is no other: what it has found is in its ledger, too. One that cannot be opened is damaged, and not a reason to go back to the one before.
 */
export async function generationsIn(folder: string): Promise<Partial<Record<DataType, Generation>>> {
  const found: Partial<Record<DataType, Generation>> = {};
  const files = await indexFiles(folder);
  const history = await readHistory(folder).catch(() => []);
  const ranked = files.sort((a, b) => Number(b.isUnended) - Number(a.isUnended) || a.number - b.number);
  for (const { dataType, file, number, said } of ranked) {
    const version = history.findLast((line) => line.dataType === dataType)?.version ?? NO_VERSION;
    const unknown = { version, run: randomUUID(), rulesDigest: null, hashVersion: UNKNOWN_HASH, records: 0 };
    found[dataType] = { file, number, ...(said ?? unknown), pending: 0, changes: NO_CHANGES };
  }
  return found;
}

/** The highest number of each data type's files that an ended run has left. What a first run leaves that is killed at its end is none of them. */
export async function endedNumbers(folder: string, except: readonly string[] = []): Promise<ReadonlyMap<DataType, number>> {
  const ended = (await indexFiles(folder, except)).filter(({ isUnended }) => !isUnended);
  return new Map(ended.sort((a, b) => a.number - b.number).map(({ dataType, number }) => [dataType, number]));
}

async function indexFiles(folder: string, except: readonly string[] = []): Promise<IndexFile[]> {
  const found: IndexFile[] = [];
  const unended = new Map<DataType, string | null>();
  for (const file of await readdir(folder).catch(() => [])) {
    const [, type, digits] = NAME.exec(file) ?? [];
    const dataType = DATA_TYPES.find((known) => known === type);
    if (dataType === undefined || except.includes(dataType)) continue;
    if (!unended.has(dataType)) unended.set(dataType, await runOf(join(folder, `${dataType}.ledger`)));
    const said = readMeta(join(folder, file));
    found.push({ dataType, file, number: Number(digits), said, isUnended: said !== null && said.run === unended.get(dataType) });
  }
  return found;
}

/** The run of a ledger, without opening it, since that cuts what is not whole; null: there is none, or nothing that tells. */
async function runOf(path: string): Promise<string | null> {
  await using file = await open(path, "r").catch(() => null);
  if (file === null) return null;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(LEDGER_HEAD_BYTES), 0, LEDGER_HEAD_BYTES, 0);
  return RUN.exec(buffer.toString("latin1", 0, bytesRead))?.[1] ?? null;
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
