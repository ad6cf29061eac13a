import { type PostgresClient, quoteName } from "./connect.ts";

/** Runs `work` in a transaction; what it throws rolls back. */
export async function inTransaction<T>(client: PostgresClient, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {}); // the connection may be gone, and the transaction with it
    throw error;
  }
}

/** For the rest of the transaction names mean what is in these schemas, and nothing else. */
export async function useSchemas(client: PostgresClient, ...schemas: readonly string[]): Promise<void> {
  await client.query(`SET LOCAL search_path = ${schemas.map(quoteName).join(", ")}`);
}

/** No limit of time for the session, or for the rest of the transaction; and work that nobody waits for any more is broken off. */
export async function patiently(client: PostgresClient, scope: "session" | "local"): Promise<void> {
  await client.query(`SET ${scope} statement_timeout = 0; SET ${scope} lock_timeout = 0`);
  // A server on Windows refuses it: there somebody has to end the work of a client that was killed.
  const noticeLoss = `PERFORM set_config('client_connection_check_interval', '2s', ${scope === "local"})`;
  await client.query(`DO $$ BEGIN ${noticeLoss}; EXCEPTION WHEN OTHERS THEN NULL; END $$`);
}
