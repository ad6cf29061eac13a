import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";

/** What the server answers to one request. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Sends so many bytes of the body (of which `content-length` announces all), then closes the connection. */
  readonly cutAfter?: number;
  /** Sends so many bytes of the body, then nothing until the client goes away. */
  readonly stallAfter?: number;
  /** Sends the body so many bytes at a time, with a pause between them. */
  readonly drip?: { readonly bytes: number; readonly everyMs: number };
  /** Leaves `content-length` out: the body comes in chunks. */
  readonly chunked?: boolean;
  /** Closes the connection without an answer. */
  readonly hangUp?: boolean;
  /** Takes the request and says nothing. */
  readonly silent?: boolean;
}

/** A request that came, and what was sent for it so far. */
export interface SeenRequest {
  readonly method: string;
  /** As it stands in the request: a path with its query, or a whole URL if the server is used as a proxy. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly at: number;
  status: number;
  /** Bytes of the body that were given to the connection. */
  bytesServed: number;
}

export type Responder = Reply | ((request: SeenRequest) => Reply);

/** How a folder is served as a site. */
export interface SiteBehaviour {
  /** Honours Range and If-Range; data.discogs.com does not. */
  readonly ranges?: boolean;
}

/** An HTTP server on 127.0.0.1 that does as it is told, and remembers what it was asked and what it served. */
export class ScriptedServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  readonly #now: () => number;
  readonly #scripts = new Map<string, Responder[]>();
  #site: ((request: SeenRequest) => Reply | null) | null = null;

  private constructor(server: Server, now: () => number) {
    this.#server = server;
    this.#now = now;
  }

  /** Whether CONNECT leads to where it asks for; else it is answered with 403. */
  tunnels = false;

  /** `now` gives the time that {@link SeenRequest.at} tells; with `tls` it speaks https. */
  static async start(now: () => number = () => performance.now(), tls: TlsOptions | null = null): Promise<ScriptedServer> {
    const server = tls === null ? createServer() : createTlsServer(tls);
    server.keepAliveTimeout = 1000;
    const scripted = new ScriptedServer(server, now);
    server.on("request", (request, response) => scripted.#answer(request, response));
    server.on("connect", (request, socket: Socket) => scripted.#tunnel(scripted.#see(request), socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return scripted;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends in a slash. */
  get baseUrl(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Bytes of bodies served to requests for which `isMeant` holds. */
  bytesServed(isMeant: (request: SeenRequest) => boolean = () => true): number {
    return this.requests.filter(isMeant).reduce((sum, request) => sum + request.bytesServed, 0);
  }

  /** The answers to the requests for `target`, in order; the last one stays. They come before those of a site. */
  script(target: string, ...responders: readonly Responder[]): this {
    this.#scripts.set(target, [...responders]);
    return this;
  }

  /** Requests for `target` are answered as if they had no script. */
  unscript(target: string): this {
    this.#scripts.delete(target);
    return this;
  }

  /** Serves the `discogs_*` files of a folder like the site does: years, their pages, downloads. What is in the folder is looked at each time. */
  serveSite(folder: string, behaviour: SiteBehaviour = {}): this {
    this.#site = (request) => siteReply(folder, request, behaviour);
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #see({ method = "", url = "", headers }: IncomingMessage): SeenRequest {
    const seen = { method, target: url, headers, at: this.#now(), status: 0, bytesServed: 0 };
    this.requests.push(seen);
    return seen;
  }

  #tunnel(seen: SeenRequest, socket: Socket): void {
    socket.on("error", () => socket.destroy());
    seen.status = this.tunnels ? 200 : 403;
    if (!this.tunnels) return void socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    const { hostname, port } = new URL(`http://${seen.target}`);
    const onward = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const seen = this.#see(request);
    const script = this.#scripts.get(seen.target);
    const responder = script !== undefined && script.length > 1 ? script.shift() : script?.[0];
    const reply = typeof responder === "function" ? responder(seen) : (responder ?? this.#site?.(seen) ?? { status: 404, body: "not here" });
    send(reply, seen, response).catch(() => response.destroy());
  }
}

/** Where a site has its pages and files. */
export const targets = {
  years: "/",
  year: (year: string) => `/?prefix=data%2F${year}%2F`,
  file: (name: string) => `/?download=${encodeURIComponent(keyOf(name))}`,
};

/** The page that links years. */
export function yearsPage(years: readonly string[]): string {
  return page(years.map((year) => `<a href="?prefix=data%2F${year}%2F">${year}</a>`));
}

/** A year's page, which links files. */
export function yearPage(year: string, names: readonly string[]): string {
  return page(names.map((name) => `<a href="?download=data%2F${year}%2F${encodeURIComponent(name)}">${name}</a>`));
}

/** A CHECKSUM file for these files. */
export function checksumText(files: Readonly<Record<string, Uint8Array>>): string {
  return Object.entries(files)
    .map(([name, bytes]) => `${createHash("sha256").update(bytes).digest("hex")} ${name}\n`)
    .join("");
}

function page(links: readonly string[]): string {
  return `<!doctype html><title>Data</title><ul>${links.map((link) => `<li>${link}</li>`).join("\n")}</ul>`;
}

function keyOf(name: string): string {
  return `data/${name.slice("discogs_".length).slice(0, 4)}/${name}`;
}

function siteReply(folder: string, { target, headers }: SeenRequest, { ranges = false }: SiteBehaviour): Reply | null {
  const names = readdirSync(folder).filter((name) => /^discogs_\d{8}_/.test(name));
  const yearOf = (name: string) => name.slice("discogs_".length).slice(0, 4);
  const query = new URL(target, "http://site/").searchParams;
  const year = /^data\/(\d{4})\/$/.exec(query.get("prefix") ?? "")?.[1];
  if (year !== undefined)
    return html(
      yearPage(
        year,
        names.filter((name) => yearOf(name) === year),
      ),
    );
  const key = query.get("download");
  if (key === null) return html(yearsPage([...new Set(names.map(yearOf))]));
  const name = names.find((known) => keyOf(known) === key);
  if (name === undefined) return null;
  const bytes = readFileSync(join(folder, name));
  const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}"`;
  const common = {
    "content-type": name.endsWith(".txt") ? "text/plain" : "application/gzip",
    etag,
    "last-modified": new Date(statSync(join(folder, name)).mtimeMs).toUTCString(),
  };
  const [, start] = (ranges ? /^bytes=(\d+)-$/.exec(headers.range ?? "") : null) ?? [];
  const isSame = headers["if-range"] === undefined || headers["if-range"] === etag || headers["if-range"] === common["last-modified"];
  if (start === undefined || !isSame) return { headers: common, body: bytes };
  const from = Number(start);
  return { status: 206, headers: { ...common, "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }, body: bytes.subarray(from) };
}

function html(body: string): Reply {
  return { headers: { "content-type": "text/html; charset=utf-8" }, body };
}

async function send(reply: Reply, seen: SeenRequest, response: ServerResponse): Promise<void> {
  const { status = 200, headers = {}, cutAfter, stallAfter, drip } = reply;
  seen.status = status;
  if (reply.hangUp === true) return void response.destroy();
  if (reply.silent === true) return;
  const body = Buffer.from(reply.body ?? "");
  response.writeHead(status, { ...(reply.chunked === true ? {} : { "content-length": String(body.length) }), ...headers });
  response.flushHeaders();
  const end = cutAfter ?? stallAfter ?? body.length;
  const step = drip?.bytes ?? 64 * 1024;
  for (let at = 0; at < end && !response.destroyed; at += step) {
    const bytes = body.subarray(at, Math.min(at + step, end));
    await new Promise<void>((resolve, reject) => response.write(bytes, (error) => (error ? reject(error) : resolve())));
    seen.bytesServed += bytes.length;
    if (drip !== undefined) await new Promise((resolve) => setTimeout(resolve, drip.everyMs));
  }
  if (cutAfter !== undefined) response.destroy();
  else if (stallAfter === undefined) response.end();
}
