import type { IncomingMessage, ServerResponse } from "node:http";

/** What is sent back. */
export interface Answer {
  readonly status: number;
  /** Empty: no body. */
  readonly body: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An object as JSON, keys sorted at every depth, as upstream's are. */
export function json(status: number, value: object, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, body: sortedJson(value), contentType: "application/json", headers };
}

/** Why a request is not answered as asked. */
export function refusal(status: number, error: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return json(status, { error }, headers);
}

/** Sends it; to HEAD without the body. A body that was not read ends the connection: nobody waits for the rest of it. */
export function send(request: IncomingMessage, response: ServerResponse, { status, body, contentType, headers = {} }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (contentType !== undefined && body !== "") response.setHeader("Content-Type", contentType);
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("X-Content-Type-Options", "nosniff");
  if (hasBody(request) && !request.complete) response.setHeader("Connection", "close");
  response.end(body);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

function sortedJson(value: object): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
