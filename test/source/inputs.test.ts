import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { discover } from "../../src/source/discover.ts";
import { describeFiles, findInputs, readStdin } from "../../src/source/inputs.ts";
import { dumps, folderOf } from "./folder.ts";

const HASH = "ab".repeat(32);

describe("discover", () => {
  it("takes the newest version of which all four dumps are there", async () => {
    const root = await folderOf({ ...dumps("20260701"), ...dumps("20260801"), ...dumps("20260901", ["labels", "artists"]), "notes.txt": "" });
    const found = await discover(root);
    expect(found.version).toBe("20260801");
    expect(found.paths.masters).toBe(join(root, "discogs_20260801_masters.xml.gz"));
    expect(found.passedOver).toEqual(["20260901 lacks masters and releases"]);
  });

  it("does not need a CHECKSUM, and does not count plain XML", async () => {
    const root = await folderOf({ ...dumps("20260801", ["artists", "labels", "masters"]), "discogs_20260801_releases.xml": "" });
    await expect(discover(root)).rejects.toThrow("20260801 lacks releases");
  });

  it("says what it found where nothing is complete", async () => {
    const versions = ["20260501", "20260601", "20260701", "20260801"].map((version) => dumps(version, ["labels"]));
    const root = await folderOf(Object.assign({}, ...versions));
    await expect(discover(root)).rejects.toMatchObject({
      code: "SOURCE_MISSING",
      message: expect.stringMatching(/20260801 lacks .*20260601 lacks .*and 1 older/),
    });
  });

  it.each([
    ["an empty folder", "", "SOURCE_MISSING", "no discogs_YYYYMMDD_<type>.xml.gz is there"],
    ["a missing folder", "nowhere", "SOURCE_MISSING", "no such folder"],
    ["a file", "file", "SOURCE_UNREADABLE", "is not a folder"],
  ])("refuses %s", async (_, name, code, part) => {
    const root = await folderOf(name === "file" ? { file: "" } : {});
    await expect(discover(join(root, name))).rejects.toMatchObject({ code, message: expect.stringContaining(part) });
  });
});

describe("inputs", () => {
  it("of a folder are its four dumps, with size and published hash", async () => {
    const root = await folderOf({ ...dumps("20260801"), "discogs_20260801_CHECKSUM.txt": `${HASH}  discogs_20260801_labels.xml.gz\n` });
    const { version, inputs } = await findInputs(root, null);
    expect(version).toBe("20260801");
    expect(inputs.map((input) => input.dataType)).toEqual(["artists", "labels", "masters", "releases"]);
    expect(inputs[1]).toMatchObject({ name: "discogs_20260801_labels.xml.gz", size: 6, expected: { sha256: HASH } });
    expect(inputs[0]?.expected).toBeNull();
  });

  it("of a folder can be one data type", async () => {
    const { inputs } = await findInputs(await folderOf(dumps("20260801")), "masters");
    expect(inputs.map((input) => input.dataType)).toEqual(["masters"]);
  });

  it("take the data type from the option, then from the name, else leave it open", async () => {
    const root = await folderOf({ "discogs_20260801_labels.xml.gz": "", "other.xml": "" });
    const typeOf = async (name: string, type: "artists" | null) => (await describeFiles([join(root, name)], type)).inputs[0]?.dataType;
    expect(await typeOf("discogs_20260801_labels.xml.gz", "artists")).toBe("artists");
    expect(await typeOf("discogs_20260801_labels.xml.gz", null)).toBe("labels");
    expect(await typeOf("other.xml", null)).toBeNull();
  });

  it("of one run are of one version and of different types", async () => {
    const root = await folderOf({ ...dumps("20260801"), ...dumps("20260901"), "discogs_20260801_labels.xml": "" });
    const files = (...names: string[]) =>
      describeFiles(
        names.map((name) => join(root, `discogs_${name}`)),
        null,
      );
    await expect(files("20260801_labels.xml.gz", "20260801_artists.xml.gz")).resolves.toMatchObject({ version: "20260801" });
    await expect(files("20260801_labels.xml.gz", "20260901_artists.xml.gz")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(files("20260801_labels.xml.gz", "20260801_labels.xml")).rejects.toThrow("the same data type twice");
  });

  it("can be standard input", () => {
    expect(readStdin("labels")).toMatchObject({ version: "unknown", inputs: [{ path: null, name: "stdin", dataType: "labels", size: null, expected: null }] });
  });

  it("are refused if they are missing or no regular file", async () => {
    const root = await folderOf({ file: "" });
    execFileSync("mkfifo", [join(root, "pipe")]);
    const refusal = (name: string) =>
      describeFiles([join(root, name)], null).then(
        () => null,
        (error: unknown) => error,
      );
    expect(await refusal("nowhere.xml")).toMatchObject({ code: "SOURCE_MISSING", message: expect.stringContaining("nowhere.xml") });
    expect(await refusal("file/below.xml")).toMatchObject({ code: "SOURCE_MISSING" });
    expect(await refusal("")).toMatchObject({ code: "SOURCE_UNREADABLE", message: expect.stringContaining("--root") });
    expect(await refusal("pipe")).toMatchObject({ code: "SOURCE_UNREADABLE", message: expect.stringContaining("name it -") });
  });
});
