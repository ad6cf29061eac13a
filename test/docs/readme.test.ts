import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { flagOf } from "../../src/config/option.ts";
import { OPTION_KEYS, optionOf } from "../../src/config/options.ts";
import { formatSize } from "../../src/config/units.ts";
import { SINKS } from "../../src/sink/index.ts";
import { TABLES } from "./tables.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PATH = `${ROOT}README.md`;
const SERVICE = `${ROOT}docs/service.md`;
const DOCUMENTS = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/design.md", "docs/service.md", "docs/postgres.md"],
  ...["docs/container-security.md", "docs/dockerfile-standards.md"],
];

it.each(Object.keys(TABLES))("the table of %s is what the code says; DOCS_UPDATE=1 writes it anew", (name) => {
  const path = name === "metrics" ? SERVICE : PATH;
  const document = readFileSync(path, "utf8");
  const place = new RegExp(`(<!-- table: ${name} -->\n)(?:\\|.*\n)*(<!-- end -->)`);
  const expected = TABLES[name]?.() ?? "";
  if (process.env["DOCS_UPDATE"] === "1")
    writeFileSync(
      path,
      document.replace(place, (_, before, after) => `${before}${expected}\n${after}`),
    );
  expect(place.exec(readFileSync(path, "utf8"))?.[0]).toBe(`<!-- table: ${name} -->\n${expected}\n<!-- end -->`);
});

it("has one row for every kind of sink", () => {
  const section = /## Sinks\n(.*?)\n## /s.exec(readFileSync(PATH, "utf8"))?.[1] ?? "";
  const rows = section.split("\n").filter((line) => /^\| `/.test(line));
  for (const { usage } of Object.values(SINKS)) {
    const [url = ""] = usage.split(" ");
    expect(rows.filter((row) => row.startsWith(`| \`${url}\` |`))).toHaveLength(1);
  }
  expect(rows).toHaveLength(Object.keys(SINKS).length);
});

it("gives every limit with its default", () => {
  const section = /## Limits\n(.*?)\n## /s.exec(readFileSync(PATH, "utf8"))?.[1] ?? "";
  for (const key of OPTION_KEYS.filter((name) => name.startsWith("max"))) {
    const row = section.split("\n").find((line) => line.includes(`| \`${flagOf(key)}\` |`)) ?? "";
    const { schema, fallback } = optionOf(key);
    const value = Number(schema.parse(fallback ?? ""));
    expect(
      [formatSize(value), value.toLocaleString("en"), fallback].some((text) => row.includes(`| ${text} `)),
      key,
    ).toBe(true);
  }
});

it("names every command there is", () => {
  const names = [...readFileSync(`${ROOT}src/cli.ts`, "utf8").matchAll(/\.command\("(\w+)"\)/g)].map(([, name]) => name);
  const readme = readFileSync(PATH, "utf8");
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) expect(readme).toMatch(new RegExp(`deadwax (state )?${name}\\b|state show\\|check\\|reset`));
});

it.each(["count-genres", "print-changes"])("shows the documented example %s as it stands in docs/examples", (name) => {
  const example = readFileSync(`${ROOT}docs/examples/${name}.mjs`, "utf8");
  expect(readFileSync(PATH, "utf8")).toContain(`\`\`\`js\n${example}\`\`\``);
});

it.each(DOCUMENTS)("%s leads only to files and headings that are there, and names only scripts that are", (document) => {
  const text = readFileSync(`${ROOT}${document}`, "utf8");
  const folder = document.includes("/") ? `${ROOT}${document.slice(0, document.lastIndexOf("/"))}/` : ROOT;
  for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
    if (!/^[a-z]+:/.test(target)) expect(existsSync(folder + target), target).toBe(true);
  }
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
  for (const [, anchor = ""] of text.matchAll(/\]\(#([^)]+)\)/g)) expect(headings).toContain(anchor);
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  for (const [, script = ""] of text.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(script);
});

it("lists the version in the changelog", () => {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  expect(readFileSync(`${ROOT}CHANGELOG.md`, "utf8")).toMatch(new RegExp(`^## ${version.replaceAll(".", "\\.")}( |$)`, "m"));
  expect(execFileSync("cargo", ["pkgid", "--manifest-path", "native/Cargo.toml"], { cwd: ROOT, encoding: "utf8" }).trim()).toContain(
    `#deadwax-native@${version}`,
  );
});
