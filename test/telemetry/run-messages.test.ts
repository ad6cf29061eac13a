import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deadwax } from "../system/support/deadwax.ts";
import { makeDump } from "../system/support/dumps.ts";
import { emojiOf } from "./emoji.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "deadwax-messages-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("every line of a whole run is an object with a level, a time and a message of the key", async () => {
  await makeDump(folder, { releases: 50, artists: 50, masters: 50, labels: 50 });
  const run = () => deadwax(["extract", "--root", folder, "--sink", `file:${join(folder, "out")}`, "--output", "json", "--log-level", "debug"]);
  const ended = [await run(), await run()]; // once more, with nothing left to do
  expect(ended.map(({ code }) => code)).toEqual([0, 0]);
  const entries = ended.flatMap(({ stderr }) => stderr.trimEnd().split("\n")).map((line) => JSON.parse(line));
  expect(entries.length).toBeGreaterThan(15);
  for (const { level, time, message } of entries) {
    expect(["debug", "info", "warn", "error"]).toContain(level);
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(emojiOf(message), message).not.toBeNull();
  }
});
