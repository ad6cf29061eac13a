import { mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Compression } from "../../src/sink/file/config.ts";
import { FileSink } from "../../src/sink/file/index.ts";
import type { Stream } from "../../src/sink/sink.ts";
import { isPositionLost } from "../../src/sink/sink-errors.ts";
import { batchFrom, batchOf, END, NEVER, TARGET, textTo } from "./batches.ts";
import { type Destination, sinkContract } from "./contract.ts";
import { killedAfter } from "./programs.ts";
import { temporaryFolder } from "./temporary-folder.ts";

interface FileDestination extends Destination {
  readonly sink: FileSink;
  readonly root: string;
  /** Path of the published file; with `.partial` behind it, of the unpublished one. */
  readonly path: string;
}

async function create(compress: Compression, stream: Stream = "records"): Promise<FileDestination> {
  const folder = await temporaryFolder();
  const root = join(folder.path, "new", "out");
  const path = join(root, TARGET.version, `${stream === "records" ? "artists" : "artists.deleted"}.ndjson${compress === "gzip" ? ".gz" : ""}`);
  return {
    sink: new FileSink({ folder: root, compress }),
    root,
    path,
    read: () => readText(path, compress),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function readText(path: string, compress: Compression): Promise<string | null> {
  const bytes = await readFile(path).catch(() => null);
  return bytes === null ? null : (compress === "gzip" ? gunzipSync(bytes) : bytes).toString();
}

/** A sink whose folder would have to lie in a regular file. */
async function createBroken(compress: Compression): Promise<Destination> {
  const folder = await temporaryFolder();
  await writeFile(join(folder.path, "file"), "");
  return {
    sink: new FileSink({ folder: join(folder.path, "file", "out"), compress }),
    read: async () => null,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

for (const compress of ["none", "gzip"] as const) {
  sinkContract({
    name: `file, compress=${compress}`,
    capabilities: { resumable: true, writtenTwice: "appended", visible: "at finish" },
    create: (stream) => create(compress, stream),
    createBroken: () => createBroken(compress),
  });

  describe(`file sink, compress=${compress}`, () => {
    test("leaves only the published file behind", async () => {
      await using destination = await create(compress);
      await destination.sink.check(NEVER);
      await using writer = await destination.sink.open(TARGET, null, NEVER);
      await writer.write(batchFrom(0, 2), NEVER);
      expect(await readdir(destination.sink.folder(TARGET.version))).toEqual([`${name(destination)}.partial`]);
      await writer.finish(END, NEVER);
      expect(await readdir(destination.sink.folder(TARGET.version))).toEqual([name(destination)]);
      expect(await readdir(destination.root)).toEqual([TARGET.version]);
    });

    test("keeps a published file until its successor is complete", async () => {
      await using destination = await create(compress);
      {
        await using writer = await destination.sink.open(TARGET, null, NEVER);
        await writer.write(batchFrom(0, 2), NEVER);
        await writer.finish(END, NEVER);
      }
      await using writer = await destination.sink.open(TARGET, null, NEVER);
      await writer.write(batchFrom(0, 5), NEVER);
      await writer.sync(NEVER);
      expect(await destination.read()).toBe(textTo(2));
      await writer.finish(END, NEVER);
      expect(await destination.read()).toBe(textTo(5));
    });

    test("takes up a file that was published, but not recorded as such before a crash", async () => {
      await using destination = await create(compress);
      await using first = await destination.sink.open(TARGET, null, NEVER);
      await first.write(batchFrom(0, 10), NEVER);
      const position = await first.sync(NEVER);
      await first.write(batchFrom(10, 10), NEVER);
      await first.finish(END, NEVER);
      await using second = await destination.sink.open(TARGET, position, NEVER);
      expect(await destination.read()).toBeNull();
      await second.write(batchFrom(10, 10), NEVER);
      await second.finish(END, NEVER);
      expect(await destination.read()).toBe(textTo(20));
    });

    const damages: readonly [string, (destination: FileDestination) => Promise<void>, RegExp][] = [
      ["shorter", async ({ path }) => truncate(`${path}.partial`, 100), /is shorter than the checkpoint \(100 of \d+ bytes\)/],
      ["missing", async ({ path }) => rm(`${path}.partial`), /is missing/],
      ["of another run", async ({ path }) => rename(`${path}.other`, `${path}.partial`), /is not what the checkpoint describes/],
    ];
    test.each(damages)("says that the position is lost when the file is %s", async (_name, damage, message) => {
      await using destination = await create(compress);
      await using other = await destination.sink.open(TARGET, null, NEVER);
      await other.write(batchFrom(7000, 100), NEVER);
      await other.sync(NEVER);
      await rename(`${destination.path}.partial`, `${destination.path}.other`);
      await using writer = await destination.sink.open(TARGET, null, NEVER);
      await writer.write(batchFrom(0, 50), NEVER);
      const position = await writer.sync(NEVER);
      await damage(destination);
      const failure = await destination.sink.open(TARGET, position, NEVER).catch((error: unknown) => error);
      expect(isPositionLost(failure)).toBe(true);
      expect(failure).toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringMatching(message) });
    });

    test.each([{}, { bytes: 5 }, { bytes: -1, tail: "" }, { bytes: 0.5, tail: "" }, { bytes: "5", tail: "" }])(
      "takes %j for a lost position",
      async (position) => {
        await using destination = await create(compress);
        const failure = await destination.sink.open(TARGET, position, NEVER).catch((error: unknown) => error);
        expect(isPositionLost(failure)).toBe(true);
      },
    );

    test("goes on from what was synced after a kill -9", { timeout: 60_000 }, async () => {
      await using destination = await create(compress);
      for (let kill = 0; kill < 3; kill += 1) {
        const { position, ordinal } = await killedAfter(destination.sink.name, 2 + kill * 3);
        await using writer = await destination.sink.open(TARGET, position, NEVER);
        await writer.write(batchFrom(ordinal, 3), NEVER);
        await writer.finish(END, NEVER);
        expect((await destination.read()) === textTo(ordinal + 3)).toBe(true);
      }
    });

    test("names the file and what to do when its folder was removed, and closes without a second error", async () => {
      await using destination = await create(compress);
      await using writer = await destination.sink.open(TARGET, null, NEVER);
      await rm(destination.root, { recursive: true });
      const failure = await writer.finish(END, NEVER).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringContaining(destination.path) });
    });

    test("refuses a folder in the place of its file", async () => {
      await using destination = await create(compress);
      await mkdir(`${destination.path}.partial`, { recursive: true });
      await expect(destination.sink.open(TARGET, null, NEVER)).rejects.toMatchObject({
        code: "SINK_UNAVAILABLE",
        message: `${destination.path}.partial: is a folder; move it away or choose another --sink`,
      });
    });

    test("refuses a version that would lead out of its folder", async () => {
      await using destination = await create(compress);
      const target = { ...TARGET, version: "../../outside" };
      await expect(destination.sink.open(target, null, NEVER)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    });
  });
}

describe("file sink, compress=gzip", () => {
  test("writes one member per sync, each whole, and none for a sync without new records", async () => {
    await using destination = await create("gzip");
    await using writer = await destination.sink.open(TARGET, null, NEVER);
    await writer.sync(NEVER);
    const ends: number[] = [];
    for (let member = 0; member < 3; member += 1) {
      await writer.write(batchFrom(member * 20, 10), NEVER);
      await writer.write(batchFrom(member * 20 + 10, 10), NEVER);
      ends.push(Number((await writer.sync(NEVER)).bytes));
      expect((await writer.sync(NEVER)).bytes).toBe(ends.at(-1));
    }
    await writer.finish(END, NEVER);
    const bytes = await readFile(destination.path);
    expect(bytes.length).toBe(ends.at(-1));
    const members = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
    const texts = members.map((member) => gunzipSync(member).toString());
    expect(texts.join("")).toBe(textTo(60));
    expect(texts[0]).toBe(textTo(20));
  });

  test("writes what gzip reads, larger than its pieces, at a fair ratio", async () => {
    await using destination = await create("gzip");
    await using writer = await destination.sink.open(TARGET, null, NEVER);
    const batch = batchFrom(0, 60_000, 20);
    await writer.write(batch, NEVER);
    await writer.finish(END, NEVER);
    expect((await destination.read()) === textTo(60_000, 20)).toBe(true);
    expect((await stat(destination.path)).size).toBeLessThan(batch.bytes.byteLength / 3);
  });

  test("makes a target without records an empty member, which gzip can read", async () => {
    await using destination = await create("gzip");
    await using writer = await destination.sink.open(TARGET, null, NEVER);
    await writer.write(batchOf([]), NEVER);
    await writer.finish(END, NEVER);
    expect((await stat(destination.path)).size).toBe(20);
    expect(await destination.read()).toBe("");
  });
});

function name({ path }: FileDestination): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
