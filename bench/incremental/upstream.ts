/**
 * Upstream's way of finding changes, from the specification: for each record a connection that reads its hash, a second one that reads it again,
 * writes or touches its row, and commits. `node upstream.js URL FILE RECORDS` with a file of message bodies, one a line; prints seconds and records.
 */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import pg from "pg";

const [url = "", file = "", limit = ""] = process.argv.slice(2);
const READ = "SELECT record_hash FROM record_processing_state WHERE data_type = $1 AND record_id = $2";
const INSERT = "INSERT INTO record_processing_state (data_type, record_id, record_hash) VALUES ($1, $2, $3)";
const TOUCH = "UPDATE record_processing_state SET last_seen_at = now() WHERE data_type = $1 AND record_id = $2";
const CHANGE =
  "UPDATE record_processing_state SET record_hash = $3, last_modified_at = now(), processing_version = processing_version + 1 WHERE data_type = $1 AND record_id = $2";

const started = performance.now();
let records = 0;
for await (const text of createInterface({ input: createReadStream(file) })) {
  const { id, sha256 } = JSON.parse(text) as { id: string; sha256: string };
  await connected((client) => client.query(READ, ["releases", id]));
  await connected(async (client) => {
    const { rows } = await client.query<{ record_hash: string }>(READ, ["releases", id]);
    const known = rows[0]?.record_hash;
    if (known === undefined) await client.query(INSERT, ["releases", id, sha256]);
    else if (known === sha256) await client.query(TOUCH, ["releases", id]);
    else await client.query(CHANGE, ["releases", id, sha256]);
  });
  records += 1;
  if (records === Number(limit)) break;
}
process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - started) / 1000, records })}\n`);

async function connected(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await work(client);
  await client.end();
}
