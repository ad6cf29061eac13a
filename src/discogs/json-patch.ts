/** RFC 6902: what makes one record's body of another. */
import type { JsonValue } from "./dump-record.ts";

/** One step; `before` is what stood there, for people, and not part of the patch. */
export type PatchStep =
  | { readonly op: "add"; readonly path: string; readonly value: JsonValue }
  | { readonly op: "remove"; readonly path: string; readonly before: JsonValue }
  | { readonly op: "replace"; readonly path: string; readonly value: JsonValue; readonly before: JsonValue };

type Json = { readonly [key: string]: JsonValue };

/** Differences of two lists beyond which they are compared place by place: finding them costs the square of their number. */
const EDITS_MAX = 1000;

/** The steps that make `to` of `from`, in the order in which they are taken. */
export function stepsBetween(from: JsonValue, to: JsonValue): PatchStep[] {
  return steps(from, to, "");
}

/** The patch itself. */
export function patchOf(taken: readonly PatchStep[]): object[] {
  return taken.map((step) => (step.op === "remove" ? { op: step.op, path: step.path } : { op: step.op, path: step.path, value: step.value }));
}

function steps(from: JsonValue, to: JsonValue, path: string): PatchStep[] {
  if (from === to) return [];
  const whole: PatchStep = { op: "replace", path, value: to, before: from };
  if (!isContainer(from) || !isContainer(to) || Array.isArray(from) !== Array.isArray(to)) return [whole];
  const inside = Array.isArray(from) ? inList(from, to as readonly JsonValue[], path) : inObject(from as Json, to as Json, path);
  // Where next to nothing is left of it, what is there now says more than how it came about.
  return path !== "" && sizeOf(inside) > sizeOf([whole]) ? [whole] : inside;
}

function inObject(from: Json, to: Json, path: string): PatchStep[] {
  const at = (key: string) => `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const gone = Object.entries(from).filter(([key]) => !Object.hasOwn(to, key));
  const removed = gone.map(([key, before]): PatchStep => ({ op: "remove", path: at(key), before }));
  const others = Object.entries(to).flatMap(([key, value]): PatchStep[] => {
    const before = Object.hasOwn(from, key) ? from[key] : undefined;
    return before === undefined ? [{ op: "add", path: at(key), value }] : steps(before, value, at(key));
  });
  return [...removed, ...others];
}

/** Items between those that are in both lists: the first of them one by one, then what is too much on either side. */
function inList(from: readonly JsonValue[], to: readonly JsonValue[], path: string): PatchStep[] {
  return gaps(from, to).flatMap(({ from: [i, iEnd], to: [j, jEnd] }) => {
    const pairs = Math.min(iEnd - i, jEnd - j);
    // What stands before is as in `to` by now, and so are the places.
    const changed = range(pairs).flatMap((n) => steps(from[i + n] ?? null, to[j + n] ?? null, `${path}/${j + n}`));
    const removed = from.slice(i + pairs, iEnd).map((before): PatchStep => ({ op: "remove", path: `${path}/${j + pairs}`, before }));
    const added = to.slice(j + pairs, jEnd).map((value, n): PatchStep => ({ op: "add", path: `${path}/${j + pairs + n}`, value }));
    return [...changed, ...removed, ...added];
  });
}

interface Gap {
  /** Half-open ranges of places. */
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

/** Where two lists differ, by a shortest edit script (Myers, "An O(ND) Difference Algorithm"). */
function gaps(from: readonly JsonValue[], to: readonly JsonValue[]): Gap[] {
  const a = from.map((item) => JSON.stringify(item));
  const b = to.map((item) => JSON.stringify(item));
  let begin = 0;
  while (begin < a.length && begin < b.length && a[begin] === b[begin]) begin += 1;
  let tail = 0;
  while (tail < a.length - begin && tail < b.length - begin && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const [aEnd, bEnd] = [a.length - tail, b.length - tail];
  const pairs = shared(a.slice(begin, aEnd), b.slice(begin, bEnd)).map(([i, j]) => [i + begin, j + begin] as const);
  const found: Gap[] = [];
  let [i, j] = [begin, begin];
  for (const [nextI, nextJ] of [...pairs, [aEnd, bEnd] as const]) {
    if (nextI > i || nextJ > j) found.push({ from: [i, nextI], to: [j, nextJ] });
    [i, j] = [nextI + 1, nextJ + 1];
  }
  return found;
}

/** Places of the items of a longest common subsequence, ascending; none if the lists differ too much. */
function shared(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  const trace: Int32Array[] = [];
  const most = Math.min(a.length + b.length, EDITS_MAX);
  // The furthest place in `a` on each diagonal `k` (place in `a` less place in `b`), at index k + most.
  const reach = new Int32Array(2 * most + 3);
  for (let edits = 0; edits <= most; edits += 1) {
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && at(reach, k - 1, most) < at(reach, k + 1, most));
      let i = down ? at(reach, k + 1, most) : at(reach, k - 1, most) + 1;
      while (i < a.length && i - k < b.length && a[i] === b[i - k]) i += 1;
      reach[k + most + 1] = i;
      if (i >= a.length && i - k >= b.length) return backwards(trace, a.length, b.length, edits);
    }
    trace.push(reach.slice(most + 1 - edits, most + 2 + edits));
  }
  return [];
}

function at(reach: Int32Array, k: number, most: number): number {
  return reach[k + most + 1] ?? 0;
}

/** Follows the way back from the end, and gathers the places that both have. */
function backwards(trace: readonly Int32Array[], aLength: number, bLength: number, edits: number): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = [];
  let [i, j] = [aLength, bLength];
  for (let left = edits; left > 0; left -= 1) {
    const before = trace[left - 1] ?? new Int32Array(1);
    const reached = (diagonal: number) => before[diagonal + left - 1] ?? 0;
    const k = i - j;
    const down = k === -left || (k !== left && reached(k - 1) < reached(k + 1));
    const from = down ? reached(k + 1) : reached(k - 1);
    const start = down ? from : from + 1;
    for (; i > start; i -= 1, j -= 1) pairs.push([i - 1, j - 1]);
    [i, j] = down ? [from, from - k - 1] : [from, from - k + 1];
  }
  for (; i > 0 && j > 0; i -= 1, j -= 1) pairs.push([i - 1, j - 1]);
  return pairs.reverse();
}

function range(length: number): number[] {
  return Array.from({ length }, (_, n) => n);
}

function sizeOf(taken: readonly PatchStep[]): number {
  return JSON.stringify(patchOf(taken)).length;
}

function isContainer(value: JsonValue): value is readonly JsonValue[] | Json {
  return typeof value === "object" && value !== null;
}
