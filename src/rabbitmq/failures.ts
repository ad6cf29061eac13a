import { DumpError, systemCode } from "../errors.ts";
import { type RabbitConfig, ROLES } from "./config.ts";

/** What became of an attempt to connect: the error to fail with, its reason alone for the log, and whether another attempt can help. */
export interface ConnectFailure {
  readonly error: DumpError;
  readonly reason: string;
  readonly isTransient: boolean;
}

/** Codes of a connection that was not made, by what to say and do about them; all others are taken as they are. */
const CONNECT: Readonly<Record<string, { readonly reason: string; readonly advice: string; readonly isTransient: boolean }>> = {
  ECONNREFUSED: { reason: "connection refused", advice: "start RabbitMQ, or correct host and port", isTransient: true },
  ENOTFOUND: { reason: "the host is not known", advice: "correct the host", isTransient: true },
  EAI_AGAIN: { reason: "the host's name could not be looked up", advice: "check the name service, then start again", isTransient: true },
  ETIMEDOUT: { reason: "the host does not answer", advice: "check host, port and firewall", isTransient: true },
  CONNECTION_TIMEOUT: { reason: "no answer in time", advice: "check host, port and firewall, or raise connection_timeout", isTransient: true },
  CONN_CLOSE: { reason: "the server closed the connection", advice: "check that the port speaks AMQP (amqp:) or AMQP over TLS (amqps:)", isTransient: true },
  ACCESS_REFUSED: { reason: "user or password refused", advice: "correct them; guest is let in from the broker's own machine only", isTransient: false },
  NOT_ALLOWED: { reason: "virtual host refused", advice: "create it, or give the user permissions on it", isTransient: false },
  VERSION_MISMATCH: { reason: "the server does not speak AMQP 0-9-1", advice: "correct the port", isTransient: false },
};
const TLS_CODE = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|ERR_OSSL)/;
const TLS_ADVICE = "give the authority's certificate with cacertfile, check the name in the server's certificate, or use amqp: on the plain port";
/** Replies to a declaration or a message that come again however often it is sent. */
const LASTING = ["PRECONDITION_FAILED", "ACCESS_REFUSED", "RESOURCE_LOCKED", "NOT_ALLOWED", "INVALID_PATH", "NOT_IMPLEMENTED", "SYNTAX_ERROR"];

/** The broker, as failures name it. */
export type Peer = Pick<RabbitConfig, "role" | "name">;

/** A failure of the broker, named by what it is to who uses it. */
export function unavailable({ role, name }: Peer, text: string, cause?: unknown): DumpError {
  return new DumpError(ROLES[role], `${role} ${name}: ${text}`, { cause });
}

/** Says in one line why no connection was made. */
export function connectFailure(peer: Peer, error: unknown): ConnectFailure {
  if (error instanceof DumpError) return { error, reason: error.message, isTransient: false };
  const code = systemCode(error) ?? "";
  const text = textOf(error);
  const isTls = TLS_CODE.test(code);
  const known = CONNECT[code] ?? {
    reason: isTls ? "TLS failed" : text,
    advice: isTls ? TLS_ADVICE : "check the broker and its log",
    isTransient: !isTls,
  };
  const detail = known.reason === text || code === "ECONNREFUSED" ? "" : ` (${text})`;
  const reason = `${known.reason}${detail}`;
  const failure = unavailable(peer, `${reason}; ${known.advice}`, error);
  return { error: failure, reason, isTransient: known.isTransient };
}

/** The failure of a run whose connection did not come back in time. */
export function lostFailure(peer: Peer, reason: string, afterMs: number, cause: unknown): DumpError {
  return unavailable(peer, `no connection for ${Math.round(afterMs / 1000)} s: ${reason}; bring the broker back, then start again`, cause);
}

/** A refused declaration, as what the run fails with; what a new connection may mend comes back as it is. `toMatch` says how to match what is there. */
export function declareFailure(peer: Peer, what: string, toMatch: string, error: unknown): unknown {
  const code = systemCode(error) ?? "";
  if (!LASTING.includes(code)) return error;
  const advice =
    code === "PRECONDITION_FAILED"
      ? `it exists and is of another kind: ${toMatch}, or delete it`
      : code === "ACCESS_REFUSED"
        ? "give the user permission to configure it, or declare it yourself and use declare=none"
        : "declare it yourself and use declare=none";
  return unavailable(peer, `${what} cannot be declared (${textOf(error)}); ${advice}`, error);
}

/** The failure behind a channel that the broker has closed because of a message; null if a new channel may mend it. */
export function channelFailure(peer: Peer, exchange: string, mayDeclare: boolean, error: unknown): DumpError | null {
  const code = systemCode(error) ?? "";
  const isMissing = code === "NOT_FOUND" && !mayDeclare;
  if (!isMissing && !LASTING.includes(code)) return null;
  const advice = isMissing
    ? "declare it with its queues, or leave out declare=none"
    : code === "ACCESS_REFUSED"
      ? "give the user permission to write to it"
      : "raise the broker's limit (max_message_size), or look into its log";
  return unavailable(peer, `exchange "${exchange}" refuses messages (${textOf(error)}); ${advice}`, error);
}

/** A queue that cannot be consumed, as what the start fails with; what a new connection may mend comes back as it is. */
export function consumeFailure(peer: Peer, queue: string, error: unknown): unknown {
  const code = systemCode(error) ?? "";
  if (code !== "NOT_FOUND" && !LASTING.includes(code)) return error;
  const advice =
    code === "NOT_FOUND" ? "declare it, or leave out declare=none" : "give the user permission to read from it, and let nobody consume it exclusively";
  return unavailable(peer, `queue "${queue}" cannot be consumed (${textOf(error)}); ${advice}`, error);
}

/** An error's text on one line. */
export function textOf(error: unknown): string {
  const text = error instanceof Error && error.message !== "" ? error.message : (systemCode(error) ?? String(error));
  return text.replace(/\s*\n\s*/g, " ").trim();
}
