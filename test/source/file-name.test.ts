import { expect, it } from "vitest";
import { readFileName } from "../../src/source/file-name.ts";

it.each([
  ["discogs_20260801_releases.xml.gz", "20260801", "releases"],
  ["/dumps/discogs_20260801_LABELS.xml.gz", "20260801", "labels"],
  ["discogs_20260801_artists.xml", "20260801", "artists"],
  ["discogs_20260801_songs.xml.gz", "discogs_20260801_songs", null],
  ["discogs_2026_artists.xml.gz", "discogs_2026_artists", null],
  ["20141001-masters.xml.gz", "20141001-masters", null],
  ["labels.xml", "labels", null],
  ["labels.gz", "labels", null],
  ["labels.XML.GZ", "labels", null],
  ["labels", "labels", null],
  ["a b.tar.xml", "a_b.tar", null],
  [".xml.gz", "unknown", null],
  ["...xml.gz", "unknown", null],
  ["..xml", "unknown", null],
])("%s is of version %s and type %s", (path, version, dataType) => {
  expect(readFileName(path)).toMatchObject({ version, dataType });
});
