const SECONDS = /^\d{1,10}$/;
/** The form of a date that HTTP prescribes, `Sun, 06 Nov 1994 08:49:37 GMT`, and its two ancestors. */
const HTTP_DATE =
  /^(?:[A-Z][a-z]{2,8}, \d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/;

/** Reads a date as HTTP writes it into milliseconds since 1970; anything else is null. */
export function readHttpDate(text: string): number | null {
  if (!HTTP_DATE.test(text.trim())) return null;
  const time = Date.parse(text.trim().endsWith("GMT") ? text.trim() : `${text.trim()} GMT`);
  return Number.isNaN(time) ? null : time;
}

/**
 * Seconds that a `Retry-After` asks for, at most `secondsMax`, or null where it asks for nothing that can be understood. A date
 * is measured against the answer's own `Date`, so that the clocks need not agree.
 */
export function readRetryAfter(header: string | undefined, date: string | undefined, wallClock: number, secondsMax: number): number | null {
  const text = header?.trim() ?? "";
  if (SECONDS.test(text)) return Math.min(Number(text), secondsMax);
  const until = readHttpDate(text);
  if (until === null) return null;
  const from = readHttpDate(date ?? "") ?? wallClock;
  return Math.min(Math.max(Math.ceil((until - from) / 1000), 0), secondsMax);
}
