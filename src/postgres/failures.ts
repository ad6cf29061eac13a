import { DumpError, systemCode } from "../errors.ts";

/**
 * What a failure of the server asks for. `transient`: do it again, on another connection. `data`: a record is to blame, and will be again.
 * `lasting`: somebody has to change a setting, the schema or a privilege first.
 */
export type FailureKind = "transient" | "data" | "lasting";

/** SQLSTATEs and classes of them, the longer match first; https://www.postgresql.org/docs/current/errcodes-appendix.html. */
const KINDS: readonly (readonly [string, FailureKind])[] = [
  ["08", "transient"], // connection exception
  ["40", "transient"], // rolled back: serialization failure, deadlock
  ["53", "transient"], // out of memory, disk or connections: comes back once there is room
  ["55P03", "transient"], // lock not available in time
  ["57014", "transient"], // cancelled, by a timeout or an administrator
  ["57P", "transient"], // shut down, crashed, starting
  ["58", "transient"], // system error outside of the server, such as a disk
  ["22", "data"], // data exception: text that jsonb refuses, numbers out of range
  ["23", "data"], // a constraint refuses it
  ["54000", "data"], // a limit, such as the size of an index row
  ["54001", "data"], // nested too deep for the server's stack
  ["54", "data"],
];

/** What to do about the failures that operators meet, by SQLSTATE. */
const ADVICE: Readonly<Record<string, string>> = {
  "28P01": "correct user and password",
  "28000": "correct the user, or let it in with pg_hba.conf",
  "3D000": "create the database, or run deadwax migrate with a user that may",
  "42P01": "run deadwax migrate",
  "42703": "run deadwax migrate",
  "3F000": "run deadwax migrate",
  "42501": "give the user the privileges that docs/postgres.md lists",
  "25006": "connect to the primary server, with a user that may write",
  "55P03": "stop whoever holds the tables, then start again",
  "53300": "raise max_connections, or lower what else is connected",
  "53100": "make room on the server's disk",
  "57014": "raise or take back the user's statement_timeout, then start again",
};
const TLS_CODE = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|ERR_OSSL)/;
/** The driver's own words for a connection that went away under a query, or that was not made in time. */
const CONNECTION_TEXT = /Connection terminated|timeout expired|Client has encountered a connection error|not queryable|Client was closed/i;
/** What the system says of a connection. */
const SOCKET_CODE = /^(ECONN|EPIPE$|ETIMEDOUT$|EHOST|ENET|ENOTFOUND$|EAI_AGAIN$|EADDRNOTAVAIL$)/;
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** The kind of a failure that the driver has raised; what nothing says otherwise of is lasting. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof DumpError) return "lasting";
  const code = systemCode(error) ?? "";
  if (SQLSTATE.test(code) && !code.startsWith("E")) return KINDS.find(([prefix]) => code.startsWith(prefix))?.[1] ?? "lasting";
  if (TLS_CODE.test(code)) return "lasting";
  if (code !== "") return SOCKET_CODE.test(code) ? "transient" : "lasting"; // such as a file of ours that is missing
  return error instanceof Error && CONNECTION_TEXT.test(error.message) ? "transient" : "lasting";
}

/** The failure that a run ends with: what, where and what to do about it. */
export function postgresFailure(name: string, what: string, error: unknown): DumpError {
  if (error instanceof DumpError) return error;
  const code = systemCode(error) ?? "";
  const advice = ADVICE[code] ?? (failureKind(error) === "transient" ? "bring the server back, then start again" : "look into the server's log");
  return new DumpError("SINK_UNAVAILABLE", `sink ${name}: ${what}: ${reasonOf(error)}; ${advice}`, { cause: error });
}

/** The same where the database refuses rows and nobody leaves them out; null: it was something else. */
export function refusal(name: string, what: string, error: unknown): DumpError | null {
  if (failureKind(error) !== "data") return null;
  const advice = "correct or drop the index, constraint or trigger of the table that refuses it, then start again";
  return new DumpError("SINK_UNAVAILABLE", `sink ${name}: ${what}: ${reasonOf(error)}; ${advice}`, { cause: error });
}

/** Why something failed, on one line, with the code. */
export function reasonOf(error: unknown): string {
  const code = systemCode(error);
  const text = error instanceof Error && error.message !== "" ? error.message : String(error);
  const line = text.replace(/\s*\n\s*/g, " ").trim();
  return code === undefined || line.includes(code) ? line : `${line} (${code})`;
}
