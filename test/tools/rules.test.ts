import { afterEach, beforeEach, expect, it } from "vitest";
import { SmallProject } from "./small-project.ts";

let project: SmallProject;
beforeEach(() => {
  project = new SmallProject();
});
afterEach(() => project[Symbol.dispose]());

const SQL = '"SELECT id FROM releases"';

it.each([
  ["direction", "an import upwards", "src/model.ts", 'export { FIRST } from "./pipeline.ts";\n'],
  ["direction", "an import out of src", "src/errors.ts", 'import "../test/tools/check.mjs";\n'],
  ["direction", "a unit without a place", "src/new/place.ts", 'import "../errors.ts";\n'],
  ["siblings", "siblings that meet", "src/sink/planted.ts", 'import type { Planted } from "../state/planted.ts";\n'],
  ["siblings", "siblings that meet by a type", "src/sink/planted.ts", 'export type Planted = import("../state/planted.ts").Planted;\n'],
  ["cycle", "files that import each other", "src/errors.ts", 'import "./model.ts";\n', "src/model.ts", 'import "./errors.ts";\n'],
  ["package", "a driver outside its folder", "src/state/planted.ts", 'import { Piscina } from "piscina";\n'],
  ["package", "a driver that is loaded late outside its folder", "src/state/planted.ts", 'await import("piscina");\n'],
  ["package", "a dependency without a place", "src/state/planted.ts", 'import "left-pad";\n'],
  ["package", "a module of Node without its prefix", "src/state/planted.ts", 'import "fs";\n'],
  ["addon", "the addon in a sink", "src/sink/planted.ts", 'import { generate } from "../../native/index.js";\n'],
  ["registry", "a sink's folder beside the registry", "src/sink/planted.ts", 'import "./file/index.ts";\n'],
  ["extension", "an import without .ts", "src/pipeline.ts", 'import "./errors.js";\n'],
  ["process-exit", "process.exit", "src/pipeline.ts", "process.exit(1);\n"],
  ["process-exit", "process.exitCode", "src/pipeline.ts", "process.exitCode = 1;\n"],
  ["process-exit", "exit from node:process", "src/pipeline.ts", 'import { exit as leave } from "node:process";\n'],
  ["process-exit", "exit taken out of process", "src/pipeline.ts", "const { exit } = process;\n"],
  ["process-env", "process.env", "src/pipeline.ts", 'export const home = process.env["HOME"];\n'],
  ["process-env", "process by another spelling", "src/pipeline.ts", 'export const all = process["env"];\n'],
  ["any", "any", "src/pipeline.ts", "export const planted: any = 1;\n"],
  ["any", "any in a test", "test/planted.test.ts", "export const planted = 1 as any;\n"],
  ["ts-ignore", "a hidden fault", "src/pipeline.ts", "// @ts-ignore\n"],
  ["sql-once", "the same SQL twice", "src/pipeline.ts", `export const a = ${SQL};\n`, "src/errors.ts", `export const b = ${SQL};\n`],
  [
    "sql-once",
    "the same SQL, set otherwise",
    "src/pipeline.ts",
    `export const a = ${SQL};\n`,
    "src/errors.ts",
    "export const b = `\n  SELECT id\n  FROM releases`;\n",
  ],
  ["file-name", "a vague name", "src/sink/utils.ts", "export const planted = 1;\n"],
  ["length", "a file that is too long", "src/pipeline.ts", "// one more line\n".repeat(401)],
  ["binding", "Node in the core", "native/src/lib.rs", "use napi::Result;\n"],
  ["top-level", "another file at the top", "biome.json", "{}\n"],
])("%s: finds %s", (rule, _, ...files) => {
  for (let at = 0; at < files.length; at += 2) project.write(files[at] ?? "", files[at + 1] ?? "");
  const { exit, output } = project.check("rules");
  const said = output.split("\n").filter((line) => /^\S+:\d+: /.test(line));
  expect(said.map((line) => line.split(": ")[1])).toEqual([rule]);
  expect(files.some((file) => said[0]?.startsWith(`${file}:`))).toBe(true);
  expect(exit).toBe(1);
});

it("finds nothing where nothing is wrong", () => {
  expect(project.check("rules")).toMatchObject({ exit: 0 });
});

it("lets a statement that differs, and prose that begins like SQL, stand", () => {
  project.write(
    "src/pipeline.ts",
    'export const a = "SELECT id FROM releases";\nexport const b = "SELECT id FROM labels";\nexport const c = ["Select one of two", "Select one of two"];\n',
  );
  expect(project.check("rules")).toMatchObject({ exit: 0 });
});
