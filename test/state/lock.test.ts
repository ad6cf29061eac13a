import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LOCK_NAME, lockRoot } from "../../src/state/lock.ts";

/** Stands in for the kernel: one handle per path, the holder's text in the file. */
const kernel = vi.hoisted(() => ({ held: new Map<string, number>(), handles: 0, write: (_path: string, _text: string) => {} }));

vi.mock("../../native/index.js", () => ({
  lockFile(path: string, holder: string): number | null {
    if (kernel.held.has(path)) return null;
    kernel.write(path, holder);
    kernel.held.set(path, ++kernel.handles);
    return kernel.handles;
  },
  unlockFile(handle: number): void {
    for (const [path, held] of kernel.held) if (held === handle) kernel.held.delete(path);
  },
}));

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "deadwax-lock-"));
  const { writeFileSync } = await import("node:fs");
  kernel.write = writeFileSync;
  kernel.held.clear();
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

test("a second writer is refused in one line that names the first, until it is gone", async () => {
  const folder = join(root, "made/when/missing");
  const first = await lockRoot(folder);
  const failure = await lockRoot(folder).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "STATE_LOCKED" });
  const { message } = failure as Error;
  expect(message).toContain(`state folder ${folder} is in use by pid ${process.pid} on ${hostname()} since 20`);
  expect(message).toMatch(/^[^\n]+: wait until that run ends, or keep state elsewhere with --state$/);
  await first[Symbol.asyncDispose]();
  await using _second = await lockRoot(folder);
  await first[Symbol.asyncDispose](); // twice is harmless
  await expect(lockRoot(folder)).rejects.toMatchObject({ code: "STATE_LOCKED" });
  expect(await readFile(join(folder, LOCK_NAME), "utf8")).toMatch(/^pid \d+ on .+ since \d{4}-.+Z\n$/);
});

test("roots are locked apart", async () => {
  await using _a = await lockRoot(join(root, "a"));
  await using _b = await lockRoot(join(root, "b"));
});

test("a holder that has not said who it is", async () => {
  await using _held = await lockRoot(root);
  await writeFile(join(root, LOCK_NAME), "\n\0");
  await expect(lockRoot(root)).rejects.toThrow(`state folder ${root} is in use by another process: wait`);
});

test("a folder that cannot be had", async () => {
  await writeFile(join(root, "file"), "");
  await expect(lockRoot(join(root, "file"))).rejects.toMatchObject({
    code: "STATE_UNWRITABLE",
    message: expect.stringMatching(/file\/\.deadwax\.lock cannot be locked \(E[A-Z]+\): create the folder/),
  });
  kernel.write = () => {
    throw new Error("No locks available\n(os error 37)");
  };
  await expect(lockRoot(root)).rejects.toThrow("cannot be locked (No locks available (os error 37)): look at the folder");
});
