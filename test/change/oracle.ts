/**
 * What lies between two versions, told from two full extractions and nothing else; shares no code with what is tested. An id counts once, by its
 * last record.
 */

/** Bodies by id. */
export type Records = ReadonlyMap<string, string>;

/** Ids by what became of them. */
export interface Expected {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly deleted: readonly string[];
  readonly unchanged: readonly string[];
}

/** The last record of each id, from the bodies of a dump in their order. */
export function lastOf(bodies: Iterable<string>): Map<string, string> {
  const last = new Map<string, string>();
  for (const body of bodies) last.set(idOf(body), body);
  return last;
}

export function expectedChanges(before: Records, after: Records): Expected {
  const [created, updated, unchanged]: [string[], string[], string[]] = [[], [], []];
  for (const [id, body] of after) {
    const was = before.get(id);
    (was === undefined ? created : was === body ? unchanged : updated).push(id);
  }
  return { created, updated, unchanged, deleted: [...before.keys()].filter((id) => !after.has(id)) };
}

/** The numbers of a report. */
export function countsOf({ created, updated, deleted, unchanged }: Expected) {
  return { created: created.length, updated: updated.length, deleted: deleted.length, unchanged: unchanged.length };
}

/** What the file sink wrote of a data type: bodies and tombstones, a line each. */
export interface ChangeStream {
  readonly records: readonly string[];
  readonly deleted: readonly string[];
}

/** Applies changes as a consumer would: records replace, and a tombstone deletes where its hash is that of the record. */
export function replay(before: Records, { records, deleted }: ChangeStream): Map<string, string> {
  const now = new Map(before);
  for (const body of records) now.set(idOf(body), body);
  for (const line of deleted) {
    const { record_id: id, hash, change_type: change } = JSON.parse(line) as { record_id: string; hash: string; change_type: string };
    if (change !== "deleted" || !/^[0-9a-f]{32}$/.test(hash)) throw new Error(`this is no tombstone: ${line}`);
    const has = now.get(id);
    if (has !== undefined && hashOf(has).startsWith(hash)) now.delete(id);
  }
  return now;
}

/** Ids of tombstones, each once. */
export function idsOfTombstones(lines: readonly string[]): string[] {
  return [...new Set(lines.map((line) => (JSON.parse(line) as { record_id: string }).record_id))];
}

export function idOf(body: string): string {
  return (JSON.parse(body) as { id: string }).id;
}

function hashOf(body: string): string {
  return (JSON.parse(body) as { sha256: string }).sha256;
}
