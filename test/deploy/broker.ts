import { Broker } from "../services/rabbitmq.ts";

/** The user, and the password, of every compose file here. */
const USER = "discogsography";

/** A broker of its own, since compose files say which virtual host it is: the one that every service would share. It knows their user. */
export async function startProjectBroker(): Promise<Broker> {
  const broker = await Broker.start();
  await put(broker, `users/${USER}`, { password: USER, tags: "" });
  await put(broker, `permissions/%2F/${USER}`, { configure: ".*", write: ".*", read: ".*" });
  return broker;
}

/** Its port for AMQP. */
export function portOf({ address }: Broker): number {
  return Number(new URL(address.amqp).port);
}

async function put({ address }: Broker, path: string, body: unknown): Promise<void> {
  const { origin, username, password } = new URL(address.api);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const answer = await fetch(`${origin}/api/${path}`, {
    method: "PUT",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`);
}
