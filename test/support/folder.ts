import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";

/** An empty folder for all tests of the file that asks for it, removed behind them. */
export function folderOfFile(name: string): string {
  const { path, remove } = make(name);
  afterAll(remove);
  return path;
}

/** An empty folder for the test that asks for it, removed behind it. */
export function folderOfTest(name: string): string {
  const { path, remove } = make(name);
  onTestFinished(remove);
  return path;
}

function make(name: string) {
  const path = mkdtempSync(join(tmpdir(), `deadwax-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
