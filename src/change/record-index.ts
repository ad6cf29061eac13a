import { mkdir, readdir, readFile, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { xxh3_64 } from "../../native/index.js";
import { replaceDurably, syncFolder } from "../durable.ts";
import { DumpError, systemCode } from "../errors.ts";
import type { Contract, DataType } from "../model.ts";
import type { IndexStore, NextGenerations } from "./index-store.ts";
import { type Generation, INDEX_FOLDER, POINTER_NAME, type Pointer, readPointer, writePointer } from "./pointer.ts";
import { rebuild } from "./rebuild.ts";
import { endedNumbers, generationsIn } from "./salvage.ts";

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
export class RecordIndex implements IndexStore {
  readonly folder: string;
  /** No run has ended yet that looked for changes. */
  readonly isNew: boolean;
  /** Put together from the files, so that of what is held back nothing is known. */
  readonly isSalvaged: boolean;
  #pointer: Pointer;
  /** Numbers that ended runs have left of data types of which the pointer says nothing; they are not given again. */
  readonly #left: ReadonlyMap<DataType, number>;
  /** Files are worked on side by side, and each of them may want the pointer moved. */
  #moving: Promise<void> = Promise.resolve();

  private constructor(folder: string, pointer: Pointer, isNew: boolean, left: ReadonlyMap<DataType, number>, isSalvaged = false) {
    this.folder = folder;
    this.isSalvaged = isSalvaged;
    this.#pointer = pointer;
    this.#left = left;
    this.isNew = isNew;
  }

  /**
   * Like {@link open}, but of a pointer that cannot be used `onFault` hears why, and what the files say of themselves takes its place: to be
   * committed by the caller.
   */
  static async salvage(stateRoot: string, key: IndexKey, onFault: (fault: DumpError) => void): Promise<RecordIndex> {
    try {
      return await RecordIndex.open(stateRoot, key);
    } catch (error) {
      if (!(error instanceof DumpError) || error.code !== "INDEX_CORRUPT") throw error;
      onFault(error);
      const folder = join(stateRoot, INDEX_FOLDER, folderName(key));
      // With the pointer went the word that runs into another sink may have left in it.
      const doubted = (await readdir(join(stateRoot, INDEX_FOLDER))).length > 1 ? true : undefined;
      const types = Object.entries(await generationsIn(folder)).map(([dataType, generation]) => [dataType, { ...generation, doubted }]);
      return new RecordIndex(folder, { ...key, types: Object.fromEntries(types) }, false, await endedNumbers(folder), true);
    }
  }

  /** Reads what is there; nothing is no fault, but what cannot be read is. Writes nothing. `cacheOf` is what else has the last word on it. */
  static async open(stateRoot: string, key: IndexKey, cacheOf: string | null = null): Promise<RecordIndex> {
    const folder = RecordIndex.folderOf(stateRoot, key, cacheOf);
    const pointer = await pointerIn(folder);
    // Where a database has the last word the files are made anew of it.
    const left = cacheOf === null ? await endedNumbers(folder, Object.keys(pointer?.types ?? {})) : new Map<DataType, number>();
    if (pointer === null && left.size > 0) throw lost(join(folder, POINTER_NAME));
    return new RecordIndex(folder, pointer ?? { ...key, types: {} }, pointer === null, left);
  }

  /** Where the index of a sink is kept. */
  static folderOf(stateRoot: string, key: IndexKey, cacheOf: string | null): string {
    return join(stateRoot, INDEX_FOLDER, cacheOf === null ? folderName(key) : `${folderName(key)}-${digitsOf(cacheOf)}`);
  }

  /** What a folder's pointer tells, to be marked; null if there is none in it. */
  static async at(folder: string): Promise<RecordIndex | null> {
    const pointer = await pointerIn(folder);
    return pointer === null ? null : new RecordIndex(folder, pointer, false, new Map());
  }

  /** What is the last good generation of everything. */
  get pointer(): Pointer {
    return this.#pointer;
  }

  generation(dataType: DataType): Generation | null {
    return this.#pointer.types[dataType] ?? null;
  }

  pathOf({ file }: Pick<Generation, "file">): string {
    return join(this.folder, file);
  }

  ledgerPath(dataType: DataType): string {
    return join(this.folder, `${dataType}.ledger`);
  }

  next(dataType: DataType): Pick<Generation, "file" | "number"> {
    const number = (this.generation(dataType)?.number ?? this.#left.get(dataType) ?? 0) + 1;
    return { file: `${dataType}.${number}.idx`, number };
  }

  /** The data type is as if it had never been processed; its files stay. */
  async forget(dataType: DataType): Promise<void> {
    await this.removeLedgers([dataType]);
    const { [dataType]: _, ...types } = this.#pointer.types;
    await this.makeFolder();
    await replaceDurably(join(this.folder, POINTER_NAME), writePointer({ ...this.#pointer, types }));
    this.#pointer = { ...this.#pointer, types };
  }

  /** The same in another folder, with links to the files; for who may write nothing in this one. */
  async movedTo(folder: string): Promise<RecordIndex> {
    for (const generation of Object.values(this.#pointer.types)) await symlink(this.pathOf(generation), join(folder, generation.file)).catch(() => {});
    return new RecordIndex(folder, this.#pointer, this.isNew, this.#left);
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
  async commit(types: NextGenerations): Promise<void> {
    const moved = this.#moving.then(() => this.#commit(types));
    this.#moving = moved.catch(() => {});
    await moved;
  }

  async #commit(types: NextGenerations): Promise<void> {
    const path = join(this.folder, POINTER_NAME);
    const before = this.#pointer.types;
    const pointer = { ...this.#pointer, types: { ...before, ...types } };
    try {
      await replaceDurably(path, writePointer(pointer));
      this.#pointer = pointer;
      const names = await readdir(this.folder);
      for (const [dataType, { file }] of Object.entries(types) as [DataType, Generation][]) {
        if (before[dataType]?.file === file) continue; // only what is said of it is new
        // The generation before the last is kept too, to go back to.
        const stale = names.filter((name) => name.startsWith(`${dataType}.`) && name.endsWith(".idx") && name !== file && name !== before[dataType]?.file);
        for (const name of stale) await rm(join(this.folder, name), { force: true });
      }
      await syncFolder(this.folder);
    } catch (error) {
      throw new DumpError("STATE_UNWRITABLE", `${path} cannot be written (${systemCode(error) ?? "unknown"}); look at the folder and its disk`, {
        cause: error,
      });
    }
  }

  /** Leaves word for the next run that data types are in doubt; false if none is known, or all are already. */
  async mistrust(dataTypes: readonly DataType[]): Promise<boolean> {
    const types: Partial<Record<DataType, Generation>> = {};
    for (const dataType of dataTypes) {
      const generation = this.generation(dataType);
      if (generation !== null && generation.doubted !== true) types[dataType] = { ...generation, doubted: true };
    }
    if (Object.keys(types).length === 0) return false;
    await this.commit(types);
    return true;
  }

  async doubt(dataType: DataType): Promise<void> {
    const generation = this.generation(dataType);
    if (generation === null) return;
    await rebuild(this, dataType, this.#pointer.contract, { path: this.pathOf(generation), generation }, "all", null);
  }

  /** The ledger tells all that there is to know of a run. */
  async begin(): Promise<void> {}
  async delivering(): Promise<void> {}
  async discard(): Promise<void> {}
  async end(): Promise<void> {}

  async removeLedgers(dataTypes: readonly DataType[]): Promise<void> {
    for (const dataType of dataTypes) await rm(this.ledgerPath(dataType), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function lost(path: string): DumpError {
  const advice = "run deadwax state repair, restore it with deadwax state import, or remove its folder to begin anew";
  return new DumpError("INDEX_CORRUPT", `${path} is not there, though there are files that it led to; ${advice}`);
}

async function pointerIn(folder: string): Promise<Pointer | null> {
  const path = join(folder, POINTER_NAME);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return null;
    throw new DumpError("STATE_UNWRITABLE", `${path} cannot be read (${systemCode(error) ?? "unknown"}); give this user access to it`, { cause: error });
  });
  if (text === null) return null;
  const pointer = readPointer(text);
  if (typeof pointer === "string") {
    throw new DumpError("INDEX_CORRUPT", `${path}: ${pointer}; run deadwax state repair, or restore it with deadwax state import`);
  }
  return pointer;
}

/** `topic-1a2b3c4d`: a sink's name may hold anything. */
function folderName({ sink, contract }: IndexKey): string {
  return `${contract}-${digitsOf(sink)}`;
}

function digitsOf(name: string): string {
  return xxh3_64(Buffer.from(name)).toString(16).padStart(16, "0").slice(0, SINK_DIGITS);
}
