import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SmallProject } from "./small-project.ts";

const SOUND_AUDIT = '{"metadata":{"vulnerabilities":{"moderate":0,"high":0,"critical":0}}}';

let project: SmallProject;
beforeEach(() => {
  project = new SmallProject();
});
afterEach(() => project[Symbol.dispose]());

it("passes where nothing is wrong", () => {
  project.pretend("npm", SOUND_AUDIT, 0);
  expect(project.check()).toEqual({ exit: 0, output: expect.stringContaining("check: all is well") });
});

it("refuses a step that there is not", () => {
  expect(project.check("spelling")).toEqual({ exit: 2, output: expect.stringContaining("no step is called spelling") });
});

describe("fails on one planted fault:", () => {
  it.each([
    ["format of TypeScript", "biome", "src/planted.ts", "export  const planted = 1;\n", "planted.ts format"],
    [
      "order of imports",
      "biome",
      "src/planted.ts",
      'import { join } from "node:path";\nimport { arch } from "node:os";\n\nexport const planted = join(arch());\n',
      "organizeImports",
    ],
    ["an unused variable", "biome", "src/planted.ts", "const planted = 1;\n", "noUnusedVariables"],
    ["any", "biome", "src/planted.ts", "export const planted: any = 1;\n", "noExplicitAny"],
    [
      "a floating promise",
      "biome",
      "src/planted.ts",
      "async function wait(): Promise<void> {}\n\nexport function planted(): void {\n  wait();\n}\n",
      "noFloatingPromises",
    ],
    ["an import that should be of a type", "biome", "src/planted.ts", 'import { Stats } from "node:fs";\n\nexport type Planted = Stats;\n', "useImportType"],
    ["a test that only runs itself", "biome", "test/planted.test.ts", 'import { it } from "vitest";\n\nit.only("runs", () => {});\n', "noFocusedTests"],
    ["a wrong type", "types", "src/planted.ts", 'export const planted: number = "1";\n', "TS2322"],
    ["an unchecked index", "types", "src/planted.ts", "export const planted = (list: number[]): number => list[0];\n", "TS2322"],
    ["a script that is cut short", "shell", ".ci/run", "if true; then\n", "syntax error"],
    ["format of Rust", "fmt", "native/src/lib.rs", "pub fn next(n: u32)->u32 { n + 1 }\n", "lib.rs"],
    ["lint of Rust", "clippy", "native/src/lib.rs", "pub fn next(n: u32) -> u32 {\n    return n + 1;\n}\n", "needless_return"],
    [
      "unsafe Rust that does not say why it is sound",
      "clippy",
      "native/src/lib.rs",
      "pub fn first(list: &[u8]) -> u8 {\n    unsafe { *list.get_unchecked(0) }\n}\n",
      "safety comment",
    ],
    ["a lock file of Rust that is behind", "dependencies", "native/Cargo.lock", "version = 4\n", "--locked"],
  ])("%s", (_, step, path, text, said) => {
    project.write(path, text);
    const { exit, output } = project.check(step);
    expect(output).toContain(said);
    expect(output).toContain(`FAILED: ${step}`);
    expect(exit).toBe(1);
  });

  const NPM = { name: "small", version: "1.0.0", license: "MIT" };
  const entry = { version: "1.0.0", license: "MIT", integrity: "sha512-AA==" };
  it.each([
    ["a dependency that is not pinned", { dependencies: { a: "^1.0.0" } }, { dependencies: { a: "^1.0.0" } }, {}, "pin one version"],
    ["a lock file that is behind", { dependencies: { a: "1.0.0" } }, {}, {}, "run npm install"],
    ["an install script", {}, {}, { "node_modules/a": { ...entry, hasInstallScript: true } }, "runs a script"],
    ["a licence that cannot be shipped", {}, {}, { "node_modules/a": { ...entry, license: "GPL-3.0" } }, "licence GPL-3.0"],
    [
      "a licence of which half cannot be shipped",
      {},
      {},
      { "node_modules/a": { ...entry, license: "(MIT OR ISC) AND GPL-3.0" } },
      "licence (MIT OR ISC) AND GPL-3.0",
    ],
    ["a package without a digest", {}, {}, { "node_modules/a": { version: "1.0.0", license: "MIT" } }, "has no integrity"],
  ])("%s", (_, manifest, root, packages, said) => {
    project.write("package.json", JSON.stringify({ ...NPM, ...manifest }));
    project.write("package-lock.json", JSON.stringify({ ...NPM, lockfileVersion: 3, packages: { "": { ...NPM, ...root }, ...packages } }));
    expect(project.check("dependencies")).toEqual({ exit: 1, output: expect.stringContaining(said) });
  });

  it("a known vulnerability", () => {
    const vulnerabilities = { a: { severity: "high", range: "<2" } };
    project.pretend("npm", JSON.stringify({ metadata: { vulnerabilities: { moderate: 0, high: 1, critical: 0 } }, vulnerabilities }), 1);
    expect(project.check("audit")).toEqual({ exit: 1, output: expect.stringContaining("a <2: high") });
  });
});

it("says loudly which audit could not be done, and goes on", () => {
  project.pretend("npm", '{"message":"405 Method Not Allowed"}', 1);
  project.pretend("cargo", "", 101);
  expect(project.check("audit")).toEqual({ exit: 0, output: expect.stringContaining("*** NOT DONE: npm audit of .: 405 Method Not Allowed ***") });
});

it("keeps a fault out of a commit once the hook is switched on", () => {
  project.run("git", ["config", "core.hooksPath", ".githooks"]);
  project.run("git", ["add", "."]);
  expect(project.run("git", ["commit", "-qm", "sound"])).toMatchObject({ exit: 0 });
  project.write("src/planted.ts", "export const planted: any = 1;\n");
  project.run("git", ["add", "."]);
  expect(project.run("git", ["commit", "-qm", "faulty"])).toEqual({ exit: 1, output: expect.stringContaining("noExplicitAny") });
});
