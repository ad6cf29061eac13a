import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type ListenOptions, type Server } from "node:net";

/** Below the ports that the kernel gives to those who name none (net.ipv4.ip_local_port_range), so that no client takes one of them. */
const FIRST = 15_000;
const END = 32_000;

/**
 * A port of this machine that nobody listens on, and that no other test process is given while this one lives: a server takes seconds from
 * being told its port to listening there. The claim is a Unix socket without a file, which ends with its process however that ends.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    const claim = await listening({ path: `\0deadwax-test-port-${port}` });
    if (claim === null) continue;
    claim.unref();
    const probe = await listening({ host: "127.0.0.1", port });
    if (probe === null) continue;
    await new Promise((done) => probe.close(done));
    return port;
  }
}

/** Whether somebody listens on a port of this machine. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A server there; null if somebody else is. */
async function listening(where: ListenOptions): Promise<Server | null> {
  const server = createServer().listen(where);
  try {
    await once(server, "listening");
    return server;
  } catch {
    return null;
  }
}
