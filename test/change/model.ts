/** The naive model of a record index: maps, and every record looked at. A record without an id is its own key. */
import { idOf } from "./oracle.ts";

export interface Known {
  /** First 32 hex digits of what downstream has, or may have. */
  hashes: Set<string>;
  /** Of the last record's bytes; 0 if it is not known. */
  raw: bigint;
  /** Equal to nothing. */
  dirty: boolean;
  /** It came several times in its dump. */
  multi: boolean;
}

/** A record of a month: its body by a full extraction, and the fingerprint of its bytes. */
export interface Came {
  readonly key: string;
  readonly body: string;
  readonly raw: bigint;
}

export const isNameless = (key: string): boolean => key.startsWith("?");

/** The key of a body: its id, or for a record without one, all of it. */
export function keyOf(body: string): string {
  const id = idOf(body);
  return id === "unknown" ? `?${body}` : id;
}

export function hashOf(body: string): string {
  return (JSON.parse(body) as { sha256: string }).sha256.slice(0, 32);
}

export class Model {
  known = new Map<string, Known>();

  /** What a month is against what is known, by the last record of each key. */
  compare(month: readonly Came[]) {
    const last = new Map(month.map((came) => [came.key, came]));
    const created = [...last.keys()].filter((key) => !this.known.has(key));
    const updated = [...last].filter(([key, { body }]) => this.#differs(key, body)).map(([key]) => key);
    const gone = [...this.known.keys()].filter((key) => !last.has(key) && !isNameless(key));
    return { last, created, updated, gone, unchanged: last.size - created.length - updated.length, repeated: month.length - last.size };
  }

  #differs(key: string, body: string): boolean {
    const known = this.known.get(key);
    return known !== undefined && (known.dirty || !known.hashes.has(hashOf(body)));
  }

  /** A run has come to its end; `stays` are keys that did not come and are still known. */
  conclude(month: readonly Came[], stays: (key: string) => boolean): void {
    const counts = new Map<string, number>();
    for (const { key } of month) counts.set(key, (counts.get(key) ?? 0) + 1);
    const next = new Map([...this.known].filter(([key]) => stays(key)));
    for (const { key, body, raw } of month) {
      const multi = !isNameless(key) && (counts.get(key) ?? 0) > 1;
      next.set(key, { hashes: new Set([hashOf(body)]), raw, dirty: false, multi });
    }
    this.known = next;
  }

  /** A run was never ended: what it may have published or deleted is not known any more. */
  fold(published: readonly string[], mayBeDeleted: readonly string[]): void {
    for (const body of published) this.#soil(keyOf(body)).hashes.add(hashOf(body));
    for (const key of mayBeDeleted) this.#soil(key);
  }

  #soil(key: string): Known {
    const known = this.known.get(key) ?? { hashes: new Set<string>(), raw: 0n, dirty: true, multi: false };
    Object.assign(known, { dirty: true, raw: 0n, multi: false });
    this.known.set(key, known);
    return known;
  }
}
