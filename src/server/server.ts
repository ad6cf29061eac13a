import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ServiceView } from "../discogs/service-view.ts";
import { systemCode } from "../errors.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ServerEvents } from "../telemetry/server-events.ts";
import { type MetricsForm, metricsForm } from "./accept.ts";
import { type Answer, refusal, send } from "./answer.ts";
import { countsBody, health, NOT_FOUND, ready } from "./health.ts";
import { LIMITS } from "./limits.ts";
import { Sockets } from "./sockets.ts";
import { trigger } from "./trigger.ts";

export interface ServerOptions {
  /** Address to listen on: `0.0.0.0` for all of IPv4, `::` for all. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** What `POST /trigger` asks for; null: nothing, as upstream. */
  readonly token: string | null;
  /** What `/metrics` sends to a client without a wish. */
  readonly metrics: MetricsForm;
}

/** A server that answers, or that could not have its port. */
export interface RunningServer extends AsyncDisposable {
  /** Null: it does not listen, and the log says why. */
  readonly port: number | null;
  /** Ends within {@link LIMITS.closeTimeoutMs}; safe to call twice. */
  close(): Promise<void>;
}

type Path = "/health" | "/ready" | "/metrics" | "/trigger";
const METHODS: Readonly<Record<Path, string>> = { "/health": "GET, HEAD", "/ready": "GET, HEAD", "/metrics": "GET, HEAD", "/trigger": "POST" };

/**
 * Shows `view` and `metrics` by HTTP. Resolves once it listens, or once it is known that it cannot: the records matter more than the port,
 * so that a run goes on without it.
 */
export async function startServer(options: ServerOptions, view: ServiceView, metrics: Metrics, events: ServerEvents): Promise<RunningServer> {
  const sockets = new Sockets((open, evicted) => {
    events.connectionsChanged(open);
    if (evicted > 0) events.evicted(evicted, LIMITS.socketsMax);
  });
  const answer = (request: IncomingMessage, path: Path) => answerTo(request, path, { options, view, metrics, events });
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
      void handle(request, response, answer, events);
    },
  );
  server.timeout = LIMITS.socketTimeoutMs;
  server.maxHeadersCount = LIMITS.headersMax;
  server.maxRequestsPerSocket = LIMITS.requestsPerSocketMax;
  server.on("connection", (socket) => sockets.add(socket));
  const port = await listen(server, options, events);
  const close = () => closeServer(server);
  return { port, close, [Symbol.asyncDispose]: close };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: IncomingMessage, path: Path) => Promise<Answer>,
  events: ServerEvents,
): Promise<void> {
  const [asked = ""] = (request.url ?? "").split("?", 1);
  const path = Object.hasOwn(METHODS, asked) ? (asked as Path) : null;
  response.on("finish", () => events.served(path ?? "other", response.statusCode));
  try {
    send(request, response, path === null ? NOT_FOUND : await answer(request, path));
  } catch (error) {
    if (request.destroyed && !request.complete) return; // the client went away; nobody to answer
    events.requestFailed(path ?? "other", error);
    send(request, response, refusal(500, "internal error"));
  }
}

interface Context {
  readonly options: ServerOptions;
  readonly view: ServiceView;
  readonly metrics: Metrics;
  readonly events: ServerEvents;
}

async function answerTo(request: IncomingMessage, path: Path, { options, view, metrics, events }: Context): Promise<Answer> {
  const { method = "", headers } = request;
  const allowed = METHODS[path];
  if (method === "OPTIONS") return { status: 204, body: "", headers: { Allow: `${allowed}, OPTIONS`, ...readableByPages(path) } };
  if (!allowed.split(", ").includes(method)) return refusal(405, `${path} takes ${allowed}`, { Allow: `${allowed}, OPTIONS` });
  if (path === "/trigger") {
    return await trigger(request, { view, token: options.token, onTriggered: (force, result) => events.triggered(force, result) });
  }
  const answer = await read(path, headers.accept, { options, view, metrics, events });
  return { ...answer, headers: { ...answer.headers, ...readableByPages(path) } };
}

async function read(path: Exclude<Path, "/trigger">, accept: string | undefined, { options, view, metrics }: Context): Promise<Answer> {
  switch (path) {
    case "/health":
      return health(view, new Date());
    case "/ready":
      return ready(view);
    case "/metrics": {
      const isText = metricsForm(accept, options.metrics) === "prometheus";
      const answer = isText ? { status: 200, body: await metrics.render(), contentType: metrics.contentType } : countsBody(view);
      return { ...answer, headers: { Vary: "Accept" } };
    }
    default:
      return path satisfies never;
  }
}

/** What is only shown may be read by any page, as upstream allows; what changes something may not. */
function readableByPages(path: Path): Record<string, string> {
  return path === "/trigger" ? {} : { "Access-Control-Allow-Origin": "*" };
}

/** The port, or null if it cannot be had. */
async function listen(server: Server, { host, port, token }: ServerOptions, events: ServerEvents): Promise<number | null> {
  const error = await new Promise<Error | null>((resolve) => {
    server.once("error", resolve).listen(port, host, () => resolve(null));
  });
  if (error !== null) {
    events.unavailable(host, port, systemCode(error) ?? error.message);
    return null;
  }
  server.on("error", (later) => events.requestFailed("server", later)); // such as no file descriptor for a new connection
  const address = server.address() as AddressInfo;
  events.listening(host, address.port, token === null);
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
