-- Tombstones that came before the records they mean: they wait until the records of their version have come to their end.
CREATE TABLE deadwax_tombstones (
  version text NOT NULL,
  data_type text NOT NULL,
  id text NOT NULL,
  hash text NOT NULL,
  PRIMARY KEY (data_type, version, id, hash)
);

-- The version whose records have come to their end last, by type; locked by whoever applies tombstones of it.
CREATE TABLE deadwax_ended (
  data_type text PRIMARY KEY,
  version text NOT NULL
);
INSERT INTO deadwax_ended (data_type, version) VALUES ('artists', ''), ('labels', ''), ('masters', ''), ('releases', '');

COMMENT ON TABLE deadwax_tombstones IS 'records that are gone, but may still be on their way; kept by deadwax';
COMMENT ON TABLE deadwax_ended IS 'the version whose records have come to their end last; kept by deadwax';
