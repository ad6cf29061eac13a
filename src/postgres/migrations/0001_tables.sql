-- The four tables of records. Where upstream has made them, they are taken over with their rows; its first ones had no updated_at.
CREATE TABLE IF NOT EXISTS artists (data_id varchar PRIMARY KEY, hash varchar NOT NULL, data jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS labels (data_id varchar PRIMARY KEY, hash varchar NOT NULL, data jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS masters (data_id varchar PRIMARY KEY, hash varchar NOT NULL, data jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS releases (data_id varchar PRIMARY KEY, hash varchar NOT NULL, data jsonb NOT NULL);

-- The default is the same for every row that is there, so none is rewritten.
ALTER TABLE artists ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE labels ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE masters ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE releases ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

-- A dump changes a few rows in a hundred. With the server's own 20 and 10 in a hundred, dead rows and old statistics would stay for months.
ALTER TABLE artists SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE labels SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE masters SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE releases SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Compressing takes more than half of the time of a load; lz4 nearly halves that. Not every server was built with it.
DO $$
DECLARE
  name text;
BEGIN
  IF EXISTS (SELECT FROM pg_settings AS setting WHERE setting.name = 'default_toast_compression' AND 'lz4' = ANY (setting.enumvals)) THEN
    FOREACH name IN ARRAY ARRAY['artists', 'labels', 'masters', 'releases'] LOOP
      EXECUTE format('ALTER TABLE %I ALTER COLUMN data SET COMPRESSION lz4', name);
    END LOOP;
  END IF;
END
$$;
