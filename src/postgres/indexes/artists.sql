-- The indexes of artists, built behind a first load. Each serves queries of docs/postgres.md, and none refuses a name, however long it is.

-- A name, exactly. Hashed, since a B-tree takes no more than 2,704 bytes; Discogs numbers equal names, so that no bucket grows long.
CREATE INDEX IF NOT EXISTS artists_name_idx ON artists USING hash ((data->>'name'));

-- A part of a name, or one like it; needs the extension pg_trgm.
CREATE INDEX IF NOT EXISTS artists_name_trgm_idx ON artists USING gin ((data->>'name') gin_trgm_ops);

-- Words of a name.
CREATE INDEX IF NOT EXISTS artists_name_text_idx ON artists USING gin (to_tsvector('english', left(data->>'name', 1000)));

-- What has changed since; it has upstream's name, so that upstream's schema-init makes no second one.
CREATE INDEX IF NOT EXISTS idx_artists_updated_at ON artists (updated_at);
