import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { FileSink } from "../../src/sink/file/index.ts";
import { RejectLog } from "../../src/sink/rejects.ts";
import { batchFrom, END, NEVER, TARGET, textTo } from "./batches.ts";
import { smallDisk } from "./small-disk.ts";

const DISK_BYTES = 1024 * 1024;

describe.each(["none", "gzip"] as const)("file sink on a full disk, compress=%s", (compress) => {
  test("says so, keeps what was synced, and goes on once there is room", async (context) => {
    await using disk = await smallDisk(DISK_BYTES);
    if (disk === null) return context.skip("no tmpfs");
    const ballast = join(disk.path, "ballast");
    await writeFile(ballast, Buffer.alloc(DISK_BYTES - 128 * 1024));
    const sink = new FileSink({ folder: disk.path, compress });
    const path = join(disk.path, TARGET.version, `artists.ndjson${compress === "gzip" ? ".gz" : ""}`);
    let position = null;
    let count = 0;
    const fill = async () => {
      await using writer = await sink.open(TARGET, null, NEVER);
      for (;;) {
        await writer.write(batchFrom(count, 300), NEVER);
        position = await writer.sync(NEVER);
        count += 300;
      }
    };
    await expect(fill()).rejects.toMatchObject({
      name: "DumpError", // and not a SuppressedError of the closing
      code: "SINK_FULL",
      message: `${path}.partial: no space left; free some space or choose another --sink, then start again: the run resumes`,
    });
    expect(count).toBeGreaterThan(0);

    await rm(ballast);
    await using writer = await sink.open(TARGET, position, NEVER);
    await writer.write(batchFrom(count, 300), NEVER);
    await writer.finish(END, NEVER);
    const bytes = await readFile(path);
    expect((compress === "gzip" ? gunzipSync(bytes) : bytes).toString() === textTo(count + 300)).toBe(true);
  });

  test("can repeat the write that failed, and publishes nothing that was not accepted", async (context) => {
    await using disk = await smallDisk(DISK_BYTES);
    if (disk === null) return context.skip("no tmpfs");
    const ballast = join(disk.path, "ballast");
    const sink = new FileSink({ folder: disk.path, compress });
    await using writer = await sink.open(TARGET, null, NEVER);
    await writer.write(batchFrom(0, 300), NEVER);
    await writer.sync(NEVER);
    await writeFile(ballast, Buffer.alloc(DISK_BYTES)).catch(() => {}); // whatever fits
    const fillUp = async () => {
      await writer.write(batchFrom(300, 3000), NEVER);
      await writer.sync(NEVER);
    };
    const failure = await fillUp().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "SINK_FULL" });
    await rm(ballast);
    if (compress === "none") await writer.write(batchFrom(300, 3000), NEVER);
    await writer.finish(END, NEVER);
    const bytes = await readFile(join(disk.path, TARGET.version, `artists.ndjson${compress === "gzip" ? ".gz" : ""}`));
    expect((compress === "gzip" ? gunzipSync(bytes) : bytes).toString() === textTo(3300)).toBe(true);
  });

  test("fails the check when there is no room, or no writing, and leaves no probe behind", async (context) => {
    await using disk = await smallDisk(DISK_BYTES);
    if (disk === null) return context.skip("no tmpfs");
    await writeFile(join(disk.path, "ballast"), Buffer.alloc(DISK_BYTES));
    const sink = new FileSink({ folder: disk.path, compress });
    await expect(sink.check(NEVER)).rejects.toMatchObject({ code: "SINK_FULL", message: expect.stringContaining(disk.path) });
    expect(await readdir(disk.path)).toEqual(["ballast"]);
    await rm(join(disk.path, "ballast"));
    await sink.check(NEVER);
    await disk.remount("ro");
    await expect(sink.check(NEVER)).rejects.toMatchObject({
      code: "SINK_UNAVAILABLE",
      message: `${disk.path}: the file system is read-only; choose another --sink`,
    });
  });
});

test("rejects on a full disk name their file, and can be repeated", async (context) => {
  await using disk = await smallDisk(DISK_BYTES);
  if (disk === null) return context.skip("no tmpfs");
  const ballast = join(disk.path, "ballast");
  await writeFile(ballast, Buffer.alloc(DISK_BYTES)).catch(() => {});
  await using log = await RejectLog.open({ folder: disk.path, dataType: "artists", bytes: 0 });
  const reject = { offset: 1, id: "1", kind: "k", message: "m", raw: "x".repeat(10_000) };
  await expect(log.append([reject])).rejects.toMatchObject({
    code: "SINK_FULL",
    message: expect.stringContaining(`${log.path}: no space left`),
  });
  expect(log.bytes).toBe(0);
  await rm(ballast);
  await log.append([reject]);
  await log.finish();
  expect(JSON.parse((await readFile(log.path)).toString())).toEqual(reject);
});
