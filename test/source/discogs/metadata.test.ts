import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Metadata } from "../../../src/source/discogs/metadata.ts";
import { emptyFolder, fill } from "./setup.ts";

const NAME = ".discogs_metadata.json";
const DUMP = "discogs_20260801_artists.xml.gz";
const HASH = "0123456789abcdef".repeat(4);

async function read(text: string | null) {
  const root = await emptyFolder();
  if (text !== null) await fill(root, { [NAME]: text });
  const warnings: string[] = [];
  const metadata = await Metadata.read(root, (warning) => void warnings.push(warning));
  return { root, metadata, warnings };
}

it("writes the very bytes that upstream's extractor writes", async () => {
  const { root, metadata } = await read(null);
  await metadata.set("discogs_20260801_labels.xml.gz", { sha256: HASH, bytes: 2 });
  await metadata.set(DUMP, { sha256: HASH, bytes: 1 });
  expect(await readFile(join(root, NAME), "utf8")).toBe(
    `{
  "${DUMP}": {
    "path": "${root}/${DUMP}",
    "checksum": "${HASH}",
    "version": "202608",
    "size": 1
  },
  "discogs_20260801_labels.xml.gz": {
    "path": "${root}/discogs_20260801_labels.xml.gz",
    "checksum": "${HASH}",
    "version": "202608",
    "size": 2
  }
}`,
  );
  expect(await readdir(root)).toEqual([NAME]);
});

it("keeps what it read, whoever wrote it, and leaves out the CHECKSUM that one of them lists", async () => {
  const entry = (name: string, version: string) => ({ [name]: { path: `/data/${name}`, checksum: HASH.toUpperCase(), version, size: 5 } });
  const { root, metadata, warnings } = await read(
    JSON.stringify({
      ...entry(DUMP, "20260801"),
      ...entry("discogs_20260801_CHECKSUM.txt", "20260801"),
      ...entry("discogs_20260701_artists.xml.gz", "202607"),
    }),
  );
  expect(warnings).toEqual([]);
  expect(metadata.get(DUMP)).toEqual({ sha256: HASH, bytes: 5 });
  expect(metadata.get("discogs_20260801_CHECKSUM.txt")).toBeUndefined();
  await metadata.delete(DUMP);
  expect(Object.keys(JSON.parse(await readFile(join(root, NAME), "utf8")))).toEqual(["discogs_20260701_artists.xml.gz"]);
});

it.each(["", "{", "[]", "null", "1", `{"${DUMP}`])("moves a file aside that says %j, and starts empty", async (text) => {
  const { root, metadata, warnings } = await read(text);
  expect(metadata.get(DUMP)).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining(".corrupt")]);
  expect(await readdir(root)).toEqual([`${NAME}.corrupt`]);
  expect(await readFile(join(root, `${NAME}.corrupt`), "utf8")).toBe(text);
});

it.each([null, 1, {}, { checksum: HASH }, { checksum: "short", size: 1 }, { checksum: HASH, size: -1 }, { checksum: HASH, size: "1" }])(
  "leaves out an entry that says %j, with a warning",
  async (entry) => {
    const { metadata, warnings } = await read(JSON.stringify({ [DUMP]: entry, "discogs_20260801_labels.xml.gz": { checksum: HASH, size: 1 } }));
    expect(metadata.get(DUMP)).toBeUndefined();
    expect(metadata.get("discogs_20260801_labels.xml.gz")).toEqual({ sha256: HASH, bytes: 1 });
    expect(warnings).toEqual([expect.stringContaining(DUMP)]);
  },
);

it("does not read or write through links", async () => {
  const root = await emptyFolder();
  const elsewhere = join(await emptyFolder(), "precious");
  await writeFile(elsewhere, "{}");
  await symlink(elsewhere, join(root, NAME));
  await expect(Metadata.read(root, () => {})).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" });
  const { root: other, metadata } = await read(null);
  await symlink(elsewhere, join(other, `${NAME}.tmp`));
  await expect(metadata.set(DUMP, { sha256: HASH, bytes: 1 })).rejects.toMatchObject({ code: "SOURCE_UNWRITABLE" });
  expect(await readFile(elsewhere, "utf8")).toBe("{}");
});
