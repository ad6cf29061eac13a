import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RejectedRecord } from "../../src/model.ts";
import { RejectLog } from "../../src/sink/rejects.ts";
import { isPositionLost } from "../../src/sink/sink-errors.ts";
import { temporaryFolder } from "./temporary-folder.ts";

function reject(offset: number): RejectedRecord {
  return { offset, id: null, kind: "end-tag-mismatch", message: `at byte ${offset}`, raw: `<artist>\n\u2028"\\\ud800` };
}

describe("RejectLog", () => {
  test("makes neither file nor folder without a reject", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "20260801");
    await using log = await RejectLog.open({ folder: path, dataType: "artists", bytes: 0 });
    await log.append([]);
    expect(await log.sync()).toBe(0);
    await log.finish();
    expect(existsSync(path)).toBe(false);
  });

  test("writes one object a line, whatever the raw bytes hold", async () => {
    await using folder = await temporaryFolder();
    await using log = await RejectLog.open({ folder: join(folder.path, "v"), dataType: "labels", bytes: 0 });
    await log.append([{ ...reject(5), id: "17" }, reject(90)]);
    await log.append([reject(200)]);
    const bytes = await log.sync();
    await log.finish();
    const text = (await readFile(join(folder.path, "v", "labels.rejects.ndjson"))).toString();
    expect(bytes).toBe(Buffer.byteLength(text));
    expect(text.endsWith("\n")).toBe(true);
    const lines = text.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([{ ...reject(5), id: "17" }, reject(90), reject(200)]);
    expect(Object.keys(JSON.parse(lines[0] ?? ""))).toEqual(["offset", "id", "kind", "message", "raw"]);
  });

  test("drops what lies behind the checkpoint, after a crash too", async () => {
    await using folder = await temporaryFolder();
    const place = { folder: folder.path, dataType: "artists" } as const;
    await using first = await RejectLog.open({ ...place, bytes: 0 });
    await first.append([reject(1)]);
    const bytes = await first.sync();
    await first.append([reject(2)]);
    await first.sync();
    await using second = await RejectLog.open({ ...place, bytes });
    expect(second.bytes).toBe(bytes);
    await second.append([reject(3)]);
    await second.finish();
    const lines = (await readFile(second.path)).toString().trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).offset)).toEqual([1, 3]);
  });

  test("covers with a sync what was accepted when it was called", async () => {
    await using folder = await temporaryFolder();
    await using log = await RejectLog.open({ folder: folder.path, dataType: "artists", bytes: 0 });
    await log.append([reject(1)]);
    const { bytes } = log;
    const append = log.append([reject(2)]);
    expect(await log.sync()).toBe(bytes);
    await append;
    expect(log.bytes).toBe(bytes * 2);
  });

  test("removes the rejects of an earlier run when it starts afresh", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "artists.rejects.ndjson");
    await writeFile(path, "old\n");
    await using log = await RejectLog.open({ folder: folder.path, dataType: "artists", bytes: 0 });
    expect(existsSync(path)).toBe(false);
    await log.append([reject(1)]);
    expect((await readFile(path)).toString()).not.toContain("old");
  });

  test.each([
    ["missing", undefined, /is missing/],
    ["shorter", "a\n", /is shorter than the checkpoint \(2 of 10 bytes\)/],
  ])("says that the position is lost when the file is %s", async (_name, content, message) => {
    await using folder = await temporaryFolder();
    if (content !== undefined) await writeFile(join(folder.path, "artists.rejects.ndjson"), content);
    const opening = RejectLog.open({ folder: folder.path, dataType: "artists", bytes: 10 });
    const failure = await opening.catch((error: unknown) => error);
    expect(isPositionLost(failure)).toBe(true);
    expect(failure).toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringMatching(message) });
  });

  test("names its file when it cannot be made", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "artists.rejects.ndjson");
    await mkdir(path);
    const opening = RejectLog.open({ folder: folder.path, dataType: "artists", bytes: 0 });
    await expect(opening).rejects.toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringContaining(path) });
    const below = RejectLog.open({ folder: join(path, "20260801"), dataType: "labels", bytes: 0 });
    await using log = await below;
    await writeFile(join(path, "20260801"), "");
    await expect(log.append([reject(1)])).rejects.toMatchObject({ code: "SINK_UNAVAILABLE" });
    expect(log.bytes).toBe(0);
  });

  test("closes twice, unused, in use and finished", async () => {
    await using folder = await temporaryFolder();
    for (const use of [async () => {}, (log: RejectLog) => log.append([reject(1)]), (log: RejectLog) => log.finish()]) {
      const log = await RejectLog.open({ folder: folder.path, dataType: "artists", bytes: 0 });
      await use(log);
      await log[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
    }
  });
});
