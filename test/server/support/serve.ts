import { request } from "node:http";
import { connect, type Socket } from "node:net";
import type { RunningServer } from "../../../src/server/http.ts";
import { type ServerOptions, startServer } from "../../../src/server/server.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { Telemetry } from "../../../src/telemetry.ts";
import { FakeView } from "./fake-view.ts";

/** A server on a free port, with everything that it logs. */
export interface Served extends AsyncDisposable {
  readonly server: RunningServer;
  readonly port: number;
  readonly view: FakeView;
  readonly metrics: Metrics;
  readonly lines: string[];
}

export async function serve(options: Partial<ServerOptions> = {}, view = new FakeView()): Promise<Served> {
  const lines: string[] = [];
  const metrics = new Metrics();
  const telemetry = new Telemetry({ level: "debug", format: "text", output: { write: (text) => lines.push(text) }, bar: false, metrics });
  const server = await startServer({ host: "127.0.0.1", port: 0, token: null, metrics: "json", ...options }, view, metrics, telemetry.server);
  return { server, port: server.port ?? 0, view, metrics, lines, [Symbol.asyncDispose]: () => server.close() };
}

export interface Reply {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** One request on a connection of its own. */
export async function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Reply> {
  const { method = "GET", headers = {}, body } = options;
  return await new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers: { connection: "close", ...headers } }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** A bare connection: what it received, and whether the server has ended it. */
export interface Raw {
  readonly socket: Socket;
  received: string;
  readonly closed: Promise<void>;
  isClosed: boolean;
}

export async function dial(port: number, first = ""): Promise<Raw> {
  const socket = connect(port, "127.0.0.1");
  const raw: Raw = {
    socket,
    received: "",
    isClosed: false,
    closed: new Promise((resolve) => {
      socket.once("close", () => {
        raw.isClosed = true;
        resolve();
      });
    }),
  };
  socket.setEncoding("latin1").on("data", (part: string) => {
    raw.received += part;
  });
  socket.on("error", () => {}); // a reset is an end as well
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  if (first !== "") socket.write(first, "latin1");
  return raw;
}
