import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PositionalFile } from "../../src/sink/positional-file.ts";
import { NEVER } from "./batches.ts";
import { temporaryFolder } from "./temporary-folder.ts";

test("reads back what stands before a position, as far as there is any", async () => {
  await using folder = await temporaryFolder();
  await using file = await PositionalFile.open(join(folder.path, "x"), "w+");
  await file.append(Buffer.from("0123456789"), NEVER);
  expect(Buffer.from(await file.readBefore(6, 4)).toString()).toBe("2345");
  expect(Buffer.from(await file.readBefore(3, 100)).toString()).toBe("012");
  expect(Buffer.from(await file.readBefore(12, 4)).toString()).toBe("89");
});

test("does not count an append that was stopped, and completes without its bytes", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "x");
  await using file = await PositionalFile.open(path, "w+");
  await file.append(Buffer.from("kept"));
  await expect(file.append(Buffer.from("stopped"), AbortSignal.abort())).rejects.toThrow();
  expect(file.end).toBe(4);
  await file.complete();
  expect((await readFile(path)).toString()).toBe("kept");
});

test("does not believe a sync that succeeds after one that failed", async () => {
  await using folder = await temporaryFolder();
  const file = await PositionalFile.open(join(folder.path, "x"), "w+");
  await file[Symbol.asyncDispose](); // the nearest to a disk that fails: a closed file
  const failure = await file.sync().catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "SINK_UNAVAILABLE" });
  await expect(file.sync()).rejects.toBe(failure);
  await expect(file.complete()).rejects.toBe(failure);
});
