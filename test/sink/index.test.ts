import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { DumpError } from "../../src/errors.ts";
import { openSink, outputFolder, SINKS } from "../../src/sink/index.ts";

function refusal(url: string): DumpError {
  try {
    openSink(url);
  } catch (error) {
    if (error instanceof DumpError) return error;
    throw error;
  }
  throw new Error(`${url} was accepted`);
}

describe("openSink", () => {
  test.each([
    ["file:out", `file:${resolve("out")}`],
    ["file:./a/../out/", `file:${resolve("out")}`],
    ["file:/abs/dir", "file:/abs/dir"],
    ["file:///abs/dir", "file:/abs/dir"],
    ["file:/abs/with space/%41", "file:/abs/with space/%41"],
    ["file:/abs/dir?compress=gzip", "file:/abs/dir?compress=gzip"],
    ["file:/abs/dir?compress=none", "file:/abs/dir"],
    ["file:/abs/dir?", "file:/abs/dir"],
    ["-", "-"],
    ["null:", "null:"],
  ])("knows %s", (url, name) => {
    expect(openSink(url).name).toBe(name);
  });

  test.each([
    ["file:", "file:DIR"],
    ["file:?compress=gzip", "file:DIR"],
    ["file://host/dir", "host"],
    ["file:out?compress=zstd", "compress=zstd"],
    ["file:out?compress=", "none, gzip"],
    ["file:out?level=9", '"level"'],
    ["file:out?compress=gzip&compress=gzip", "twice"],
    ["file:a\0b", "NUL"],
    ["null:somewhere", "null:"],
    ["-?x=1", "known are"],
    ["", "known are"],
    ["out", "known are"],
    ["toString:x", "known are"],
  ])("refuses %j and says why", (url, part) => {
    const error = refusal(url);
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain(part);
  });

  test("lists the known kinds for an unknown one, without the rest of the URL, which may hold a password", () => {
    const { message } = refusal("kafka://user:secret@host");
    expect(message).toContain('"kafka:"');
    expect(message).not.toContain("secret");
    for (const { usage } of Object.values(SINKS)) expect(message).toContain(usage);
    expect(refusal("user:secret@host").message).not.toContain("secret");
  });

  test("reports all problems of a URL at once", () => {
    const { message } = refusal("file:?compress=x&level=1");
    expect(message).toContain("file:DIR");
    expect(message).toContain("compress=x");
    expect(message).toContain('"level"');
  });
});

describe("outputFolder", () => {
  test("is the folder of a version for files, and null for what has none", () => {
    expect(outputFolder(openSink("file:/abs"), "20260801")).toBe("/abs/20260801");
    expect(outputFolder(openSink("null:"), "20260801")).toBeNull();
  });

  test.each([".", "..", "", "a/b", "../x", "a b", "a\0", "é"])("refuses the version %j", (version) => {
    expect(() => outputFolder(openSink("file:/abs"), version)).toThrow(/cannot be the name of a folder/);
  });
});
