import fc from "fast-check";
import { expect, it } from "vitest";
import { DATA_TYPES } from "../../../src/model.ts";
import { mergeFiles, readFiles, readYears } from "../../../src/source/discogs/listing.ts";
import { readPublishedName } from "../../../src/source/discogs/published-name.ts";
import { chooseVersion } from "../../../src/source/discogs/versions.ts";
import { yearPage, yearsPage } from "./scripted-server.ts";

const names = (version: string, types: readonly string[] = [...DATA_TYPES]) => [
  ...types.map((type) => `discogs_${version}_${type}.xml.gz`),
  `discogs_${version}_CHECKSUM.txt`,
];
const listed = (...all: readonly string[]) => readFiles(yearPage("2026", all), "2026").files;

it("reads the newest two years, once each", () => {
  expect(readYears(yearsPage(["2024", "2026", "2026", "2025", "2026"]))).toEqual(["2026", "2025"]);
  expect(readYears("<title>429 Too Many Requests</title>")).toEqual([]);
});

it("reads the files of a year by the page's year, each once", () => {
  const { files, ignored } = readFiles(
    `<a href="?download=data%2F2026%2Fdiscogs_20260101_artists.xml.gz">a</a> <a href="?download=data%2F2019%2Fdiscogs_20260101_artists.xml.gz">again</a>
     <a href="?download=data%2F2026%2Fdiscogs_20260101_CHECKSUM.txt">c</a>`,
    "2026",
  );
  expect(ignored).toEqual([]);
  expect(files).toEqual([
    { name: "discogs_20260101_artists.xml.gz", version: "20260101", dataType: "artists", key: "data/2026/discogs_20260101_artists.xml.gz" },
    { name: "discogs_20260101_CHECKSUM.txt", version: "20260101", dataType: null, key: "data/2026/discogs_20260101_CHECKSUM.txt" },
  ]);
});

it.each([
  "discogs_20260101_..%2F..%2Fetc%2Fpasswd",
  "discogs_20260101_artists.xml.gz%2F..%2F..%2Fx",
  "discogs_20260101_%2Fetc%2Fpasswd",
  "discogs_20260101_artists.xml.gz%00.txt",
  "discogs_20260101_artists.xml.gz%0A",
  "discogs_20260101_artists.xml",
  "discogs_20260101_ARTISTS.xml.gz",
  "discogs_20260101_things.xml.gz",
  "discogs_20260101_artists.xml.gz%",
  "discogs_20260101_%E0%A4%A",
  "discogs_20260101_..\\..\\artists.xml.gz",
])("takes no file by the name %s", (link) => {
  const { files, ignored } = readFiles(`<a href="?download=data%2F2026%2F${link}">x</a>`, "2026");
  expect(files).toEqual([]);
  expect(ignored).toEqual([link]);
});

it("takes a name that is encoded for what it is", () => {
  expect(readFiles('<a href="?download=data%2F2026%2Fdiscogs_20260101_%61rtists.xml.gz">x</a>', "2026").files[0]?.name).toBe("discogs_20260101_artists.xml.gz");
});

it("never takes a name with a separator or a dot folder, whatever the page says", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.constantFrom("", "artists.xml.gz", "../", "%2e%2e%2f", "\0"), (noise, end) => {
      const link = `?download=data%2F2026%2Fdiscogs_20260101_${encodeURIComponent(noise)}${end}"`;
      for (const { name } of readFiles(link, "2026").files) expect(name).toMatch(/^discogs_\d{8}_[a-zA-Z]+\.(xml\.gz|txt)$/);
      expect(readPublishedName(`${noise}${end}`)).toBeNull();
    }),
  );
});

it("chooses the newest version of which everything is listed", () => {
  const files = listed(...names("20260701"), ...names("20260801"));
  expect(chooseVersion(files)).toMatchObject({ chosen: { version: "20260801", checksum: { name: "discogs_20260801_CHECKSUM.txt" } }, passedOver: [] });
  expect(Object.keys(chooseVersion(files).chosen?.dumps ?? {})).toEqual([...DATA_TYPES]);
});

it("passes over a version that is still being uploaded, and says what it lacks", () => {
  const uploading = ["discogs_20260801_artists.xml.gz", "discogs_20260801_labels.xml.gz"];
  expect(chooseVersion(listed(...names("20260701"), ...uploading))).toMatchObject({
    chosen: { version: "20260701" },
    passedOver: ["20260801 lacks masters and releases and the CHECKSUM"],
  });
  expect(chooseVersion(listed(...uploading)).chosen).toBeNull();
  expect(chooseVersion([])).toEqual({ chosen: null, passedOver: [] });
});

it("is not put off by a sixth file, a file linked twice, or a year linked twice", () => {
  const page = { files: listed(...names("20260801"), ...names("20260801"), "discogs_20260801_readme.txt"), ignored: [] };
  const files = mergeFiles([page, page]);
  expect(files).toHaveLength(5);
  expect(chooseVersion(files).chosen?.version).toBe("20260801");
});
