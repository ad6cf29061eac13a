import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { resolveGenerate } from "../../src/commands/generate.ts";
import { renderReport } from "../../src/commands/report.ts";
import { type Flags, resolveExtractConfig } from "../../src/config.ts";
import { findDumps, toRequest } from "../../src/discogs/plan.ts";
import type { ExtractReport } from "../../src/discogs/request.ts";
import { dumps, folderOf } from "../source/folder.ts";

async function requestOf(files: string[], flags: Flags) {
  const config = resolveExtractConfig({ files, flags, env: {} });
  return toRequest(config, await findDumps(config));
}

describe("the request", () => {
  it("carries every setting", async () => {
    const root = await folderOf(dumps("20260801"));
    const request = await requestOf([], {
      root,
      contract: "fanout",
      sink: "file:o",
      force: true,
      verify: "full",
      threads: "3",
      chunk: "4K",
      inflate: "zlib-rs",
      checkpointRecords: "7",
      checkpointMs: "8",
      maxRejects: "1",
      maxRejectRawBytes: "2",
      maxRecordBytes: "1K",
      maxDepth: "4",
      maxAttributes: "5",
      maxNameBytes: "16",
      maxInflatedBytes: "1M",
      maxInflateRatio: "9",
    });
    const { inputs, ...rest } = request;
    expect(inputs).toHaveLength(4);
    expect(rest).toEqual({
      version: "20260801",
      contract: "fanout",
      incremental: null,
      kept: { indexRoot: root, sinkName: `file:${resolve("o")}`, database: null, changelogRuns: 12 },
      fetched: false,
      rules: null,
      sinkUrls: ["file:o"],
      stateRoot: root,
      force: true,
      limit: null,
      verify: "full",
      threads: 3,
      filesAtOnce: 3,
      chunkBytes: 4096,
      backend: "zlib-rs",
      checkpointRecords: 7,
      checkpointMs: 8,
      limits: {
        rejectsMax: 1,
        rejectRawBytesMax: 2,
        recordBytesMax: 1024,
        depthMax: 4,
        attributesMax: 5,
        nameBytesMax: 16,
        inflatedBytesMax: 1_048_576,
        inflateRatioMax: 9,
      },
    });
  });

  it.each([
    ["standard output", { sink: "-" }],
    ["counts only", { sink: "null:" }],
    ["counts only beside files", { sink: ["file:o", "null:"] }],
    ["a limit", { limit: "1" }],
  ])("keeps no state with %s", async (_, flags) => {
    const root = await folderOf(dumps("20260801"));
    expect((await requestOf([], { root, state: root, ...flags })).stateRoot).toBeNull();
  });

  it("keeps state with several sinks that can be resumed, and takes files one after the other where one is standard output", async () => {
    const root = await folderOf(dumps("20260801"));
    expect(await requestOf([], { root, threads: "4", sink: ["file:o", "amqp://h"] })).toMatchObject({
      stateRoot: root,
      filesAtOnce: 4,
      sinkUrls: ["file:o", "amqp://h"],
    });
    expect(await requestOf([], { root, threads: "4", sink: ["file:o", "-"] })).toMatchObject({ stateRoot: null, filesAtOnce: 1 });
  });

  it("reads standard input once, and so keeps no state and verifies while reading", async () => {
    expect(await requestOf(["-"], {})).toMatchObject({ version: "unknown", verify: "stream", stateRoot: null, filesAtOnce: 1 });
  });

  it("keeps state in the folder that is named, else beside the dumps", async () => {
    const root = await folderOf({ ...dumps("20260801"), "other.xml": "" });
    const other = await folderOf({ "discogs_20260801_labels.xml.gz": "" });
    const file = `${root}/discogs_20260801_artists.xml.gz`;
    expect((await requestOf([file], {})).stateRoot).toBe(resolve(root));
    expect((await requestOf([file], { state: "elsewhere" })).stateRoot).toBe("elsewhere");
    await expect(requestOf([file, `${other}/discogs_20260801_labels.xml.gz`], {})).rejects.toThrow("--state DIR");
  });

  it("extracts files that share standard output one after the other", async () => {
    expect(await requestOf([], { root: await folderOf(dumps("20260801")), sink: "-", threads: "4" })).toMatchObject({ threads: 4, filesAtOnce: 1 });
  });
});

it("reports a run to people", () => {
  const labels = {
    read: 12_345,
    written: 12_343,
    rejected: 1,
    empty: 1,
    xmlBytes: 4e8,
    inflatedBytes: 5e8,
    seconds: 2,
    threads: 2,
    digest: "",
    resumedFrom: { ordinal: 5000, offset: 1 },
  };
  const report: ExtractReport = { version: "20260801", contract: "topic", complete: true, types: { labels } };
  expect(renderReport(report, ["amqp://u:secret@h"])).toMatchInlineSnapshot(`
    "20260801 (topic) into amqp://u:***@h, complete
      labels    12,345 read, 12,343 written, 1 rejected, 1 empty in 2.0 s, 200 MB/s, resumed at record 5,000
    "
  `);
});

it("resolves what is generated, or tells all that is wrong", () => {
  expect(resolveGenerate({ out: "o", labels: "5" })).toMatchObject({ out: "o", labels: 5, releases: 1000, seed: 1, version: "20260801", form: "2026" });
  expect(() => resolveGenerate({ version: "2026", seed: "-1" })).toThrow(/--seed.*--out.*--version/);
});
