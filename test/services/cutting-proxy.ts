import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy that lets a message of the client through, and then cuts the connection before the server's answer to it arrives. */
export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cutAt: string | null = null;
  /** Connections that were cut. */
  cuts = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<CuttingProxy> {
    const server = createServer();
    const proxy = new CuttingProxy(server);
    server.on("connection", (client) => proxy.#join(client, connect(port, "127.0.0.1")));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts the next connection on which the client sends this text; its answer is swallowed. */
  cutBehind(text: string): void {
    this.#cutAt = text;
  }

  #join(client: Socket, server: Socket): void {
    let isCut = false;
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    }
    client.on("data", (bytes) => {
      server.write(bytes);
      if (this.#cutAt === null || !bytes.includes(this.#cutAt)) return;
      this.#cutAt = null;
      isCut = true;
    });
    server.on("data", (bytes) => {
      if (!isCut) return void client.write(bytes);
      this.cuts += 1;
      client.destroy(); // the server has answered: what was asked for is done
      server.destroy();
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
