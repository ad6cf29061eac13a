import { DATA_TYPES } from "../../src/model.ts";
import type { Database } from "../services/database.ts";

/** The tables and indexes of upstream's first releases, and of its current one, as it makes them; with a few rows in each. */
export async function createUpstreamTables(database: Database, generation: "first" | "current"): Promise<void> {
  const updated = generation === "first" ? "" : ", updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()";
  for (const table of DATA_TYPES) {
    const title = table === "artists" || table === "labels" ? "name" : "title";
    await database.query(`CREATE TABLE IF NOT EXISTS ${table} (data_id VARCHAR PRIMARY KEY, hash VARCHAR NOT NULL, data JSONB NOT NULL${updated})`);
    await database.query(`CREATE INDEX IF NOT EXISTS idx_${table}_hash ON ${table} (hash)`);
    await database.query(`CREATE INDEX IF NOT EXISTS idx_${table}_gin ON ${table} USING GIN (data)`);
    if (generation === "current") {
      await database.query(`CREATE INDEX IF NOT EXISTS idx_${table}_updated_at ON ${table} (updated_at)`);
      await database.query(`CREATE INDEX IF NOT EXISTS idx_${table}_fts ON ${table} USING GIN (to_tsvector('english', COALESCE(data->>'${title}', '')))`);
    }
    await database.query(
      `INSERT INTO ${table} (data_id, hash, data)
       SELECT n::text, md5(n::text), jsonb_build_object('id', n::text, 'sha256', md5(n::text), '${title}', 'Number ' || n, 'notes', repeat(md5(n::text), n % 200))
       FROM generate_series(1, 500) AS n`,
    );
    if (generation === "current") await database.query(`UPDATE ${table} SET updated_at = timestamptz '2026-01-01' + data_id::int * interval '1 minute'`);
  }
  for (const [name, on] of UPSTREAM_EXPRESSION_INDEXES) await database.query(`CREATE INDEX IF NOT EXISTS ${name} ON ${on}`);
}

const UPSTREAM_EXPRESSION_INDEXES = [
  ["idx_artists_name", "artists ((data->>'name'))"],
  ["idx_labels_name", "labels ((data->>'name'))"],
  ["idx_masters_title", "masters ((data->>'title'))"],
  ["idx_masters_year", "masters ((data->>'year'))"],
  ["idx_releases_title", "releases ((data->>'title'))"],
  ["idx_releases_year", "releases ((data->>'year'))"],
  ["idx_releases_country", "releases ((data->>'country'))"],
  ["idx_releases_genres", "releases USING GIN ((data->'genres'))"],
  ["idx_releases_labels", "releases USING GIN ((data->'labels'))"],
] as const;
