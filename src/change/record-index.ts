import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { xxh3_64 } from "../../native/index.js";
import { replaceDurably, syncFolder } from "../durable.ts";
import { DumpError, systemCode } from "../errors.ts";
import type { Contract, DataType } from "../model.ts";
import { type Generation, type Pointer, readPointer, writePointer } from "./pointer.ts";

/** Name of the folder, in that of the state, that holds an index for every sink and contract. */
export const INDEX_FOLDER = ".deadwax_index";
/** The generation before the last is kept too, to go back to. */
const GENERATIONS_KEPT = 2;
const POINTER_NAME = "CURRENT.json";
const SINK_DIGITS = 8;

/** Of what an index knows what there is downstream. */
export interface IndexKey {
  readonly sink: string;
  readonly contract: Contract;
}

/**
 * What downstream has, by data type: fingerprints of records by id. Files of it are never written twice; a run writes the next generation
 * beside, and the pointer moves last, for all data types at once. Its user holds the lock of the state folder.
 */
export class RecordIndex {
  readonly folder: string;
  #pointer: Pointer;

  private constructor(folder: string, pointer: Pointer) {
    this.folder = folder;
    this.#pointer = pointer;
  }

  /** Reads what is there; nothing is no fault, but what cannot be read is. Writes nothing. */
  static async open(stateRoot: string, key: IndexKey): Promise<RecordIndex> {
    const folder = join(stateRoot, INDEX_FOLDER, folderName(key));
    const path = join(folder, POINTER_NAME);
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return null;
      throw new DumpError("STATE_UNWRITABLE", `${path} cannot be read (${systemCode(error) ?? "unknown"}); give this user access to it`, { cause: error });
    });
    if (text === null) return new RecordIndex(folder, { ...key, types: {} });
    const pointer = readPointer(text);
    if (typeof pointer === "string") {
      throw new DumpError("INDEX_CORRUPT", `${path}: ${pointer}; run deadwax state repair, or restore it with deadwax state import`);
    }
    return new RecordIndex(folder, pointer);
  }

  /** The last good generation of a data type; null before its first run has ended. */
  generation(dataType: DataType): Generation | null {
    return this.#pointer.types[dataType] ?? null;
  }

  pathOf({ file }: Pick<Generation, "file">): string {
    return join(this.folder, file);
  }

  /** Where the ledger of the run in progress is. */
  ledgerPath(dataType: DataType): string {
    return join(this.folder, `${dataType}.ledger`);
  }

  /** Name and number of the generation to write next. */
  next(dataType: DataType): Pick<Generation, "file" | "number"> {
    const number = (this.generation(dataType)?.number ?? 0) + 1;
    return { file: `${dataType}.${number}.idx`, number };
  }

  async makeFolder(): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true });
    } catch (error) {
      throw new DumpError("STATE_UNWRITABLE", `${this.folder} cannot be made (${systemCode(error) ?? "unknown"}); give this user access to the state folder`, {
        cause: error,
      });
    }
  }

  /** Makes generations that lie there the last good ones; then what they replace goes, but for the one before. */
  async commit(types: Readonly<Partial<Record<DataType, Generation>>>): Promise<void> {
    const path = join(this.folder, POINTER_NAME);
    const pointer = { ...this.#pointer, types: { ...this.#pointer.types, ...types } };
    try {
      await replaceDurably(path, writePointer(pointer));
      this.#pointer = pointer;
      for (const [dataType, { number }] of Object.entries(types)) {
        await rm(join(this.folder, `${dataType}.${number - GENERATIONS_KEPT}.idx`), { force: true });
      }
      await syncFolder(this.folder);
    } catch (error) {
      throw new DumpError("STATE_UNWRITABLE", `${path} cannot be written (${systemCode(error) ?? "unknown"}); look at the folder and its disk`, {
        cause: error,
      });
    }
  }

  /** Removes the ledgers of runs that have come to their end. */
  async removeLedgers(dataTypes: readonly DataType[]): Promise<void> {
    for (const dataType of dataTypes) await rm(this.ledgerPath(dataType), { force: true });
  }
}

/** `topic-1a2b3c4d`: a sink's name may hold anything. */
function folderName({ sink, contract }: IndexKey): string {
  return `${contract}-${xxh3_64(Buffer.from(sink)).toString(16).padStart(16, "0").slice(0, SINK_DIGITS)}`;
}
