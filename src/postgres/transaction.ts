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
export async function patiently(client: PostgresClient, scope: "session" | "transaction"): Promise<void> {
  await client.query(
    `SELECT set_config(name, CASE name WHEN 'client_connection_check_interval' THEN '2s' ELSE '0' END, $1)
     FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'client_connection_check_interval')`,
    [scope === "transaction"],
  );
}
