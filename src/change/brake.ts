/** What is known when the files of a version have been read. */
export interface Vanished {
  /** Records of the data type that were known before. */
  readonly known: number;
  /** Those of them that the dump did not hold. */
  readonly gone: number;
  /** Records that the dump has without an id: any of them may be one that seems to be gone. */
  readonly nameless: number;
}

/** How many deletions are believed. */
export interface BrakeLimits {
  /** Deletions of a data type. */
  readonly deletesMax: number;
  /** The same as a share of the known records. */
  readonly deleteShareMax: number;
  /** Send them however many they are. What is not known completely stays so. */
  readonly allowDeletes: boolean;
}

/**
 * Why deletions are held back, to follow "… are held back: "; null if they may be sent. `doubt` says why a record that was not seen may be there
 * all the same; nothing lifts it, since a deletion must never come from incomplete knowledge.
 */
export function holdBack({ known, gone, nameless }: Vanished, { deletesMax, deleteShareMax, allowDeletes }: BrakeLimits, doubt: string | null): string | null {
  if (gone === 0) return null;
  if (doubt !== null) return doubt;
  if (allowDeletes) return null;
  if (nameless > 0) {
    const have = nameless === 1 ? "a record has" : `${nameless} records have`;
    return `${have} no id and may be among them; if that is right, run again with --allow-deletes`;
  }
  const they = gone === 1 ? "it is" : "they are";
  if (gone > deletesMax) return `${they} more than the ${deletesMax} of --max-deletes; if that is right, run again with --allow-deletes`;
  if (gone > known * deleteShareMax) {
    const share = `${Math.round((gone / known) * 1000) / 10} % of ${known}`;
    return `${they} ${share}, more than the ${deleteShareMax * 100} % of --max-delete-share; if that is right, run again with --allow-deletes`;
  }
  return null;
}

/** Whether so many updates are unusual: hardly ever does a month change that much, a dump in another form does. */
export function isUnusual(counts: { readonly updated: number; readonly unchanged: number }, warnShare: number): boolean {
  const { updated, unchanged } = counts;
  return updated > 0 && updated > (updated + unchanged) * warnShare;
}
