-- How far a load has come: written in the transaction of the rows, so that neither is ever there without the other.
CREATE TABLE deadwax_positions (
  version text NOT NULL,
  data_type text NOT NULL,
  contract text NOT NULL,
  run text NOT NULL,
  attempt integer NOT NULL,
  records bigint NOT NULL,
  highest bigint,
  fresh boolean NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (version, data_type, contract)
) WITH (fillfactor = 50); -- updated with every portion: with room in the page, no index is touched

COMMENT ON TABLE deadwax_positions IS 'how far the load of a file has come; kept by deadwax';
COMMENT ON COLUMN deadwax_positions.records IS 'records of the file that are in the table';
COMMENT ON COLUMN deadwax_positions.highest IS 'the highest id among them, while they ascend';
COMMENT ON COLUMN deadwax_positions.fresh IS 'whether the table was empty when the load began';

-- The ids that a version has: 1,024 in a block, id = block * 1024 + number of the bit. What no version has any more can go.
CREATE TABLE deadwax_seen (
  version text NOT NULL,
  data_type text NOT NULL,
  block bigint NOT NULL,
  bits bit(1024) NOT NULL,
  PRIMARY KEY (version, data_type, block)
) WITH (fillfactor = 50); -- a block is updated by several portions

-- The ids that are no numbers.
CREATE TABLE deadwax_seen_other (
  version text NOT NULL,
  data_type text NOT NULL,
  id text NOT NULL,
  PRIMARY KEY (version, data_type, id)
);

COMMENT ON TABLE deadwax_seen IS 'ids that a version has, as bits; kept by deadwax';
COMMENT ON TABLE deadwax_seen_other IS 'ids that a version has and that are no numbers; kept by deadwax';
