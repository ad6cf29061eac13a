/** Every code a {@link DumpError} can carry. Codes are API: they appear in logs, reports and the README. */
export const ERROR_CODES = {
  CONFIG_INVALID: { exit: 2, meaning: "an option, variable or argument is not usable" },
  SOURCE_MISSING: { exit: 4, meaning: "the dump, or a complete version of it, is not there" },
  SOURCE_UNREADABLE: { exit: 4, meaning: "the dump cannot be read" },
  SOURCE_CORRUPT: { exit: 4, meaning: "the gzip is damaged, cut short, followed by other bytes, or not the published bytes" },
  SOURCE_MALFORMED: { exit: 4, meaning: "the XML around the records is broken: no root, no closing root tag, a second root, text around it" },
  SOURCE_CHANGED: { exit: 4, meaning: "the dump changed while it was being read" },
  SOURCE_OUTDATED: { exit: 4, meaning: "the dump is older than the one that was delivered last" },
  SOURCE_TOO_LARGE: { exit: 4, meaning: "the dump inflates beyond the byte or ratio limit" },
  RECORD_NOT_FOUND: { exit: 8, meaning: "a record that is asked for is not in the dump, or has no message" },
  RECORDS_REJECTED: { exit: 4, meaning: "more records are malformed than the limit allows" },
  SOURCE_UNAVAILABLE: { exit: 4, meaning: "the site with the dumps cannot be reached, refuses, or answers with something else" },
  SOURCE_UNWRITABLE: { exit: 4, meaning: "a dump cannot be written to the folder that it is to lie in" },
  SOURCE_DISK_FULL: { exit: 4, meaning: "the disk has no room for the dump that is to be downloaded" },
  BROKER_UNAVAILABLE: { exit: 4, meaning: "the broker whose queues are to be consumed cannot be reached, or refuses" },
  SINK_UNAVAILABLE: { exit: 5, meaning: "the destination cannot be opened or written" },
  SINK_FULL: { exit: 5, meaning: "the destination is out of space" },
  STATE_LOCKED: { exit: 6, meaning: "another process works on the same root, or on the same data type of a state database" },
  STATE_TOO_NEW: { exit: 6, meaning: "the state was written by a newer deadwax" },
  STATE_UNWRITABLE: { exit: 6, meaning: "the state marker cannot be written" },
  STATE_UNAVAILABLE: { exit: 6, meaning: "the database of the state cannot be reached or used" },
  INDEX_CORRUPT: {
    exit: 6,
    meaning: "a record index or the ledger of a run is damaged, or the pointer to an index is lost; `deadwax state repair` rebuilds it",
  },
  INDEX_UNREADABLE: { exit: 6, meaning: "a record index or a ledger cannot be read" },
  INDEX_UNWRITABLE: { exit: 6, meaning: "a record index or a ledger cannot be written" },
  INDEX_TOO_LARGE: { exit: 6, meaning: "more ids are no numbers, or came more than once, than a record index takes" },
  LEDGER_MISMATCH: { exit: 6, meaning: "the ledger of an unfinished run belongs to other bytes or another record index" },
  INTERNAL: { exit: 1, meaning: "a defect in deadwax; please report it" },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What a {@link DumpError} is told beside its code and message. */
export interface FailureOptions extends ErrorOptions {
  /** What the process ends with, where it is not what the code says. */
  readonly exit?: number;
}

/** A failure we expect: `code` for programs, `message` for people, `cause` for whoever debugs it. */
export class DumpError extends Error {
  override readonly name = "DumpError";
  readonly code: ErrorCode;
  /** What the process ends with. */
  readonly exit: number;

  constructor(code: ErrorCode, message: string, options?: FailureOptions) {
    super(message, options);
    this.code = code;
    this.exit = options?.exit ?? ERROR_CODES[code].exit;
  }
}

/** The operating system's code of an error (`ENOSPC`, `EACCES`, ...), if it has one. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
