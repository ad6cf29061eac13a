#!/usr/bin/env node
// The rules of CONTRIBUTING.md that no linter knows. Usage: rules.mjs [--root DIR]; prints `file:line: rule: what` and ends with 1 if one is broken.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, posix, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** Imports point from a row to the rows below it; within a row only to the same entry, or, where the row says so, to any. */
const ROWS = [
  { units: ["cli", "index"] },
  { units: ["commands"] },
  { units: ["server"] },
  { units: ["discogs", "table"] },
  { units: ["pipeline", "checkpointer", "destination", "tally", "config"], together: true },
  { units: ["source", "parse", "change", "sink", "state", "consume"] },
  { units: ["rabbitmq", "postgres"] },
  { units: ["model", "errors", "telemetry", "retry", "canonical", "durable", "url-settings"], together: true },
  { units: ["fault"] },
];
/** A package is imported in one place only: a folder, with the file of the same name beside it. A schema library serves three; the broker's client is loaded in one, its channels are used in two more. */
const PACKAGE_PLACES = {
  commander: ["cli"],
  pino: ["telemetry"],
  pg: ["postgres"],
  "pg-copy-streams": ["postgres"],
  piscina: ["parse"],
  "prom-client": ["telemetry"],
  "rabbitmq-client": ["rabbitmq", "sink", "consume"],
  "smol-toml": ["config"],
  undici: ["source"],
  yaml: ["config"],
  zod: ["config", "state", "change"],
};
/** Who may import the addon: the pool, the record index, the lock, the encoder of rows for COPY, and the commands that need nothing else. */
const ADDON_PLACES = ["parse", "change", "state", "postgres", "commands"];
const ADDON = "native/index.js";
/** What of the core knows Node. */
const BINDING = ["binding", "binding_copy", "binding_generate", "binding_index", "binding_ledger", "binding_look_up"].map((name) => `native/src/${name}.rs`);
/** What tests swap in; no release loads it. */
const FAULTS_ON = "src/fault/on.ts";
const EXIT_PLACES = ["src/cli.ts", FAULTS_ON];
const ENV_PLACES = ["src/config.ts", FAULTS_ON];
const LINES_MAX = 400;
const VAGUE_NAMES = ["utils", "util", "helpers", "helper", "common", "misc", "lib"];
/** What lies at the top of the repository, beside dot files. */
const TOP_LEVEL = [
  ...["package.json", "package-lock.json", "tsconfig.json", "native", "src", "bench", "test", "Dockerfile", "README.md"],
  ...["LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "compose.yaml", "deploy", "docs"],
];
const SQL = /^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|TRUNCATE|COPY|MERGE|MATCH|UNWIND|WITH)\s/;

const flag = process.argv.indexOf("--root");
const root = resolve(flag === -1 ? fileURLToPath(new URL("../..", import.meta.url)) : (process.argv[flag + 1] ?? "."));
const faults = check();
for (const fault of faults) console.log(fault);
if (faults.length > 0) console.log(`${faults.length} ${faults.length === 1 ? "rule is" : "rules are"} broken; see "Rules" in CONTRIBUTING.md`);
process.exitCode = faults.length === 0 ? 0 : 1;

function check() {
  const found = [];
  const sources = filesUnder("src", ".ts").map(parse);
  const sqlSeen = new Map();
  for (const source of sources) {
    const say = (node, rule, what) => {
      const line = node === null ? 1 : source.ast.getLineAndCharacterOfPosition(node.getStart(source.ast)).line + 1;
      found.push(`${source.path}:${line}: ${rule}: ${what}`);
    };
    checkFile(source, say);
    for (const { node, specifier } of source.imports) checkImport(source, node, specifier, say);
    walk(source.ast, (node) => checkNode(source, node, say, sqlSeen));
  }
  found.push(...cycles(sources));
  for (const path of filesUnder("test", ".ts")) {
    const source = parse(path);
    walk(source.ast, (node) => {
      if (node.kind === ts.SyntaxKind.AnyKeyword)
        found.push(`${path}:${source.ast.getLineAndCharacterOfPosition(node.pos).line + 1}: any: use unknown and parse it`);
    });
  }
  found.push(...nodeInRust(), ...topLevel());
  return found;
}

function checkFile({ path, text }, say) {
  const lines = text.split("\n").length - 1;
  if (lines > LINES_MAX) say(null, "length", `${lines} lines; above ${LINES_MAX} a file holds a second idea`);
  if (VAGUE_NAMES.includes(posix.basename(path, ".ts"))) say(null, "file-name", "name the file for what it does");
  const ignored = /@ts-(ignore|nocheck|expect-error)/.exec(text);
  if (ignored !== null) say(null, "ts-ignore", `${ignored[0]} hides a fault from the compiler`);
}

function checkImport({ path, unit }, node, specifier, say) {
  if (specifier === "#fault") return;
  if (!specifier.startsWith(".")) return checkPackage(unit, node, specifier, say);
  const target = posix.normalize(posix.join(posix.dirname(path), specifier));
  if (target === ADDON) {
    if (!ADDON_PLACES.includes(unit)) say(node, "addon", `the addon is imported in ${ADDON_PLACES.join(", ")} only`);
    return;
  }
  if (!target.startsWith("src/")) return say(node, "direction", `src imports nothing outside of it but the addon, not ${target}`);
  if (!target.endsWith(".ts")) say(node, "extension", `relative imports end in .ts, as ${specifier} does not`);
  checkSinkFolders(path, target, node, say);
  const to = unitOf(target);
  if (to === unit) return;
  const fromRow = rowOf(unit);
  const toRow = rowOf(to);
  if (fromRow === -1 || toRow === -1)
    return say(node, "direction", `${fromRow === -1 ? unit : to} has no place in the order of imports; give it one in test/tools/rules.mjs`);
  if (fromRow < toRow || (fromRow === toRow && ROWS[fromRow].together === true)) return;
  if (fromRow === toRow) say(node, "siblings", `${unit} and ${to} are siblings, which never meet`);
  else say(node, "direction", `${unit} is below ${to} and must not import it`);
}

function checkPackage(unit, node, specifier, say) {
  if (specifier.startsWith("node:")) return;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (builtinModules.includes(name)) return say(node, "package", `write node:${name}`);
  const places = PACKAGE_PLACES[name];
  if (places === undefined) say(node, "package", `${name} has no place; a dependency that carries its weight gets one in test/tools/rules.mjs`);
  else if (!places.includes(unit)) say(node, "package", `${name} is imported in ${places.join(" and ")} only`);
}

/** A sink's folder is known to the registry alone. */
function checkSinkFolders(path, target, node, say) {
  const [, kind] = /^src\/sink\/([^/]+)\//.exec(target) ?? [];
  if (kind === undefined || path === "src/sink/index.ts" || path.startsWith(`src/sink/${kind}/`)) return;
  say(node, "registry", `src/sink/${kind}/ is known to src/sink/index.ts alone`);
}

function checkNode({ path }, node, say, sqlSeen) {
  if (node.kind === ts.SyntaxKind.AnyKeyword) say(node, "any", "use unknown and parse it");
  const member = memberOfProcess(node);
  if (["exit", "exitCode", "abort", "kill", "reallyExit"].includes(member) && !EXIT_PLACES.includes(path))
    say(node, "process-exit", `process.${member} only in ${EXIT_PLACES}`);
  if (member === "env" && !ENV_PLACES.includes(path)) say(node, "process-env", `process.env only in ${ENV_PLACES}`);
  const text = ts.isStringLiteralLike(node) ? node.text : ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : undefined;
  if (text === undefined || !SQL.test(text)) return;
  const statement = text.replace(/\s+/g, " ").trim();
  const first = sqlSeen.get(statement);
  if (first === undefined) sqlSeen.set(statement, path);
  else say(node, "sql-once", `the same statement stands in ${first}`);
}

/** `exit` for `process.exit`, `process["exit"]`, `const { exit } = process` and `import { exit } from "node:process"`. */
function memberOfProcess(node) {
  const isProcess = (expression) => ts.isIdentifier(expression) && expression.text === "process";
  if (ts.isPropertyAccessExpression(node) && isProcess(node.expression)) return node.name.text;
  if (ts.isElementAccessExpression(node) && isProcess(node.expression) && ts.isStringLiteralLike(node.argumentExpression)) return node.argumentExpression.text;
  if (ts.isBindingElement(node) && node.parent.parent.initializer !== undefined && isProcess(node.parent.parent.initializer))
    return (node.propertyName ?? node.name).getText();
  if (ts.isImportSpecifier(node) && node.parent.parent.parent.moduleSpecifier.text === "node:process") return (node.propertyName ?? node.name).text;
  return undefined;
}

function cycles(sources) {
  const imports = new Map(
    sources.map(({ path, imports }) => [path, imports.map(({ specifier }) => posix.normalize(posix.join(posix.dirname(path), specifier)))]),
  );
  const done = new Set();
  const found = [];
  const visit = (path, trail) => {
    const at = trail.indexOf(path);
    if (at !== -1) return found.push(`${path}:1: cycle: ${[...trail.slice(at), path].join(" → ")}`);
    if (done.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}

/** Only the binding knows Node. */
function nodeInRust() {
  const found = [];
  for (const path of filesUnder("native/src", ".rs")) {
    if (BINDING.includes(path)) continue;
    for (const [index, line] of readFileSync(join(root, path), "utf8").split("\n").entries()) {
      if (/^\s*(use\s+napi|#\[napi)|\bnapi(_derive|_sys)?::/.test(line)) found.push(`${path}:${index + 1}: binding: only ${BINDING.join(" and ")} know Node`);
    }
  }
  return found;
}

function topLevel() {
  if (!existsSync(join(root, ".git"))) return [];
  const { stdout } = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 });
  const names = new Set(
    stdout
      .split("\0")
      .filter((path) => path !== "" && existsSync(join(root, path)))
      .map((path) => path.split("/")[0]),
  );
  return [...names]
    .filter((name) => !name.startsWith(".") && !TOP_LEVEL.includes(name))
    .map((name) => `${name}:1: top-level: has no place at the top of the repository`);
}

function parse(path) {
  const text = readFileSync(join(root, path), "utf8");
  const ast = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports = [];
  walk(ast, (node) => {
    const specifier = importedBy(node);
    if (specifier !== undefined) imports.push({ node, specifier });
  });
  return { path, text, ast, imports, unit: unitOf(path) };
}

/** What an `import`, `export from`, `import()`, `import type` or `new URL("./x.js", import.meta.url)` leads to. */
function importedBy(node) {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) return node.moduleSpecifier.text;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && ts.isStringLiteralLike(node.arguments[0]))
    return node.arguments[0].text;
  if (ts.isImportTypeNode(node)) return node.argument.literal.text;
  return undefined;
}

/** `parse` for src/parse/pool.ts, `pipeline` for src/pipeline.ts. */
function unitOf(path) {
  const [, first = ""] = path.split("/");
  return first.replace(/\.[tj]s$/, "");
}

function rowOf(unit) {
  return ROWS.findIndex(({ units }) => units.includes(unit));
}

function walk(node, visit) {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function filesUnder(folder, suffix) {
  const top = join(root, folder);
  if (!existsSync(top)) return [];
  const entries = readdirSync(top, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile() && entry.name.endsWith(suffix)).map((entry) => join(entry.parentPath, entry.name));
  return paths.map((path) => relative(root, path).replaceAll("\\", "/")).sort();
}
