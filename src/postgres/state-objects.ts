/** The tables and indexes that the record index needs, and which of them are missing. */
import { type PostgresClient, quoteName } from "./connect.ts";
import { validIndexes } from "./indexes.ts";
import { requireMigrated } from "./migrations.ts";

/** By table, with the index that serves each access. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  processing_state: ["processing_state_pkey", "processing_state_key"],
  processing_runs: ["processing_runs_pkey", "processing_runs_number", "idx_processing_runs_started_at", "idx_processing_runs_state"],
  record_processing_state: ["record_processing_state_key"],
  record_processing_state_other: ["idx_record_processing_other"],
  data_changelog: ["data_changelog_key", "idx_changelog_detected_at", "idx_changelog_run_id"],
};
const IS_TABLE = "SELECT FROM pg_class WHERE oid = to_regclass($1) AND relkind IN ('r', 'p')";

/** What is missing, one sentence each, with what to do; throws where the schema was not migrated at all. */
export async function missingStateObjects(client: PostgresClient, schema: string, where: string): Promise<string[]> {
  await requireMigrated(client, schema, where);
  const missing: string[] = [];
  for (const [table, indexes] of Object.entries(NEEDED)) {
    const name = `${quoteName(schema)}.${quoteName(table)}`;
    if ((await client.query(IS_TABLE, [name])).rows.length === 0) {
      missing.push(`the table ${table} is missing; restore it, or drop the schema ${schema} and run deadwax migrate`);
      continue;
    }
    const there = await validIndexes(client, schema, table);
    for (const index of indexes) {
      if (!there.includes(index))
        missing.push(`the index ${index} of ${table} is missing or not valid; create it as the migration 0005_processing_state has it`);
    }
  }
  return missing;
}
