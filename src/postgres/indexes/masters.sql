-- The indexes of masters, built behind a first load. Each serves queries of docs/postgres.md, and none refuses a title, however long it is.

-- A year; only its digits, since a B-tree takes no more than 2,704 bytes.
CREATE INDEX IF NOT EXISTS masters_year_idx ON masters (left(data->>'year', 4));

-- A part of a title, or one like it; needs the extension pg_trgm.
CREATE INDEX IF NOT EXISTS masters_title_trgm_idx ON masters USING gin ((data->>'title') gin_trgm_ops);

-- Words of a title.
CREATE INDEX IF NOT EXISTS masters_title_text_idx ON masters USING gin (to_tsvector('english', left(data->>'title', 1000)));

-- What has changed since; it has upstream's name, so that upstream's schema-init makes no second one.
CREATE INDEX IF NOT EXISTS idx_masters_updated_at ON masters (updated_at);
