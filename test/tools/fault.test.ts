import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = 'import { fault } from "#fault"; fault("marker-written"); fault("marker-written"); console.log("unharmed");';

function run(...conditions: string[]) {
  const args = [...conditions, "--input-type=module", "--eval", PROGRAM];
  return promisify(execFile)(process.execPath, args, { cwd: ROOT, env: { ...process.env, FAULT_PLAN: "marker-written throw 2" } });
}

test("faults strike only where tests ask for them by an import condition", async () => {
  expect((await run()).stdout).toBe("unharmed\n");
  await expect(run("--conditions=deadwax-faults")).rejects.toThrow("fault at marker-written");
});

test("a release holds no fault that strikes", async () => {
  const { stdout } = await promisify(execFile)("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: ROOT });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const names = files.map(({ path }) => path).filter((path) => path.startsWith("dist/fault/"));
  expect(names).toContain("dist/fault/off.js");
  expect(names.filter((path) => path.includes("/on."))).toEqual([]);
});
