/**
 * The client alone, as a process: publishes ready-made bodies, one a line of a file, with so many unconfirmed at most, and prints how many
 * seconds it took from the first to the last confirm. Usage: client.js URL EXCHANGE FILE WINDOW COUNT
 */

import { readFileSync } from "node:fs";
import { Connection } from "rabbitmq-client";

const [url = "", exchange = "", file = "", window = "", count = ""] = process.argv.slice(2);
const unconfirmedMax = Number(window);
const bodies = linesOf(readFileSync(file)).slice(0, Number(count));
const connection = new Connection(url);
connection.on("error", (error: unknown) => {
  throw error;
});
const publisher = connection.createPublisher({ confirm: true });
publisher.on("basic.return", () => {
  throw new Error(`${exchange} returned a message`);
});

let unconfirmed = 0;
let wake: (() => void) | null = null;
const confirmed = () => {
  unconfirmed -= 1;
  wake?.();
};
const below = async (most: number) => {
  while (unconfirmed > most) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
};
await connection.onConnect();
const started = performance.now();
for (const [ordinal, body] of bodies.entries()) {
  await below(unconfirmedMax - 1);
  unconfirmed += 1;
  const common = { contentType: "application/json", contentEncoding: "UTF-8", durable: true, mandatory: true } as const;
  void publisher.send({ exchange, routingKey: "", messageId: `20260801/releases/${ordinal}`, ...common }, body).then(confirmed);
}
await below(0);
process.stdout.write(JSON.stringify({ seconds: (performance.now() - started) / 1000, messages: bodies.length }));
await publisher.close();
await connection.close();

function linesOf(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0, end = text.indexOf("\n"); end !== -1; start = end + 1, end = text.indexOf("\n", start)) lines.push(text.subarray(start, end));
  return lines;
}
