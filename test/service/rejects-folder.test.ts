import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rejectsFolder } from "../../src/discogs/destination.ts";
import type { RejectedRecord } from "../../src/model.ts";
import { openSink } from "../../src/sink/index.ts";
import { RejectLog } from "../../src/sink/rejects.ts";
import { temporaryFolder } from "../sink/temporary-folder.ts";

const BROKER = "amqp://guest:guest@localhost:5672/%2F";

function reject(offset: number): RejectedRecord {
  return { offset, id: null, kind: "stray-text", message: "text between records", raw: "x" };
}

test.each([
  ["file:/out", "/state", "/out/20260801"],
  ["file:/out", null, "/out/20260801"],
  [BROKER, "/state", "/state/rejects/20260801"],
  [BROKER, null, null],
  ["null:", null, null],
])("rejects of %s with state in %s lie in %s", (sink, stateRoot, folder) => {
  expect(rejectsFolder(openSink(sink), "20260801", stateRoot)).toBe(folder);
});

test("the next version leaves the rejects of the one before alone", async () => {
  await using root = await temporaryFolder();
  const sink = openSink(BROKER);
  const paths: string[] = [];
  for (const [index, version] of ["20260801", "20260901"].entries()) {
    const folder = rejectsFolder(sink, version, root.path) ?? "";
    await using log = await RejectLog.open({ folder, dataType: "labels", bytes: 0 });
    await log.append([reject(index)]);
    await log.finish();
    paths.push(log.path);
  }
  expect(paths).toEqual(["20260801", "20260901"].map((version) => join(root.path, "rejects", version, "labels.rejects.ndjson")));
  expect(await Promise.all(paths.map(async (path) => JSON.parse(await readFile(path, "utf8"))))).toEqual([reject(0), reject(1)]);
});
