-- The indexes of releases, built behind a first load. Each serves queries of docs/postgres.md, and none refuses a title, however long it is.

-- A year, which documents have as a derived key.
CREATE INDEX IF NOT EXISTS releases_year_idx ON releases (((data->>'year')::int));

-- A part of a title, or one like it; needs the extension pg_trgm.
CREATE INDEX IF NOT EXISTS releases_title_trgm_idx ON releases USING gin ((data->>'title') gin_trgm_ops);

-- Words of a title.
CREATE INDEX IF NOT EXISTS releases_title_text_idx ON releases USING gin (to_tsvector('english', left(data->>'title', 1000)));

-- Ids, names and catalogue numbers of labels, in either contract.
CREATE INDEX IF NOT EXISTS releases_labels_idx ON releases USING gin ((data->'labels') jsonb_path_ops);

-- Ids and names of artists, in either contract.
CREATE INDEX IF NOT EXISTS releases_artists_idx ON releases USING gin ((data->'artists') jsonb_path_ops);

-- What has changed since; it has upstream's name, so that upstream's schema-init makes no second one.
CREATE INDEX IF NOT EXISTS idx_releases_updated_at ON releases (updated_at);
