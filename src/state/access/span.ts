/** Where in a dump records are to be looked for. */
import type { ResumePoint } from "../../model.ts";

/** A resume point whose window lies elsewhere. */
export type BarePoint = Omit<ResumePoint, "window" | "rootName" | "lineForm">;

/** Records that stand one after another in a dump, and how to begin reading them. */
export interface Span {
  /** Null: at the beginning of the file. */
  readonly point: BarePoint | null;
  /** Inflated offset at which its records begin. */
  readonly offset: number;
  readonly records: number;
  /** Smallest and largest id that is a canonical decimal below 2^53, or null if it has none. */
  readonly min: number | null;
  readonly max: number | null;
  /** Ids of any other kind. */
  readonly odd: number;
}

/** The ids of a piece, as the native core tells them. */
interface SeenIds {
  readonly records: number;
  readonly min?: number | null;
  readonly max?: number | null;
  readonly odd: number;
}

/** An empty span that begins at a point. */
export function spanAt(resume: ResumePoint | null): Span {
  if (resume === null) return { point: null, offset: 0, records: 0, min: null, max: null, odd: 0 };
  const { compressedOffset, bits, memberCrc, memberBytes, inflatedOffset, recordOffset } = resume;
  const point = { compressedOffset, bits, memberCrc, memberBytes, inflatedOffset, recordOffset };
  return { point, offset: recordOffset, records: 0, min: null, max: null, odd: 0 };
}

/** The span with a piece more. */
export function extend(span: Span, { records, min = null, max = null, odd }: SeenIds): Span {
  return {
    ...span,
    records: span.records + records,
    min: span.min === null || min === null ? (span.min ?? min) : Math.min(span.min, min),
    max: span.max === null || max === null ? (span.max ?? max) : Math.max(span.max, max),
    odd: span.odd + odd,
  };
}

/** The number that an id stands for, if it does for one that spans are told apart by. */
export function numberOf(id: string): number | null {
  if (!/^(0|[1-9]\d{0,15})$/.test(id)) return null;
  const number = Number(id);
  return number <= Number.MAX_SAFE_INTEGER ? number : null;
}

/** Which ids each span may hold, by the span's index, ascending. Ids may be in any order in a dump, so an id may be in several. */
export function candidates(spans: readonly Span[], ids: Iterable<string>): ReadonlyMap<number, readonly string[]> {
  const wanted = [...new Set(ids)].map((id) => ({ id, number: numberOf(id) }));
  const found = new Map<number, string[]>();
  for (const [index, { min, max, odd }] of spans.entries()) {
    const here = wanted.filter(({ number }) => (number === null ? odd > 0 : min !== null && max !== null && min <= number && number <= max));
    if (here.length > 0)
      found.set(
        index,
        here.map(({ id }) => id),
      );
  }
  return found;
}
