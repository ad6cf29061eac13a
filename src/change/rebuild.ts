/** Generations made of entries that are known, some of them in doubt: records equal nothing there, and are delivered again. */
import { randomUUID } from "node:crypto";
import { closeBuild, finishBuild, openBuild, pushBuild } from "../../native/index.js";
import type { Contract, DataType } from "../model.ts";
import { DIRTY, type Group, groupsOf } from "./entries.ts";
import { indexFault } from "./index-fault.ts";
import type { IndexStore } from "./index-store.ts";
import { OpenIndex } from "./ledger.ts";
import { type Generation, generationMeta, NO_CHANGES } from "./pointer.ts";

/** An index file that is to become the last good generation. */
export interface Given {
  readonly path: string;
  readonly generation: Omit<Generation, "file" | "number">;
}

/** Which ids equal nothing: none, those that an unfinished run may have touched, those of which something else is known now, or all. */
export type Doubt = "none" | "unended" | "beside" | "all";

/** What became of it. `doubted`: ids that equal nothing now. */
export interface Restored {
  readonly records: number;
  readonly doubted: number;
}

const ENTRIES_AT_ONCE = 8192;

/** The file's entries, those in doubt as such. It is a run of its own: no file that was read before counts as read now. */
export async function rebuild(
  index: Pick<IndexStore, "next" | "pathOf" | "commit">,
  dataType: DataType,
  contract: Contract,
  { path, generation }: Given,
  doubt: Doubt,
  old: OpenIndex | null,
): Promise<Restored> {
  const next = index.next(dataType);
  const run = randomUUID();
  using given = new OpenIndex(path);
  const build = new Build(index.pathOf(next));
  let doubted = 0;
  try {
    for (const { theirs, ours } of groupsOf(given, old)) {
      const isDoubted = doubt === "all" || (doubt === "unended" ? ours.some(({ flags }) => (flags & DIRTY) !== 0) : differ(theirs, ours));
      doubted += isDoubted ? 1 : 0;
      const entries = isDoubted ? [...theirs, ...ours].map((entry) => ({ ...entry, raw: 0n, flags: entry.flags | DIRTY })) : theirs;
      for (const entry of entries) build.push(entry);
    }
    const { records } = await build.finish(generationMeta(dataType, contract, { ...generation, run }));
    await index.commit({ [dataType]: { ...generation, ...next, run, records, pending: 0, changes: NO_CHANGES, doubted: false } });
    return { records, doubted };
  } catch (error) {
    build.close();
    throw error;
  }
}

function differ(theirs: Group["theirs"], ours: Group["ours"]): boolean {
  const [one, other] = [theirs[0], ours[0]];
  if (one === undefined || other === undefined || theirs.length > 1 || ours.length > 1) return true;
  return ((one.flags | other.flags) & DIRTY) !== 0 || !one.hash.equals(other.hash);
}

/** An index file on its way, fed in portions. */
class Build {
  readonly #handle: number;
  #rows: Group["ours"][number][] = [];

  constructor(path: string) {
    this.#handle = openBuild(path);
  }

  push(entry: Group["ours"][number]): void {
    this.#rows.push(entry);
    if (this.#rows.length >= ENTRIES_AT_ONCE) this.#flush();
  }

  async finish(meta: string): Promise<{ readonly records: number }> {
    this.#flush();
    return await indexFault(() => finishBuild(this.#handle, meta));
  }

  close(): void {
    closeBuild(this.#handle);
  }

  #flush(): void {
    const rows = this.#rows;
    this.#rows = [];
    indexFault(() =>
      pushBuild(this.#handle, {
        ids: rows.map(({ id }) => id),
        hashes: Buffer.concat(rows.map(({ hash }) => hash)),
        raws: BigUint64Array.from(rows, ({ raw }) => raw),
        flags: Uint8Array.from(rows, ({ flags }) => flags),
      }),
    );
  }
}
