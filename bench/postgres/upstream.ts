/**
 * Upstream's way of writing a table, for comparison: batches of 500, a look at the hashes that are stored, then one upsert a record, each
 * committed by itself. `node upstream.js URL FILE RECORDS` with a file of message bodies, one a line; prints seconds and records.
 */

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import pg from "pg";

const BATCH = 500;
const [url = "", file = "", limit = ""] = process.argv.slice(2);

interface Row {
  readonly id: string;
  readonly sha256: string;
}

const client = new pg.Client({ connectionString: url });
await client.connect();
const started = performance.now();
let records = 0;
let batch: (Row & { readonly text: string })[] = [];
for await (const text of createInterface({ input: createReadStream(file) })) {
  batch.push({ ...(JSON.parse(text) as Row), text });
  records += 1;
  if (batch.length === BATCH) await flush();
  if (records === Number(limit)) break;
}
await flush();
process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - started) / 1000, records })}\n`);
await client.end();

async function flush(): Promise<void> {
  const { rows } = await client.query<{ data_id: string; hash: string }>("SELECT data_id, hash FROM releases WHERE data_id = ANY($1)", [
    batch.map(({ id }) => id),
  ]);
  const stored = new Map(rows.map(({ data_id, hash }) => [data_id, hash]));
  for (const { id, sha256, text } of batch) {
    if (stored.get(id) === sha256) continue;
    await client.query({
      name: "upsert",
      text: "INSERT INTO releases (hash, data_id, data) VALUES ($1, $2, $3) ON CONFLICT (data_id) DO UPDATE SET (hash, data) = (EXCLUDED.hash, EXCLUDED.data)",
      values: [sha256, id, text],
    });
  }
  batch = [];
}
