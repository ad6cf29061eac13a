-- Upstream's indexes that no query of its or ours needs, or that refuse a row. What remains of them is idx_<table>_updated_at.

-- Nothing looks for a hash.
DROP INDEX IF EXISTS idx_artists_hash, idx_labels_hash, idx_masters_hash, idx_releases_hash;

-- Every key and value of every document: most of the cost of a write.
DROP INDEX IF EXISTS idx_artists_gin, idx_labels_gin, idx_masters_gin, idx_releases_gin;

-- A value above 2,704 bytes does not fit into a B-tree, and its row could not be written.
DROP INDEX IF EXISTS idx_artists_name, idx_labels_name, idx_masters_title, idx_masters_year;
DROP INDEX IF EXISTS idx_releases_title, idx_releases_year, idx_releases_country;

-- Replaced by smaller ones, which serve both contracts: see indexes/releases.sql.
DROP INDEX IF EXISTS idx_releases_genres, idx_releases_labels;

-- A name or title with more than 1 MB of words does not fit; ours read its beginning.
DROP INDEX IF EXISTS idx_artists_fts, idx_labels_fts, idx_masters_fts, idx_releases_fts;
