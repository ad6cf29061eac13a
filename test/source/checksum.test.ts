import { join } from "node:path";
import { expect, it } from "vitest";
import { findChecksum, parseChecksums } from "../../src/source/checksum.ts";
import { folderOf } from "./folder.ts";

const HASH = "0123456789abcdef".repeat(4);

it.each([
  ["one blank", `${HASH} a.gz`],
  ["two blanks", `${HASH}  a.gz`],
  ["a tab", `${HASH}\ta.gz`],
  ["an asterisk", `${HASH} *a.gz`],
  ["upper case", `${HASH.toUpperCase()}  a.gz`],
  ["blanks around", `  ${HASH}  a.gz  `],
  ["CRLF", `${HASH}  a.gz\r\nnonsense\r\n`],
  ["a folder", `${HASH}  data/2026/a.gz`],
  ["an asterisk and a folder", `${HASH}  *./a.gz`],
])("reads a line with %s", (_, text) => {
  expect([...parseChecksums(text)]).toEqual([["a.gz", HASH]]);
});

it.each([
  ["a short hash", `${HASH.slice(1)}  a.gz`],
  ["no hex", `${"g".repeat(64)}  a.gz`],
  ["no name", HASH],
  ["nothing", ""],
])("ignores a line with %s", (_, text) => {
  expect(parseChecksums(text).size).toBe(0);
});

it("finds a file's hash in the CHECKSUM beside it", async () => {
  const folder = await folderOf({ "discogs_20260801_CHECKSUM.txt": `${HASH} *discogs_20260801_labels.xml.gz\n` });
  const from = join(folder, "discogs_20260801_CHECKSUM.txt");
  expect(await findChecksum(join(folder, "discogs_20260801_labels.xml.gz"), "20260801")).toEqual({ sha256: HASH, from });
  expect(await findChecksum(join(folder, "discogs_20260801_artists.xml.gz"), "20260801")).toBeNull();
  expect(await findChecksum(join(folder, "discogs_20260901_labels.xml.gz"), "20260901")).toBeNull();
});

it("refuses a CHECKSUM that cannot be read", async () => {
  const folder = await folderOf({});
  await (await import("node:fs/promises")).mkdir(join(folder, "discogs_20260801_CHECKSUM.txt"));
  await expect(findChecksum(join(folder, "discogs_20260801_labels.xml.gz"), "20260801")).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" });
});
