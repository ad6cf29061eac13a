-- What downstream has, and how it came to that: the record index of incremental runs. The tables have upstream's names; where its columns would
-- be wide (record_processing_state), a view has its column names instead.

-- A data type in a contract at a sink: one row each, four as a rule.
CREATE TABLE processing_state (
  id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  data_type varchar(50) NOT NULL,
  contract text NOT NULL,
  sink text NOT NULL,
  last_processed_at timestamptz,
  last_file_url text,
  last_file_checksum varchar(64),
  last_file_size bigint,
  total_records_processed bigint NOT NULL DEFAULT 0,
  processing_status varchar(20) NOT NULL DEFAULT 'idle' CHECK (processing_status IN ('idle', 'processing', 'error')),
  error_message text,
  version text,
  run_id uuid,
  generation integer NOT NULL DEFAULT 0,
  records bigint NOT NULL DEFAULT 0,
  pending_deletes bigint NOT NULL DEFAULT 0,
  changes jsonb,
  rules_digest text,
  hash_version integer,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT processing_state_key UNIQUE (data_type, contract, sink)
);

-- One attempt to bring one file to its end.
CREATE TABLE processing_runs (
  id uuid PRIMARY KEY,
  number integer GENERATED ALWAYS AS IDENTITY CONSTRAINT processing_runs_number UNIQUE,
  state smallint NOT NULL REFERENCES processing_state,
  data_type varchar(50) NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  heartbeat_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  status varchar(20) NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed', 'aborted', 'superseded')),
  records_processed bigint NOT NULL DEFAULT 0,
  records_created bigint NOT NULL DEFAULT 0,
  records_updated bigint NOT NULL DEFAULT 0,
  records_deleted bigint NOT NULL DEFAULT 0,
  records_unchanged bigint NOT NULL DEFAULT 0,
  error_message text,
  version text NOT NULL,
  subject text NOT NULL,
  in_doubt boolean NOT NULL DEFAULT false,
  metadata jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX idx_processing_runs_started_at ON processing_runs (started_at);
CREATE INDEX idx_processing_runs_state ON processing_runs (state, status);

-- The order of the columns leaves no gaps: 68 bytes a row and 31 in its key. A record that stays the same is never written.
CREATE TABLE record_processing_state (
  record_id bigint NOT NULL,
  raw bigint NOT NULL,
  run integer NOT NULL,
  state smallint NOT NULL,
  flags smallint NOT NULL,
  record_hash uuid NOT NULL,
  CONSTRAINT record_processing_state_key PRIMARY KEY (state, record_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Records whose id is no number, or is missing, and ids of which downstream may have several contents.
CREATE TABLE record_processing_state_other (
  raw bigint NOT NULL,
  run integer NOT NULL,
  state smallint NOT NULL,
  flags smallint NOT NULL,
  record_hash uuid NOT NULL,
  record_id text
);
CREATE INDEX idx_record_processing_other ON record_processing_state_other (state, md5(record_id));

-- One row per change that a run has delivered, of the last runs of each data type; none of a first run.
CREATE TABLE data_changelog (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT data_changelog_key PRIMARY KEY,
  data_type varchar(50) NOT NULL,
  record_id text NOT NULL,
  change_type varchar(20) NOT NULL CHECK (change_type IN ('created', 'updated', 'deleted')),
  old_hash varchar(64),
  new_hash varchar(64),
  change_detected_at timestamptz NOT NULL DEFAULT now(),
  processing_run_id uuid NOT NULL,
  processed boolean NOT NULL DEFAULT true,
  processed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_changelog_detected_at ON data_changelog (change_detected_at);
CREATE INDEX idx_changelog_run_id ON data_changelog (processing_run_id);

CREATE VIEW record_states AS
  SELECT known.data_type, stored.record_id::text AS record_id, replace(stored.record_hash::text, '-', '') AS record_hash,
    changed.completed_at AS last_modified_at, changed.id AS processing_run_id, known.contract, known.sink, stored.flags
  FROM record_processing_state AS stored
  JOIN processing_state AS known ON known.id = stored.state
  LEFT JOIN processing_runs AS changed ON changed.number = stored.run
  UNION ALL
  SELECT known.data_type, stored.record_id, replace(stored.record_hash::text, '-', ''),
    changed.completed_at, changed.id, known.contract, known.sink, stored.flags
  FROM record_processing_state_other AS stored
  JOIN processing_state AS known ON known.id = stored.state
  LEFT JOIN processing_runs AS changed ON changed.number = stored.run;

COMMENT ON TABLE processing_state IS 'the last good state of each data type; kept by deadwax';
COMMENT ON COLUMN processing_state.run_id IS 'the run whose end the records are at';
COMMENT ON TABLE processing_runs IS 'runs with their counts and how they ended; kept by deadwax';
COMMENT ON COLUMN processing_runs.number IS 'what record_processing_state.run means';
COMMENT ON COLUMN processing_runs.in_doubt IS 'has delivered what the records here do not tell';
COMMENT ON TABLE record_processing_state IS 'fingerprints of what downstream has, by id; kept by deadwax; the view record_states has them with names';
COMMENT ON COLUMN record_processing_state.raw IS 'xxh3 of the XML of the record; 0: not known';
COMMENT ON COLUMN record_processing_state.record_hash IS 'the first half of the SHA-256 in its body';
COMMENT ON COLUMN record_processing_state.flags IS '1: its id came more than once, 2: not known for sure, 4: without an id';
COMMENT ON TABLE record_processing_state_other IS 'the same where the id is no number, is missing, or has several contents';
COMMENT ON TABLE data_changelog IS 'what was created, updated and deleted, as it was delivered; kept by deadwax for the last runs';
COMMENT ON COLUMN data_changelog.processed IS 'delivered; nothing stands here before it is';
