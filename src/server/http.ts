import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemCode } from "../errors.ts";
import type { LabelValue } from "../telemetry/metric-names.ts";
import type { ServerEvents } from "../telemetry/server-events.ts";
import { type Answer, refusal, send } from "./answer.ts";
import { LIMITS } from "./limits.ts";
import { Sockets } from "./sockets.ts";

/** Where a server listens. */
export interface Place {
  /** Address to listen on: `0.0.0.0` for all of IPv4, `::` for all. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
}

/** A server that answers, or that could not have its port. */
export interface RunningServer extends AsyncDisposable {
  /** Null: it does not listen, and the log says why. */
  readonly port: number | null;
  /** Ends within {@link LIMITS.closeTimeoutMs}; safe to call twice. */
  close(): Promise<void>;
}

/** A path of the server. */
export interface Route {
  /** As in the header `Allow`. */
  readonly methods: string;
  /** What is only shown may be read by any page, as upstream allows; what changes something may not. */
  readonly isReadableByPages: boolean;
  readonly answer: (request: IncomingMessage) => Answer | Promise<Answer>;
}

/** The routes of a server; any other path is answered with `notFound`. */
export interface Routes {
  readonly routes: { readonly [P in LabelValue<"path">]?: Route };
  readonly notFound: Answer;
  /** Whoever reaches the port may start a run. */
  readonly isTriggerOpen: boolean;
}

/**
 * Answers by HTTP. Resolves once it listens, or once it is known that it cannot: the records matter more than the port, so that a run
 * goes on without it.
 */
export async function startHttp(place: Place, routes: Routes, events: ServerEvents): Promise<RunningServer> {
  const sockets = new Sockets((open, evicted) => {
    events.connectionsChanged(open);
    if (evicted > 0) events.evicted(evicted, LIMITS.socketsMax);
  });
  const server = createServer(
    {
      headersTimeout: LIMITS.headersTimeoutMs,
      requestTimeout: LIMITS.requestTimeoutMs,
      keepAliveTimeout: LIMITS.keepAliveTimeoutMs,
      connectionsCheckingInterval: LIMITS.connectionsCheckingIntervalMs,
      maxHeaderSize: LIMITS.headerBytesMax,
    },
    (request, response) => {
      sockets.requestBegan(request.socket);
      response.once("close", () => sockets.requestEnded(request.socket));
      void handle(request, response, routes, events);
    },
  );
  server.timeout = LIMITS.socketTimeoutMs;
  server.maxHeadersCount = LIMITS.headersMax;
  server.maxRequestsPerSocket = LIMITS.requestsPerSocketMax;
  server.on("connection", (socket) => sockets.add(socket));
  const port = await listen(server, place, routes.isTriggerOpen, events);
  const close = () => closeServer(server);
  return { port, close, [Symbol.asyncDispose]: close };
}

async function handle(request: IncomingMessage, response: ServerResponse, { routes, notFound }: Routes, events: ServerEvents): Promise<void> {
  const [asked = ""] = (request.url ?? "").split("?", 1);
  const path = Object.hasOwn(routes, asked) ? (asked as LabelValue<"path">) : "other";
  const route = routes[path];
  response.on("finish", () => events.served(path, response.statusCode));
  try {
    send(request, response, route === undefined ? notFound : await answerTo(request, path, route));
  } catch (error) {
    if (request.destroyed && !request.complete) return; // the client went away; nobody to answer
    events.requestFailed(path, error);
    send(request, response, refusal(500, "internal error"));
  }
}

async function answerTo(request: IncomingMessage, path: string, { methods, isReadableByPages, answer }: Route): Promise<Answer> {
  const { method = "" } = request;
  const readable: Record<string, string> = isReadableByPages ? { "Access-Control-Allow-Origin": "*" } : {};
  if (method === "OPTIONS") return { status: 204, body: "", headers: { Allow: `${methods}, OPTIONS`, ...readable } };
  if (!methods.split(", ").includes(method)) return refusal(405, `${path} takes ${methods}`, { Allow: `${methods}, OPTIONS` });
  const answered = await answer(request);
  return { ...answered, headers: { ...answered.headers, ...readable } };
}

/** The port, or null if it cannot be had. */
async function listen(server: Server, { host, port }: Place, isTriggerOpen: boolean, events: ServerEvents): Promise<number | null> {
  const error = await new Promise<Error | null>((resolve) => {
    server.once("error", resolve).listen(port, host, () => resolve(null));
  });
  if (error !== null) {
    events.unavailable(host, port, systemCode(error) ?? error.message);
    return null;
  }
  server.on("error", (later) => events.requestFailed("server", later)); // such as no file descriptor for a new connection
  const address = server.address() as AddressInfo;
  events.listening(host, address.port, isTriggerOpen);
  return address.port;
}

/** Takes nothing new, lets answers under way go out, and then ends whatever is left. */
async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return server.closeAllConnections();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), LIMITS.closeTimeoutMs);
  await closed;
  clearTimeout(timer);
}
