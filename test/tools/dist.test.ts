import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const DIST = fileURLToPath(new URL("../../dist", import.meta.url));
const SRC = fileURLToPath(new URL("../../src", import.meta.url));
/** `from "./x.js"`, `import("./x.js")` and `new URL("./x.js", import.meta.url)`. */
const IMPORTED = /(?:\bfrom |\bimport\(|\bnew URL\()"(\.[^"]+\.[jt]s)"/g;

// The compiler leaves the `.ts` of a late import as it is in a function that has `await using`.
it("every file that compiled code imports is there", () => {
  const files = readdirSync(DIST, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".js"));
  // What an earlier build has left is nobody's.
  const current = files.filter((path) => existsSync(join(SRC, path.replace(/\.js$/, ".ts"))));
  expect(current.length).toBeGreaterThan(50);
  const missing = current.flatMap((path) => {
    const text = readFileSync(join(DIST, path), "utf8");
    const targets = [...text.matchAll(IMPORTED)].map(([, target = ""]) => target);
    return targets.filter((target) => !existsSync(join(DIST, dirname(path), target))).map((target) => `${path}: ${target}`);
  });
  expect(missing).toEqual([]);
});
